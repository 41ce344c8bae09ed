//! AIServiceBackend, <https://aigateway.envoyproxy.io/docs/api/>, with members of aigw's own: `provider`, `service`, `secretRef`.

use serde::{Deserialize, Serialize};

use crate::meta::Resource;

pub use aigw_config::{BodyMutation as HTTPBodyMutation, HeaderMutation as HTTPHeaderMutation, Schema};

/// A provider or server, and the API it speaks.
pub type AIServiceBackend = Resource<AIServiceBackendSpec>;

/// What an AIServiceBackend is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AIServiceBackendSpec {
    /// The API it speaks. Needed unless `provider` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// An Envoy Gateway Backend that says where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_ref: Option<BackendObjectReference>,
    /// A named provider, which supplies schema, place and key placement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// A Service of the cluster that says where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceReference>,
    /// A Secret with its key, in place of a BackendSecurityPolicy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
    /// Header edits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_mutation: Option<HTTPHeaderMutation>,
    /// Body edits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_mutation: Option<HTTPBodyMutation>,
    /// Timeouts of requests to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<BackendTimeouts>,
}

/// A reference to a Service or a Backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendObjectReference {
    /// Group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name.
    pub name: String,
    /// Namespace; absent means that of the object that refers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A Service of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceReference {
    /// Name.
    pub name: String,
    /// Namespace; absent means that of the AIServiceBackend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Port.
    pub port: u16,
}

/// A Secret and the key of its data that holds the credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKeyReference {
    /// Name.
    pub name: String,
    /// Namespace; absent means that of the AIServiceBackend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Key of the data (default `apiKey`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Timeouts of requests to a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendTimeouts {
    /// The whole request; `0s` means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}
