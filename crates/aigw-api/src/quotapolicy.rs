//! QuotaPolicy, <https://aigateway.envoyproxy.io/docs/api/>. It is admitted and its status says that it is not supported yet.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meta::{Resource, TargetReference};
use crate::schema::{self, rule};
use crate::status::Status;

/// How much of backends may be used.
pub type QuotaPolicy = Resource<QuotaPolicySpec>;

/// What a QuotaPolicy wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[serde(rename_all = "camelCase", default)]
#[kube(
    group = "aigateway.envoyproxy.io",
    version = "v1beta1",
    kind = "QuotaPolicy",
    plural = "quotapolicies",
    root = "QuotaPolicyDefinition",
    doc = "How much of backends may be used.",
    namespaced,
    status = "Status",
    label("gateway.networking.k8s.io/policy", "direct")
)]
pub struct QuotaPolicySpec {
    /// The backends it applies to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        schema_with = "schema::target_refs",
        extend("x-kubernetes-validations" = [rule(
            "self.all(one, one.group == 'aigateway.envoyproxy.io' && one.kind == 'AIServiceBackend')",
            "targetRefs must reference AIServiceBackend resources",
        )])
    )]
    pub target_refs: Vec<TargetReference>,
    /// Of all models together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_quota: Option<ServiceQuota>,
    /// Of models by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub per_model_quotas: Vec<ModelQuota>,
}

/// A quota of all models together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceQuota {
    /// What a request costs; absent means its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_expression: Option<String>,
    /// How much.
    pub quota: QuotaValue,
}

/// A quota of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelQuota {
    /// The model.
    #[schemars(schema_with = "schema::nonempty")]
    pub model_name: String,
    /// How much.
    pub quota: QuotaDefinition,
}

/// How much, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaDefinition {
    /// What a request costs; absent means its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_expression: Option<String>,
    /// `Shared`: clients of a bucket use it together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Shared"], "default" = "Shared"))]
    pub mode: Option<String>,
    /// Of those whom no rule selects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_bucket: Option<QuotaValue>,
    /// Of those whom a rule selects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bucket_rules: Vec<BucketRule>,
}

/// A quota of selected clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketRule {
    /// Which; Envoy Gateway's RateLimitSelectCondition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::client_selectors")]
    pub client_selectors: Vec<Value>,
    /// How much.
    pub quota: QuotaValue,
    /// Count, but let everything through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow_mode: Option<bool>,
}

/// So much in so long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaValue {
    /// How much.
    pub limit: i64,
    /// In how long.
    #[schemars(extend("enum" = ["1s", "1m", "1h", "1d"]))]
    pub duration: String,
}
