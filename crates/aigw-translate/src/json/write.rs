//! Writes JSON straight into bytes, without a tree in between.

use serde::Serialize;
use serde_json::{Map, Value};

/// Appends a value. What is written here (texts, numbers, JSON values) cannot fail to serialise.
pub(crate) fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// Appends a number.
pub(crate) fn number(out: &mut Vec<u8>, mut number: u64) {
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
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes a member's name; the caller appends the value.
    pub(crate) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        value(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// Writes a member.
    pub(crate) fn member<T: Serialize + ?Sized>(&mut self, name: &str, content: &T) {
        value(self.key(name), content);
    }

    /// Writes a member when there is something.
    pub(crate) fn optional<T: Serialize>(&mut self, name: &str, content: Option<&T>) {
        if let Some(content) = content {
            self.member(name, content);
        }
    }

    /// Writes a member that is an object.
    pub(crate) fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::open(self.key(name));
        write(&mut inner);
        inner.close();
    }

    /// Writes members as they are.
    pub(crate) fn members(&mut self, members: &Map<String, Value>) {
        for (name, content) in members {
            self.member(name, content);
        }
    }

    /// Closes the object.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }
}

/// A list being written.
pub(crate) struct List<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> List<'a> {
    /// Opens a list.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// The caller appends the next element.
    pub(crate) fn next(&mut self) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out
    }

    /// Closes the list.
    pub(crate) fn close(self) {
        self.out.push(b']');
    }
}

/// Writes a list, an element a call of `each`.
pub(crate) fn list<T>(
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
