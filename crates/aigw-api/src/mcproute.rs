//! MCPRoute, <https://aigateway.envoyproxy.io/docs/api/>. It is admitted and its status says that it is not supported yet.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aigatewayroute::HTTPHeaderMatch;
use crate::aiservicebackend::{BackendObjectReference, port_of_services};
use crate::gateway::ParentReference;
use crate::mcpsecurity::MCPRouteSecurityPolicy;
use crate::meta::{Resource, SecretObjectReference};
use crate::schema::{self, rule};
use crate::status::Status;

/// Which MCP servers are served together.
pub type MCPRoute = Resource<MCPRouteSpec>;

/// What an MCPRoute wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "aigateway.envoyproxy.io",
    version = "v1beta1",
    kind = "MCPRoute",
    root = "MCPRouteDefinition",
    doc = "Which MCP servers are served together.",
    namespaced,
    status = "Status"
)]
pub struct MCPRouteSpec {
    /// Gateways that it is attached to.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-validations" = [rule("self.all(one, one.kind == 'Gateway')", "only Gateway is supported")])
    )]
    pub parent_refs: Vec<ParentReference>,
    /// Path that it is served at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), extend("default" = "/mcp"))]
    pub path: Option<String>,
    /// Conditions on headers, which must all hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::header_matches")]
    pub headers: Vec<HTTPHeaderMatch>,
    /// Host names that it serves; empty means those of the listeners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::hostnames")]
    pub hostnames: Vec<String>,
    /// The servers.
    #[schemars(
        length(min = 1, max = 256),
        extend("x-kubernetes-validations" = [rule(
            "self.all(one, self.exists_one(other, other.name == one.name))",
            "all backendRefs names must be unique",
        )])
    )]
    pub backend_refs: Vec<MCPBackendRef>,
    /// Who may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<MCPRouteSecurityPolicy>,
    /// Which of the servers a session has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_selector: Option<MCPBackendSelector>,
}

/// An MCP server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [port_of_services()]))]
pub struct MCPBackendRef {
    /// Where it is.
    #[serde(flatten)]
    pub reference: BackendObjectReference,
    /// Path that it serves at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), extend("default" = "/mcp"))]
    pub path: Option<String>,
    /// Which of its tools are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_selector: Option<MCPToolSelector>,
    /// How requests to it are authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<MCPBackendSecurityPolicy>,
    /// Headers of clients that are sent on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub forward_headers: Vec<MCPForwardHeader>,
}

/// Which tools are shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    rule("!(has(self.include) && has(self.includeRegex))", "include and includeRegex are mutually exclusive"),
    rule("!(has(self.exclude) && has(self.excludeRegex))", "exclude and excludeRegex are mutually exclusive"),
    rule(
        "has(self.include) || has(self.includeRegex) || has(self.exclude) || has(self.excludeRegex)",
        "at least one of include, includeRegex, exclude, or excludeRegex must be specified",
    ),
]))]
pub struct MCPToolSelector {
    /// Names of tools that are shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub include: Vec<String>,
    /// The same as expressions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub include_regex: Vec<String>,
    /// Names of tools that are not shown; they win.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub exclude: Vec<String>,
    /// The same as expressions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub exclude_regex: Vec<String>,
}

/// How requests to an MCP server are authenticated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MCPBackendSecurityPolicy {
    /// A key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<MCPBackendAPIKey>,
}

/// A key of an MCP server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.secretRef) != has(self.inline)", "exactly one of secretRef or inline must be set"),
    rule("!(has(self.header) && has(self.queryParam))", "only one of header or queryParam can be set"),
]))]
pub struct MCPBackendAPIKey {
    /// A Secret with the key under `apiKey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretObjectReference>,
    /// The key itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
    /// Header that carries it; absent means `authorization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::nonempty")]
    pub header: Option<String>,
    /// Query parameter that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::nonempty")]
    pub query_param: Option<String>,
}

/// A header of clients that is sent on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MCPForwardHeader {
    /// Its name.
    #[schemars(schema_with = "schema::nonempty")]
    pub name: String,
    /// Its name towards the server; absent means the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::nonempty")]
    pub backend_header: Option<String>,
}

/// Which of the servers a session has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MCPBackendSelector {
    /// Without a rule that matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::allow_or_deny", extend("default" = "Deny"))]
    pub default_action: Option<String>,
    /// The first that matches decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub rules: Vec<MCPBackendRule>,
}

/// A rule on servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MCPBackendRule {
    /// An expression on the request that opens the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub cel: Option<String>,
    /// What follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::allow_or_deny", extend("default" = "Allow"))]
    pub action: Option<String>,
}
