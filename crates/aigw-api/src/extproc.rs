//! Envoy Gateway's settings of a container, <https://gateway.envoyproxy.io/docs/api/extension_types/#kubernetescontainerspec>, as a
//! GatewayConfig embeds them.

use k8s_openapi::api::core::v1::{EnvVar, ResourceRequirements, SecurityContext, VolumeMount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{self, rule};

/// A host, perhaps with a port, and a path.
const REPOSITORY: &str = "[a-zA-Z0-9][a-zA-Z0-9._-]*((:[0-9]{1,5})?(/[a-zA-Z0-9._-]+)+)?";

/// The data plane's own container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GatewayConfigExtProc {
    /// In Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<ContainerSettings>,
}

/// Settings of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "!has(self.image) || !has(self.imageRepository)",
    "Either image or imageRepository can be set.",
)]))]
pub struct ContainerSettings {
    /// Environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::plain::<Vec<EnvVar>>")]
    pub env: Vec<EnvVar>,
    /// Processors and memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::plain::<ResourceRequirements>")]
    pub resources: Option<ResourceRequirements>,
    /// Rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::plain::<SecurityContext>")]
    pub security_context: Option<SecurityContext>,
    /// Image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [rule(
        &format!("self.matches('^{REPOSITORY}(:[a-zA-Z0-9._-]+)?(@sha256:[a-z0-9]+)?$')"),
        "Image must include a tag and allowed characters only (e.g., 'repo:tag').",
    )]))]
    pub image: Option<String>,
    /// Image without its tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [rule(
        &format!("self.matches('^{REPOSITORY}$')"),
        "ImageRepository must contain only allowed characters and must not include a tag.",
    )]))]
    pub image_repository: Option<String>,
    /// Volumes of the pod.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::plain::<Vec<VolumeMount>>")]
    pub volume_mounts: Vec<VolumeMount>,
}
