//! What only this dialect writes: the members that a source of the same dialect said besides.

use serde_json::{Map, Value};

use crate::ir::{DialectId, Extra};
pub(super) use crate::json::write::{Object, list, value};

/// Writes what the IR carries along unread.
pub(super) trait WriteExtra {
    /// Writes what the source said besides; `merged` names members that are written elsewhere.
    fn extra(&mut self, extra: &Extra, merged: &[&str]);
    /// Writes what the source said besides inside its member `name`.
    fn merge(&mut self, extra: &Extra, name: &str);
}

impl WriteExtra for Object<'_> {
    fn extra(&mut self, extra: &Extra, merged: &[&str]) {
        for (name, content) in extra.of(DialectId::AnthropicMessages).into_iter().flatten() {
            if !(merged.contains(&name.as_str()) && content.is_object()) {
                self.member(name, content);
            }
        }
    }

    fn merge(&mut self, extra: &Extra, name: &str) {
        if let Some(members) = nested(extra, name) {
            self.members(members);
        }
    }
}

/// What the source said besides inside the member `name`.
pub(super) fn nested<'a>(extra: &'a Extra, name: &str) -> Option<&'a Map<String, Value>> {
    extra.find(DialectId::AnthropicMessages, name)?.as_object()
}
