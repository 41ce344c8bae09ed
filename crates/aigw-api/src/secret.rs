//! Core Secrets and ConfigMaps, <https://kubernetes.io/docs/concepts/configuration/secret/>.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::meta::Metadata;

/// A Secret. Its `Debug` shows names of keys alone, and it is never serialised.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    /// Name and namespace.
    pub metadata: Metadata,
    /// Values in base64.
    pub data: BTreeMap<String, String>,
    /// Values as they are; they win over `data`.
    pub string_data: BTreeMap<String, String>,
    /// Kind of secret, such as `Opaque`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// May not be changed.
    pub immutable: Option<bool>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("metadata", &self.metadata.name)
            .field("data", &self.data.keys())
            .field("string_data", &self.string_data.keys())
            .finish_non_exhaustive()
    }
}

/// A ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMap {
    /// Name and namespace.
    pub metadata: Metadata,
    /// Values.
    pub data: BTreeMap<String, String>,
    /// Values in base64.
    pub binary_data: Option<Value>,
    /// May not be changed.
    pub immutable: Option<bool>,
}
