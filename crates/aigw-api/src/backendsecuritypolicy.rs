//! BackendSecurityPolicy, <https://aigateway.envoyproxy.io/docs/api/>.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::credentials::{AWSCredentials, AzureCredentials, CredentialOverride, GCPCredentials};
use crate::meta::{Resource, SecretObjectReference, TargetReference};
use crate::schema::{self, rule};
use crate::status::Status;

/// How requests to backends are authenticated.
pub type BackendSecurityPolicy = Resource<BackendSecurityPolicySpec>;

/// What a BackendSecurityPolicy wants. The block named by `type` must be there, and no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "aigateway.envoyproxy.io",
    version = "v1beta1",
    kind = "BackendSecurityPolicy",
    plural = "backendsecuritypolicies",
    root = "BackendSecurityPolicyDefinition",
    doc = "How requests to backends are authenticated.",
    namespaced,
    status = "Status",
    label("gateway.networking.k8s.io/policy", "direct")
)]
#[schemars(extend("maxProperties" = 4, "x-kubernetes-validations" = blocks()))]
pub struct BackendSecurityPolicySpec {
    /// The backends it applies to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        schema_with = "schema::target_refs",
        extend("x-kubernetes-validations" = [rule(
            "self.all(one, (one.group == 'aigateway.envoyproxy.io' && one.kind == 'AIServiceBackend') || \
             (one.group == 'inference.networking.k8s.io' && one.kind == 'InferencePool'))",
            "targetRefs must reference AIServiceBackend or InferencePool resources",
        )])
    )]
    pub target_refs: Vec<TargetReference>,
    /// Which credential.
    #[serde(rename = "type")]
    pub kind: SecurityPolicyType,
    /// A key sent as `authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretHolder>,
    /// A key sent as `api-key`.
    #[serde(default, rename = "azureAPIKey", skip_serializing_if = "Option::is_none")]
    pub azure_api_key: Option<SecretHolder>,
    /// A key sent as `x-api-key`.
    #[serde(default, rename = "anthropicAPIKey", skip_serializing_if = "Option::is_none")]
    pub anthropic_api_key: Option<SecretHolder>,
    /// AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AWSCredentials>")]
    pub aws_credentials: Option<Value>,
    /// Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AzureCredentials>")]
    pub azure_credentials: Option<Value>,
    /// Google Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<GCPCredentials>")]
    pub gcp_credentials: Option<Value>,
    /// A credential per request in place of the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<CredentialOverride>")]
    pub credential_override: Option<Value>,
}

/// One rule a type: its block is there and no other.
fn blocks() -> Vec<Value> {
    const BLOCKS: [(&str, &str); 6] = [
        ("APIKey", "apiKey"),
        ("AWSCredentials", "awsCredentials"),
        ("AzureAPIKey", "azureAPIKey"),
        ("AzureCredentials", "azureCredentials"),
        ("GCPCredentials", "gcpCredentials"),
        ("AnthropicAPIKey", "anthropicAPIKey"),
    ];
    let one = |(kind, block): (&str, &str)| {
        let others = BLOCKS.iter().filter(|(_, other)| *other != block);
        let absent: String = others
            .map(|(_, other)| format!(" && !has(self.{other})"))
            .collect();
        rule(
            &format!("self.type == '{kind}' ? (has(self.{block}){absent}) : true"),
            &format!("When type is {kind}, only {block} field should be set"),
        )
    };
    BLOCKS.map(one).to_vec()
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SecurityPolicyType {
    /// `apiKey`
    APIKey,
    /// `awsCredentials`
    AWSCredentials,
    /// `azureAPIKey`
    AzureAPIKey,
    /// `azureCredentials`
    AzureCredentials,
    /// `gcpCredentials`
    GCPCredentials,
    /// `anthropicAPIKey`
    AnthropicAPIKey,
}

/// A block with a Secret; the key is in its data under `apiKey`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretHolder {
    /// The Secret.
    pub secret_ref: SecretObjectReference,
}
