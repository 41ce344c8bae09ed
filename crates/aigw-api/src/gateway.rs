//! Gateway API's Gateway and references to it, <https://gateway-api.sigs.k8s.io/api-types/gateway/>.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meta::{Resource, SecretObjectReference};
use crate::schema;

/// Where clients connect.
pub type Gateway = Resource<GatewaySpec>;

/// What a Gateway wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySpec {
    /// Class.
    pub gateway_class_name: String,
    /// Listeners.
    pub listeners: Vec<GatewayListener>,
    /// Addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Value>,
    /// Labels, annotations and parameters of what is made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<Value>,
    /// TLS of all listeners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<GatewayTLS>,
}

/// TLS of all listeners of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayTLS {
    /// Towards clients: whether they must prove who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<Value>,
}

/// A listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayListener {
    /// Name, unique in the Gateway.
    pub name: String,
    /// Host name; absent means every name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Port.
    pub port: u16,
    /// `HTTP`, `HTTPS`, …
    pub protocol: String,
    /// TLS towards clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTLS>,
    /// Which routes may attach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_routes: Option<AllowedRoutes>,
}

/// TLS towards clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerTLS {
    /// `Terminate` or `Passthrough`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Secrets with `tls.crt` and `tls.key`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<SecretObjectReference>,
    /// Options of implementations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Value>,
}

/// Which routes may attach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    /// From which namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
    /// Of which kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Value>,
}

/// Namespaces that routes may be in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteNamespaces {
    /// `Same` (the default), `All`, `Selector` or `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Labels of namespaces, for `Selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Value>,
}

/// A route's reference to what it is attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("required" = ["name"]))]
pub struct ParentReference {
    /// Group; absent means Gateway API's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::group", extend("default" = "gateway.networking.k8s.io"))]
    pub group: Option<String>,
    /// Kind; absent means `Gateway`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::kind", extend("default" = "Gateway"))]
    pub kind: Option<String>,
    /// Name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Namespace; absent means the route's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
    /// A listener by name; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::section_name")]
    pub section_name: Option<String>,
    /// Listeners by port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::port")]
    pub port: Option<u16>,
}
