//! AIGatewayRoute, <https://aigateway.envoyproxy.io/docs/api/>.

pub use aigw_config::CostSpec as LLMRequestCost;
use serde::{Deserialize, Serialize};

use crate::aiservicebackend::{HTTPBodyMutation, HTTPHeaderMutation};
use crate::gateway::ParentReference;
use crate::meta::Resource;

/// Which models go to which backends.
pub type AIGatewayRoute = Resource<AIGatewayRouteSpec>;

/// What an AIGatewayRoute wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AIGatewayRouteSpec {
    /// Gateways that it is attached to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Host names that it serves; empty means those of the listeners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Rules.
    pub rules: Vec<RouteRule>,
    /// Numbers that are put into metadata for rate limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub llm_request_costs: Vec<LLMRequestCost>,
}

/// What a rule matches and where it sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteRule {
    /// Name, unique in the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where matched requests go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<RouteBackendRef>,
    /// Alternatives; empty matches everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<RouteMatch>,
    /// Timeouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<HTTPRouteTimeouts>,
    /// Longest silence inside an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_idle_timeout: Option<String>,
    /// `owned_by` of the rule's models in the list of models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models_owned_by: Option<String>,
    /// `created` of the rule's models, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models_created_at: Option<String>,
}

/// A rule's reference to an AIServiceBackend or an InferencePool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteBackendRef {
    /// Name.
    pub name: String,
    /// Namespace; absent means the route's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `inference.networking.k8s.io`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `InferencePool`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Model to ask for in place of the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name_override: Option<String>,
    /// Header edits over the backend's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_mutation: Option<HTTPHeaderMutation>,
    /// Body edits over the backend's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_mutation: Option<HTTPBodyMutation>,
    /// Share among references of the same priority (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Lower is tried first (default 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteMatch {
    /// Conditions on headers; `x-ai-eg-model` is the requested model.
    pub headers: Vec<HTTPHeaderMatch>,
}

/// A condition on one header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HTTPHeaderMatch {
    /// How `value` is read.
    #[serde(default, rename = "type")]
    pub kind: HeaderMatchType,
    /// Name.
    pub name: String,
    /// Value or expression.
    pub value: String,
}

/// How the value of a header condition is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderMatchType {
    /// The whole value.
    #[default]
    Exact,
    /// A regular expression over the whole value.
    RegularExpression,
}

/// Timeouts of a rule, as durations of Gateway API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPRouteTimeouts {
    /// The whole request; `0s` means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// One attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_request: Option<String>,
}
