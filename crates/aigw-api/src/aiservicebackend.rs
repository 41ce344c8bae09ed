//! AIServiceBackend, <https://aigateway.envoyproxy.io/docs/api/>, with members of aigw's own: `provider`, `service`, `secretRef`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::Resource;
use crate::schema::{self, rule};
use crate::status::Status;

pub use aigw_config::{BodyMutation as HTTPBodyMutation, HeaderMutation as HTTPHeaderMutation, Schema};

/// A provider or server, and the API it speaks.
pub type AIServiceBackend = Resource<AIServiceBackendSpec>;

/// What an AIServiceBackend is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[serde(rename_all = "camelCase", default)]
#[kube(
    group = "aigateway.envoyproxy.io",
    version = "v1beta1",
    kind = "AIServiceBackend",
    root = "AIServiceBackendDefinition",
    doc = "A provider or server, and the API it speaks.",
    namespaced,
    status = "Status"
)]
#[schemars(extend("x-kubernetes-validations" = [
    rule(
        "[has(self.backendRef), has(self.service), has(self.provider)].exists_one(one, one)",
        "exactly one of backendRef, service or provider must be set",
    ),
    rule("has(self.schema) || has(self.provider)", "schema must be set unless provider is"),
]))]
pub struct AIServiceBackendSpec {
    /// The API it speaks. Needed unless `provider` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::model_schema")]
    pub schema: Option<Schema>,
    /// An Envoy Gateway Backend that says where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [
        rule(
            "has(self.kind) && self.kind == 'Backend' && has(self.group) && self.group == 'gateway.envoyproxy.io'",
            "BackendRef must be a Backend resource of Envoy Gateway. See \
             https://github.com/envoyproxy/ai-gateway/issues/902 for more details.",
        ),
        port_of_services(),
    ]))]
    pub backend_ref: Option<BackendObjectReference>,
    /// A named provider, which supplies schema, place and key placement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub provider: Option<String>,
    /// A Service of the cluster that says where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceReference>,
    /// A Secret with its key, in place of a BackendSecurityPolicy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
    /// Header edits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::header_mutation")]
    pub header_mutation: Option<HTTPHeaderMutation>,
    /// Body edits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::body_mutation")]
    pub body_mutation: Option<HTTPBodyMutation>,
    /// Timeouts of requests to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<BackendTimeouts>,
}

/// The rule that Gateway API has on references to Services.
pub(crate) fn port_of_services() -> serde_json::Value {
    rule(
        "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
        "Must have port for Service reference",
    )
}

/// A reference to a Service or a Backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["name"]))]
pub struct BackendObjectReference {
    /// Group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::group", extend("default" = ""))]
    pub group: Option<String>,
    /// Kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::kind", extend("default" = "Service"))]
    pub kind: Option<String>,
    /// Name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Namespace; absent means that of the object that refers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::port")]
    pub port: Option<u16>,
}

/// A Service of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceReference {
    /// Name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Namespace; absent means that of the AIServiceBackend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
    /// Port.
    #[schemars(schema_with = "schema::port")]
    pub port: u16,
}

/// A Secret and the key of its data that holds the credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyReference {
    /// Name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Namespace; absent means that of the AIServiceBackend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
    /// Key of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("pattern" = "^[-._a-zA-Z0-9]+$", "default" = "apiKey"))]
    pub key: Option<String>,
}

/// Timeouts of requests to a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BackendTimeouts {
    /// The whole request; `0s` means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub request: Option<String>,
}
