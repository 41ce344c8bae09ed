//! Providers and servers that requests may go to.

use serde::{Deserialize, Serialize};

use super::credentials::SecretSource;
use super::limits::TimeoutsSpec;
use super::mutations::{BodyMutation, HeaderMutation};
use crate::diagnostic::Origin;
use crate::form::AuthForm;
use crate::schema::Schema;

/// Addresses behind a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointsSpec {
    /// `host:port` as in backends' URLs.
    pub name: String,
    /// `ip:port`, `name:port` or `unix:/path`. None means that nobody is there.
    pub addresses: Vec<String>,
    /// Whether each goes by its own name (`host` header, TLS, forward proxy) in place of the URL's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_names: bool,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

/// A provider or server that requests may go to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendSpec {
    /// Unique name.
    pub name: String,
    /// A named provider (`aigw providers` lists them): supplies `schema`, `url` and where the key goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The API it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// Base URL: `http` or `https`, host and port, and optionally a path that becomes the schema's prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How requests are authenticated. Default: the provider's way when a key is given, else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Short for a credential of this backend alone, placed in the provider's way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretSource>,
    /// TLS to the upstream, when `url` is `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<UpstreamTls>,
    /// Header edits of requests to it.
    #[serde(skip_serializing_if = "HeaderMutation::is_empty")]
    pub header_mutation: HeaderMutation,
    /// Body edits of requests to it.
    #[serde(skip_serializing_if = "BodyMutation::is_empty")]
    pub body_mutation: BodyMutation,
    /// Timeouts that differ from the limits'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<TimeoutsSpec>,
    /// Requests in flight to it at most; more are answered 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

impl BackendSpec {
    /// Id of the credential that the bytes of `apiKey` travel under.
    pub fn credential_id(&self) -> String {
        format!("backend/{}", self.name)
    }
}

/// How requests to a backend are authenticated. Without a `credential` the backend's own `apiKey` is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AuthForm", into = "AuthForm")]
pub enum Auth {
    /// No credential.
    None,
    /// The client's own credentials and cookies go upstream.
    Passthrough,
    /// The credential, where the provider or schema wants it.
    ApiKey {
        /// Name of the credential.
        credential: Option<String>,
    },
    /// `authorization: Bearer <credential>`.
    Bearer {
        /// Name of the credential.
        credential: Option<String>,
    },
    /// The credential alone in a header.
    Header {
        /// Header name.
        name: String,
        /// Name of the credential.
        credential: Option<String>,
    },
}

impl Auth {
    /// The credential it names.
    pub fn credential(&self) -> Option<&str> {
        match self {
            Self::None | Self::Passthrough => None,
            Self::ApiKey { credential } | Self::Bearer { credential } | Self::Header { credential, .. } => {
                credential.as_deref()
            }
        }
    }
}

/// TLS to an upstream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpstreamTls {
    /// Path of a PEM file of authorities to trust in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// PEM text of authorities to trust in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Name to verify and to send as SNI, in place of the URL's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}
