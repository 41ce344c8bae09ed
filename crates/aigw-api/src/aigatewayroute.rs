//! AIGatewayRoute, <https://aigateway.envoyproxy.io/docs/api/>.

pub use aigw_config::CostSpec as LLMRequestCost;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aiservicebackend::{HTTPBodyMutation, HTTPHeaderMutation};
use crate::gateway::ParentReference;
use crate::meta::Resource;
use crate::schema::{self, rule};
use crate::status::Status;

/// Which models go to which backends.
pub type AIGatewayRoute = Resource<AIGatewayRouteSpec>;

/// What an AIGatewayRoute wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "aigateway.envoyproxy.io",
    version = "v1beta1",
    kind = "AIGatewayRoute",
    root = "AIGatewayRouteDefinition",
    doc = "Which models go to which backends.",
    namespaced,
    status = "Status"
)]
pub struct AIGatewayRouteSpec {
    /// Gateways that it is attached to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-validations" = [rule("self.all(one, one.kind == 'Gateway')", "only Gateway is supported")])
    )]
    pub parent_refs: Vec<ParentReference>,
    /// Host names that it serves; empty means those of the listeners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::hostnames")]
    pub hostnames: Vec<String>,
    /// Rules; a sixteenth would be the one that answers what no rule matches.
    #[schemars(
        length(max = 15),
        extend("x-kubernetes-validations" = [rule(
            "self.all(one, !has(one.name) || self.exists_one(other, has(other.name) && other.name == one.name))",
            "rule name must be unique within the route",
        )])
    )]
    pub rules: Vec<RouteRule>,
    /// Numbers that are put into metadata for rate limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::costs")]
    pub llm_request_costs: Vec<LLMRequestCost>,
}

/// What a rule matches and where it sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    rule("!has(self.name) || self.name != 'route-not-found'", "rule name route-not-found is reserved"),
    rule(
        "!has(self.backendRefs) || size(self.backendRefs) == 0 || \
         self.backendRefs.all(ref, !has(ref.group) && !has(ref.kind)) || \
         self.backendRefs.all(ref, has(ref.group) && has(ref.kind))",
        "cannot mix InferencePool and AIServiceBackend references in the same rule",
    ),
    rule(
        "!has(self.backendRefs) || !self.backendRefs.exists(ref, has(ref.group) && has(ref.kind)) || \
         size(self.backendRefs) == 1",
        "only one InferencePool backend is allowed per rule",
    ),
]))]
pub struct RouteRule {
    /// Name, unique in the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::section_name")]
    pub name: Option<String>,
    /// Where matched requests go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub backend_refs: Vec<RouteBackendRef>,
    /// Alternatives; empty matches everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub matches: Vec<RouteMatch>,
    /// Timeouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<HTTPRouteTimeouts>,
    /// Longest silence inside an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub stream_idle_timeout: Option<String>,
    /// `owned_by` of the rule's models in the list of models.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Envoy AI Gateway"))]
    pub models_owned_by: Option<String>,
    /// `created` of the rule's models, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub models_created_at: Option<String>,
}

/// A rule's reference to an AIServiceBackend or an InferencePool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.group) == has(self.kind)", "group and kind must be specified together"),
    rule(
        "!has(self.group) || (self.group == 'inference.networking.k8s.io' && has(self.kind) && self.kind == 'InferencePool')",
        "only InferencePool from inference.networking.k8s.io group is supported",
    ),
]))]
pub struct RouteBackendRef {
    /// Name.
    #[schemars(schema_with = "schema::nonempty")]
    pub name: String,
    /// Namespace; absent means the route's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
    /// `inference.networking.k8s.io`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::group")]
    pub group: Option<String>,
    /// `InferencePool`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::kind_or_empty")]
    pub kind: Option<String>,
    /// Model to ask for in place of the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name_override: Option<String>,
    /// Header edits over the backend's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::header_mutation")]
    pub header_mutation: Option<HTTPHeaderMutation>,
    /// Body edits over the backend's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::body_mutation")]
    pub body_mutation: Option<HTTPBodyMutation>,
    /// Share among references of the same priority (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 1))]
    pub weight: Option<u32>,
    /// Lower is tried first (default 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 0))]
    pub priority: Option<u32>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouteMatch {
    /// Conditions on headers; `x-ai-eg-model` is the requested model.
    #[schemars(schema_with = "schema::header_matches")]
    pub headers: Vec<HTTPHeaderMatch>,
}

/// A condition on one header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HTTPHeaderMatch {
    /// How `value` is read.
    #[serde(default, rename = "type")]
    pub kind: HeaderMatchType,
    /// Name.
    #[schemars(schema_with = "schema::header_name")]
    pub name: String,
    /// Value or expression.
    #[schemars(schema_with = "schema::header_value")]
    pub value: String,
}

/// How the value of a header condition is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HeaderMatchType {
    /// The whole value.
    #[default]
    Exact,
    /// A regular expression over the whole value.
    RegularExpression,
}

/// Timeouts of a rule, as durations of Gateway API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "!has(self.request) || !has(self.backendRequest) || duration(self.request) == duration('0s') || \
     duration(self.backendRequest) <= duration(self.request)",
    "backendRequest timeout cannot be longer than request timeout",
)]))]
pub struct HTTPRouteTimeouts {
    /// The whole request; `0s` means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub request: Option<String>,
    /// One attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub backend_request: Option<String>,
}
