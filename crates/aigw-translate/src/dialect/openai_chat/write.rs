//! Writes JSON straight into bytes, without a tree in between.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::ir::{DialectId, Extra};

/// Appends a value. What is written here (texts, numbers, JSON values) cannot fail to serialise.
pub(super) fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// Appends a number.
pub(super) fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    let (_, used) = digits.split_at(digits.len() - length);
    out.extend_from_slice(used);
}

/// An object being written.
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

    /// Writes a member's name; the caller appends the value.
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

    /// Writes a member that is an object.
    pub(super) fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::open(self.key(name));
        write(&mut inner);
        inner.close();
    }

    /// Writes members as they are.
    pub(super) fn members(&mut self, members: &Map<String, Value>) {
        for (name, content) in members {
            self.member(name, content);
        }
    }

    /// Writes what the source said besides, in this dialect; `merged` names members that are written elsewhere.
    pub(super) fn extra(&mut self, extra: &Extra, merged: &[&str]) {
        for (name, content) in extra.of(DialectId::OpenAiChat).into_iter().flatten() {
            if !merged.contains(&name.as_str()) {
                self.member(name, content);
            }
        }
    }

    /// Writes what the source said besides inside its member `name`.
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
    extra.find(DialectId::OpenAiChat, name)?.as_object()
}

/// A list being written.
pub(super) struct List<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> List<'a> {
    /// Opens a list.
    pub(super) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// The caller appends the next element.
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out
    }

    /// Closes the list.
    pub(super) fn close(self) {
        self.out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        for value in [0, 7, 10, 1_700_000_000, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }
}
