//! Writes JSON objects and arrays straight into bytes, without a tree in between.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::ir::{DialectId, Extra};

/// Appends a value; what can be serialised to JSON here cannot fail.
pub(super) fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// An object being written. Every member is written once, by whoever knows it.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub(super) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes a member's name; the caller appends its value.
    pub(super) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        value(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// Writes a member.
    pub(super) fn member<T: Serialize + ?Sized>(&mut self, name: &str, content: &T) {
        value(self.key(name), content);
    }

    /// Writes a member when there is something.
    pub(super) fn optional<T: Serialize>(&mut self, name: &str, content: Option<&T>) {
        if let Some(content) = content {
            self.member(name, content);
        }
    }

    /// Writes members as they are.
    pub(super) fn members(&mut self, members: &Map<String, Value>) {
        for (name, content) in members {
            self.member(name, content);
        }
    }

    /// Writes what this dialect's source said besides, but for objects that are merged elsewhere.
    pub(super) fn extra(&mut self, extra: &Extra, merged: &[&str]) {
        for (name, content) in extra.of(DialectId::AnthropicMessages).into_iter().flatten() {
            if !(merged.contains(&name.as_str()) && content.is_object()) {
                self.member(name, content);
            }
        }
    }

    /// Writes what the source said inside the member `name` besides.
    pub(super) fn merge(&mut self, extra: &Extra, name: &str) {
        if let Some(members) = nested(extra, name) {
            self.members(members);
        }
    }

    /// Closes the object.
    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}

/// What the source said besides inside the member `name`.
pub(super) fn nested<'a>(extra: &'a Extra, name: &str) -> Option<&'a Map<String, Value>> {
    extra.find(DialectId::AnthropicMessages, name)?.as_object()
}

/// Writes a list, an element a call of `each`.
pub(super) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(b']');
}
