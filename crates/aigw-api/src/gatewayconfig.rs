//! GatewayConfig, <https://aigateway.envoyproxy.io/docs/api/>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aigatewayroute::LLMRequestCost;
use crate::meta::Resource;

/// The annotation of a Gateway that names its GatewayConfig, in the Gateway's own namespace.
pub const GATEWAY_CONFIG_ANNOTATION: &str = "aigateway.envoyproxy.io/gateway-config";

/// Settings of a Gateway that its own kind has no place for.
pub type GatewayConfig = Resource<GatewayConfigSpec>;

/// What a GatewayConfig wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayConfigSpec {
    /// The container of the external processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ext_proc: Option<Value>,
    /// Costs of every route of the Gateway, unless the route has its own under the same key.
    #[serde(rename = "globalLLMRequestCosts", skip_serializing_if = "Vec::is_empty")]
    pub global_llm_request_costs: Vec<LLMRequestCost>,
    /// A proxy between the gateway and the upstreams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_proxy: Option<Value>,
}
