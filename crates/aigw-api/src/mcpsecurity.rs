//! Who may use an MCPRoute, <https://aigateway.envoyproxy.io/docs/api/>.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{self, rule};

/// Who may use an MCPRoute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "has(self.oauth) || !has(self.authorization) || !has(self.authorization.rules) || \
     !self.authorization.rules.exists(one, has(one.source) && has(one.source.jwt))",
    "oauth must be configured when any authorization rule uses a jwt source",
)]))]
pub struct MCPRouteSecurityPolicy {
    /// Those with a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth: Option<MCPRouteOAuth>,
    /// Those with a key; Envoy Gateway's APIKeyAuth.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::api_key_auth")]
    pub api_key_auth: Option<Value>,
    /// Those whom a server lets in; Envoy Gateway's ExtAuth.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::ext_auth")]
    pub ext_auth: Option<Value>,
    /// Which of them may call what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<MCPAuthorization>,
}

/// Tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MCPRouteOAuth {
    /// The issuer's URL.
    #[schemars(schema_with = "schema::uri")]
    pub issuer: String,
    /// Audiences of tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub audiences: Vec<String>,
    /// Keys of the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::jwks")]
    pub jwks: Option<Value>,
    /// What the gateway says of itself (RFC 9728).
    pub protected_resource_metadata: ProtectedResourceMetadata,
    /// Claims that become headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub claim_to_headers: Vec<ClaimToHeader>,
}

/// What the gateway says of itself (RFC 9728).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProtectedResourceMetadata {
    /// URL of the resource.
    #[schemars(schema_with = "schema::uri")]
    pub resource: String,
    /// Name of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub resource_name: Option<String>,
    /// Scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub scopes_supported: Vec<String>,
    /// Algorithms of signatures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub resource_signing_alg_values_supported: Vec<String>,
    /// URL of documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::uri")]
    pub resource_documentation: Option<String>,
    /// URL of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::uri")]
    pub resource_policy_uri: Option<String>,
}

/// A claim that becomes a header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimToHeader {
    /// The claim.
    pub claim: String,
    /// The header.
    pub header: String,
}

/// Who may call what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MCPAuthorization {
    /// Without a rule that matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::allow_or_deny", extend("default" = "Deny"))]
    pub default_action: Option<String>,
    /// The first that matches decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub rules: Vec<MCPAuthorizationRule>,
}

/// A rule on calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MCPAuthorizationRule {
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<MCPAuthorizationSource>,
    /// What.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<MCPAuthorizationTarget>,
    /// An expression on the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub cel: Option<String>,
    /// What follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::allow_or_deny", extend("default" = "Allow"))]
    pub action: Option<String>,
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MCPAuthorizationSource {
    /// By token.
    pub jwt: MCPJWTSource,
}

/// A token's scopes and claims.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "(has(self.scopes) && size(self.scopes) > 0) || (has(self.claims) && size(self.claims) > 0)",
    "either scopes or claims must be specified",
)]))]
pub struct MCPJWTSource {
    /// Scopes, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253)))]
    pub scopes: Vec<String>,
    /// Claims, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-validations" = [rule(
            "self.all(one, one.name != 'scope')",
            "'scope' claim name is reserved for OAuth scopes",
        )])
    )]
    pub claims: Vec<MCPClaim>,
}

/// A claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MCPClaim {
    /// Its name; members of members are parted by dots.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// `String` or `StringArray`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["String", "StringArray"], "default" = "String"))]
    pub value_type: Option<String>,
    /// Values, one of which it must have.
    #[schemars(length(min = 1, max = 128))]
    pub values: Vec<String>,
}

/// What is called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MCPAuthorizationTarget {
    /// Tools.
    #[schemars(length(min = 1, max = 16))]
    pub tools: Vec<MCPToolName>,
}

/// A tool of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MCPToolName {
    /// The server, by the name of its reference.
    pub backend: String,
    /// The tool.
    pub tool: String,
}
