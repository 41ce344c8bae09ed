//! GatewayConfig, <https://aigateway.envoyproxy.io/docs/api/>.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aigatewayroute::LLMRequestCost;
use crate::dataplane::{Autoscaling, DataPlane, DataPlaneService, Drain};
use crate::extproc::GatewayConfigExtProc;
use crate::meta::Resource;
use crate::schema;
use crate::status::ConditionsStatus;

/// The annotation of a Gateway that names its GatewayConfig, in the Gateway's own namespace.
pub const GATEWAY_CONFIG_ANNOTATION: &str = "aigateway.envoyproxy.io/gateway-config";

/// Settings of a Gateway that its own kind has no place for.
pub type GatewayConfig = Resource<GatewayConfigSpec>;

/// What a GatewayConfig wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[serde(rename_all = "camelCase", default)]
#[kube(
    group = "aigateway.envoyproxy.io",
    version = "v1beta1",
    kind = "GatewayConfig",
    root = "GatewayConfigDefinition",
    doc = "Settings of a Gateway that its own kind has no place for.",
    namespaced,
    shortname = "gwconfig",
    status = "ConditionsStatus"
)]
pub struct GatewayConfigSpec {
    /// The container of the external processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<GatewayConfigExtProc>")]
    pub ext_proc: Option<Value>,
    /// Costs of every route of the Gateway, unless the route has its own under the same key.
    #[serde(rename = "globalLLMRequestCosts", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::costs_by_key")]
    pub global_llm_request_costs: Vec<LLMRequestCost>,
    /// A proxy between the gateway and the upstreams.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::forward_proxy")]
    pub forward_proxy: Option<Value>,
    /// What takes the clients' connections (default: `Envoy`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_plane: Option<DataPlane>,
    /// Pods; has no effect together with `autoscaling`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// The Service before the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<DataPlaneService>,
    /// How many pods there are, by how busy they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How pods end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
}
