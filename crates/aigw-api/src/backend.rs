//! Envoy Gateway's Backend, <https://gateway.envoyproxy.io/docs/api/extension_types/#backend>.

use serde::{Deserialize, Serialize};

use crate::backendtlspolicy::LocalObjectReference;
use crate::meta::Resource;

/// Where a server is.
pub type Backend = Resource<BackendSpec>;

/// What a Backend says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendSpec {
    /// `Endpoints` or `DynamicResolver`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Endpoints.
    pub endpoints: Vec<BackendEndpoint>,
    /// Protocols of the server, such as `gateway.envoyproxy.io/h2c`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_protocols: Vec<String>,
    /// Used only when others are down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
    /// TLS to the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTLSSettings>,
}

/// One endpoint, in one of three forms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendEndpoint {
    /// By name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<FQDNEndpoint>,
    /// By address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IPEndpoint>,
    /// By a Unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix: Option<UnixSocket>,
    /// Host name for the `host` header of health checks and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// A host name and port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FQDNEndpoint {
    /// Host name.
    pub hostname: String,
    /// Port.
    pub port: u16,
}

/// An address and port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IPEndpoint {
    /// IPv4 or IPv6 address.
    pub address: String,
    /// Port.
    pub port: u16,
}

/// A Unix socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnixSocket {
    /// Path.
    pub path: String,
}

/// TLS to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendTLSSettings {
    /// Authorities to trust.
    #[serde(rename = "caCertificateRefs", skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<LocalObjectReference>,
    /// `System`.
    #[serde(rename = "wellKnownCACertificates", skip_serializing_if = "Option::is_none")]
    pub well_known_ca_certificates: Option<String>,
    /// Trust everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
    /// Server name to send and to verify.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// A certificate to present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<crate::meta::SecretObjectReference>,
}
