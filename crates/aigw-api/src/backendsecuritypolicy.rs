//! BackendSecurityPolicy, <https://aigateway.envoyproxy.io/docs/api/>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meta::{Resource, SecretObjectReference, TargetReference};

/// How requests to backends are authenticated.
pub type BackendSecurityPolicy = Resource<BackendSecurityPolicySpec>;

/// What a BackendSecurityPolicy wants. The block named by `type` must be there, and no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendSecurityPolicySpec {
    /// The backends it applies to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    pub aws_credentials: Option<Value>,
    /// Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_credentials: Option<Value>,
    /// Google Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp_credentials: Option<Value>,
    /// A credential per request in place of the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_override: Option<Value>,
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretHolder {
    /// The Secret.
    pub secret_ref: SecretObjectReference,
}
