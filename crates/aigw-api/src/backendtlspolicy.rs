//! Gateway API's BackendTLSPolicy, <https://gateway-api.sigs.k8s.io/api-types/backendtlspolicy/>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meta::{Resource, TargetReference};

/// TLS to what it targets.
pub type BackendTLSPolicy = Resource<BackendTLSPolicySpec>;

/// What a BackendTLSPolicy wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTLSPolicySpec {
    /// Services and Backends.
    pub target_refs: Vec<TargetReference>,
    /// How the server is verified.
    pub validation: BackendTLSPolicyValidation,
    /// Options of implementations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Value>,
}

/// How a server is verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendTLSPolicyValidation {
    /// Server name to send and to verify.
    pub hostname: String,
    /// `System`.
    #[serde(rename = "wellKnownCACertificates", skip_serializing_if = "Option::is_none")]
    pub well_known_ca_certificates: Option<String>,
    /// Authorities to trust.
    #[serde(rename = "caCertificateRefs", skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<LocalObjectReference>,
    /// Other names that the certificate may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<Value>,
}

/// An object of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LocalObjectReference {
    /// Group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace, where the referring type allows one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
