//! Edits of what goes upstream.

use serde::{Deserialize, Serialize};

/// Header edits of the upstream request: removes first, then sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeaderMutation {
    /// Headers to set, replacing what is there.
    pub set: Vec<HeaderSet>,
    /// Names to remove.
    pub remove: Vec<String>,
}

impl HeaderMutation {
    /// True when it edits nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

/// One header to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeaderSet {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// Edits of top-level members of the upstream request's JSON body: removes first, then sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BodyMutation {
    /// Members to set.
    pub set: Vec<BodySet>,
    /// Members to remove.
    pub remove: Vec<String>,
}

impl BodyMutation {
    /// True when it edits nothing.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

/// One member to set. `value` is JSON text; text that is not JSON is set as a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BodySet {
    /// Name of the top-level member.
    pub path: String,
    /// JSON text.
    pub value: String,
}
