//! Envoy Gateway's OIDC, <https://gateway.envoyproxy.io/docs/api/extension_types/#oidc>, as policies embed it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meta::SecretObjectReference;
use crate::schema::{self, rule};

/// An issuer of tokens, and the client that asks for them. Of the members after `scopes` none is used; manifests may have them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.clientID) != has(self.clientIDRef)", "only one of clientID or clientIDRef must be set"),
    rule(
        "!(has(self.forwardAccessToken) && self.forwardAccessToken && has(self.forwardIDToken) && \
         self.forwardIDToken.header.lowerAscii() == 'authorization')",
        "forwardAccessToken cannot be true when forwardIDToken.header is Authorization",
    ),
]))]
pub struct OIDC {
    /// The issuer.
    pub provider: OIDCProvider,
    /// The client's id.
    #[serde(default, rename = "clientID", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::nonempty")]
    pub client_id: Option<String>,
    /// A Secret with the client's id.
    #[serde(default, rename = "clientIDRef", skip_serializing_if = "Option::is_none")]
    pub client_id_ref: Option<SecretObjectReference>,
    /// A Secret with the client's secret, under `client-secret`.
    pub client_secret: SecretObjectReference,
    /// Scopes to ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Cookies of browsers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "cookie_config")]
    pub cookie_config: Option<Value>,
    /// Domain of cookies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "cookie_domain")]
    pub cookie_domain: Option<String>,
    /// Names of cookies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "cookie_names")]
    pub cookie_names: Option<Value>,
    /// Life of the token against forged requests.
    #[serde(default, rename = "csrfTokenTTL", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub csrf_token_ttl: Option<String>,
    /// Life of refresh tokens that do not say theirs.
    #[serde(
        default,
        rename = "defaultRefreshTokenTTL",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "schema::duration")]
    pub default_refresh_token_ttl: Option<String>,
    /// Life of tokens that do not say theirs.
    #[serde(default, rename = "defaultTokenTTL", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub default_token_ttl: Option<String>,
    /// Requests that are refused rather than sent to log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "deny_redirect")]
    pub deny_redirect: Option<Value>,
    /// Keep tokens in plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_token_encryption: Option<bool>,
    /// Send the access token on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_access_token: Option<bool>,
    /// Send the identity token on.
    #[serde(default, rename = "forwardIDToken", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "forward_id_token")]
    pub forward_id_token: Option<Value>,
    /// Path that logs out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logout_path: Option<String>,
    /// Let requests with an authorization header through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass_through_auth_header: Option<bool>,
    /// Where browsers come back to.
    #[serde(default, rename = "redirectURL", skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
    /// Refresh tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub refresh_token: Option<bool>,
    /// Resources to ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
}

/// An issuer of tokens. `backendRef`, `backendRefs` and `backendSettings` are not used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules_of_token_servers()))]
pub struct OIDCProvider {
    /// The issuer's URL.
    #[schemars(schema_with = "schema::nonempty")]
    pub issuer: String,
    /// Where people log in; absent means what the issuer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where tokens are asked for; absent means what the issuer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Where people log out; absent means what the issuer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_session_endpoint: Option<String>,
    /// Refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::backend_object")]
    pub backend_ref: Option<Value>,
    /// How the issuer is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::backend_refs")]
    pub backend_refs: Vec<Value>,
    /// How connections to the issuer behave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::backend_settings")]
    pub backend_settings: Option<Value>,
}

fn cookie_config(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": { "sameSite": { "type": "string", "enum": ["Lax", "Strict", "None"] } },
    })
}

fn cookie_domain(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$",
    })
}

fn cookie_names(_: &mut SchemaGenerator) -> Schema {
    let name = json_schema!({ "type": "string" });
    json_schema!({ "type": "object", "properties": { "accessToken": name, "idToken": name } })
}

fn deny_redirect(generator: &mut SchemaGenerator) -> Schema {
    let header = json_schema!({
        "type": "object",
        "required": ["name", "value"],
        "properties": {
            "name": schema::nonempty(generator),
            "value": { "type": "string", "minLength": 1, "maxLength": 1024 },
            "type": {
                "type": "string",
                "enum": ["Exact", "Prefix", "Suffix", "RegularExpression"],
                "default": "Exact",
            },
        },
    });
    json_schema!({
        "type": "object",
        "required": ["headers"],
        "properties": { "headers": { "type": "array", "minItems": 1, "maxItems": 16, "items": header } },
    })
}

fn forward_id_token(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["header"],
        "properties": { "header": schema::nonempty(generator) },
    })
}
