//! Credentials for backends, and keys of clients.

use serde::{Deserialize, Serialize};

use super::routes::ModelMatch;
use crate::diagnostic::Origin;
use crate::form::CredentialForm;

/// A named credential and where its bytes come from: `{name, value | env | file}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CredentialForm", into = "CredentialForm")]
pub struct CredentialSpec {
    /// Unique name.
    pub name: String,
    /// Where the bytes come from.
    pub source: SecretSource,
    /// Where it was written.
    pub origin: Origin,
}

/// Where secret bytes come from: text, or `{value}`, `{env}` or `{file}`. Shown, inline text is redacted.
#[derive(Clone, PartialEq)]
pub enum SecretSource {
    /// The text itself, after `${VAR}` was replaced.
    Text(String),
    /// The text itself as a member.
    Value {
        /// The text.
        value: String,
    },
    /// An environment variable.
    Env {
        /// Its name.
        env: String,
    },
    /// A file; read again when it changes.
    File {
        /// Its path.
        file: String,
    },
}

impl SecretSource {
    /// Stands for text that was taken out of the document.
    pub fn taken() -> Self {
        Self::Text("[redacted]".to_owned())
    }
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) | Self::Value { .. } => f.write_str("SecretSource(inline)"),
            Self::Env { env } => write!(f, "SecretSource(env {env})"),
            Self::File { file } => write!(f, "SecretSource(file {file})"),
        }
    }
}

/// A key that a client may present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientKeySpec {
    /// Who it belongs to; appears in the access log.
    pub name: String,
    /// The key.
    pub key: SecretSource,
    /// Models it may ask for; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelMatch>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}

impl ClientKeySpec {
    /// Id of the credential that its bytes travel under.
    pub fn credential_id(&self) -> String {
        format!("client/{}", self.name)
    }
}
