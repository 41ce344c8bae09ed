//! Blocks of a BackendSecurityPolicy for credentials that are exchanged or signed with, <https://aigateway.envoyproxy.io/docs/api/>.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backendsecuritypolicy::SecretHolder;
use crate::meta::SecretObjectReference;
use crate::oidc::OIDC;
use crate::schema::{self, rule};

/// Credentials of AWS. Without `credentialsFile` and `oidcExchangeToken`: those of the data plane's own surroundings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AWSCredentials {
    /// Region to sign for.
    #[schemars(schema_with = "schema::nonempty")]
    pub region: String,
    /// A credentials file in a Secret, under `credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<AWSCredentialsFile>,
    /// A role that is taken with a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc_exchange_token: Option<AWSOIDCExchangeToken>,
}

/// A credentials file of AWS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AWSCredentialsFile {
    /// The Secret.
    pub secret_ref: SecretObjectReference,
    /// The profile of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "default"))]
    pub profile: Option<String>,
}

/// A token that is exchanged for a role of AWS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AWSOIDCExchangeToken {
    /// The role.
    #[schemars(schema_with = "schema::nonempty")]
    pub aws_role_arn: String,
    /// Who gives the token, and to whom.
    #[serde(flatten)]
    #[schemars(flatten)]
    pub token: OIDCExchangeToken,
}

/// Who gives a token that is exchanged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OIDCExchangeToken {
    /// The issuer and its client.
    pub oidc: OIDC,
    /// Way of the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_type: Option<String>,
    /// Audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
}

/// Credentials of Azure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "has(self.clientSecretRef) != has(self.oidcExchangeToken)",
    "Exactly one of clientSecretRef or oidcExchangeToken must be specified",
)]))]
pub struct AzureCredentials {
    /// Client of the application.
    #[serde(rename = "clientID")]
    #[schemars(schema_with = "schema::nonempty")]
    pub client_id: String,
    /// Tenant.
    #[serde(rename = "tenantID")]
    #[schemars(schema_with = "schema::nonempty")]
    pub tenant_id: String,
    /// A Secret with the client's secret, under `client-secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretObjectReference>,
    /// A token in place of the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc_exchange_token: Option<OIDCExchangeToken>,
}

/// Credentials of Google Cloud. Without `credentialsFile` and `workloadIdentityFederationConfig`: those of the data plane's own
/// surroundings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "!(has(self.credentialsFile) && has(self.workloadIdentityFederationConfig))",
    "At most one of credentialsFile or workloadIdentityFederationConfig may be specified",
)]))]
pub struct GCPCredentials {
    /// Project.
    #[schemars(schema_with = "schema::nonempty")]
    pub project_name: String,
    /// Region.
    #[schemars(schema_with = "schema::nonempty")]
    pub region: String,
    /// A service account's file in a Secret, under `service_account.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<SecretHolder>,
    /// Workload identity federation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity_federation_config: Option<GCPWorkloadIdentityFederation>,
}

/// Workload identity federation of Google Cloud.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GCPWorkloadIdentityFederation {
    /// Project.
    #[serde(rename = "projectID")]
    #[schemars(schema_with = "schema::nonempty")]
    pub project_id: String,
    /// Pool.
    #[schemars(schema_with = "schema::nonempty")]
    pub workload_identity_pool_name: String,
    /// Provider of the pool.
    #[schemars(schema_with = "schema::nonempty")]
    pub workload_identity_provider_name: String,
    /// The token that is exchanged.
    pub oidc_exchange_token: OIDCExchangeToken,
    /// A service account to act as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_impersonation: Option<GCPServiceAccountImpersonation>,
}

/// A service account of Google Cloud to act as.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GCPServiceAccountImpersonation {
    /// Its name.
    #[schemars(schema_with = "schema::nonempty")]
    pub service_account_name: String,
}

/// A credential per request in place of the configured one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct CredentialOverride {
    /// From headers of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_request_headers: Option<FromRequestHeaders>,
    /// From Envoy's dynamic metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_dynamic_metadata: Option<FromDynamicMetadata>,
}

/// A credential out of headers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromRequestHeaders {
    /// The header, of AWS what its names begin with; absent means that of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Without the header: the configured credential, or 401.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub fallback_to_configured: Option<bool>,
}

/// A credential out of dynamic metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromDynamicMetadata {
    /// Namespace of the metadata.
    #[schemars(schema_with = "schema::nonempty")]
    pub namespace: String,
    /// Key; absent means that of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Without the metadata: the configured credential, or 401.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub fallback_to_configured: Option<bool>,
}
