//! Loss accounting: which members of the source could not be said in the target.

use super::Extra;
use super::extra::DialectId;

/// Where a node of the representation stood in its source, cheap to copy and rendered as a JSON pointer only when needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    outer: Option<(&'static str, u32)>,
    inner: Option<(&'static str, u32)>,
}

impl Place {
    /// The top of the document.
    pub const ROOT: Self = Self {
        outer: None,
        inner: None,
    };

    /// An element of a top-level list, such as `/messages/3`.
    pub fn item(list: &'static str, index: usize) -> Self {
        Self {
            outer: Some((list, clamp(index))),
            inner: None,
        }
    }

    /// An element of a list inside this element, such as `/messages/3/content/1`.
    pub fn child(self, list: &'static str, index: usize) -> Self {
        Self {
            outer: self.outer,
            inner: Some((list, clamp(index))),
        }
    }

    /// A member of this element that holds one piece alone, such as `/messages/3/reasoning_content`.
    pub const fn member(self, name: &'static str) -> Self {
        Self {
            outer: self.outer,
            inner: Some((name, NO_INDEX)),
        }
    }

    /// Name of the innermost list or member, such as `content`.
    pub fn innermost(self) -> Option<&'static str> {
        self.inner.or(self.outer).map(|(name, _)| name)
    }

    /// The JSON pointer (RFC 6901) of the place, `""` for the root.
    pub fn pointer(self) -> String {
        let mut out = String::new();
        for (list, index) in [self.outer, self.inner].into_iter().flatten() {
            out.push('/');
            out.push_str(list);
            if index != NO_INDEX {
                out.push('/');
                out.push_str(&index.to_string());
            }
        }
        out
    }
}

/// Stands for the index of a member that is no list.
const NO_INDEX: u32 = u32::MAX;

fn clamp(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NO_INDEX)
}

/// JSON pointers, into the source document, of what an encoder had to leave out or weaken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<String>);

impl Losses {
    /// Longest value of `x-aigw-dropped`, bytes.
    pub const HEADER_LIMIT: usize = 4096;

    /// Reports `member` (escaped here) of the object at `place`; an empty member reports the object itself.
    pub fn report(&mut self, place: Place, member: &str) {
        let mut pointer = place.pointer();
        if !member.is_empty() {
            pointer.push('/');
            pointer.push_str(&member.replace('~', "~0").replace('/', "~1"));
        }
        self.report_pointer(pointer);
    }

    /// Reports a ready-made pointer, once.
    pub fn report_pointer(&mut self, pointer: String) {
        if !self.0.contains(&pointer) {
            self.0.push(pointer);
        }
    }

    /// Reports every member of `extra` that `target` cannot write.
    pub fn report_extra(&mut self, place: Place, extra: &Extra, target: DialectId) {
        for name in extra.foreign(target) {
            self.report(place, name);
        }
    }

    /// True when nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pointers in the order they were reported.
    pub fn pointers(&self) -> &[String] {
        &self.0
    }

    /// The value of `x-aigw-dropped`: pointers separated by `, `, cut to whole pointers and ended with `, +N` (how many more) when
    /// they are longer than the limit. Bytes that a header cannot carry are percent-encoded.
    pub fn header(&self) -> String {
        let mut out = String::new();
        for (index, pointer) in self.0.iter().enumerate() {
            let text = header_safe(pointer);
            if out.len() + text.len() + 16 > Self::HEADER_LIMIT {
                out.push_str(&format!(", +{}", self.0.len() - index));
                break;
            }
            if index > 0 {
                out.push_str(", ");
            }
            out.push_str(&text);
        }
        out
    }
}

fn header_safe(pointer: &str) -> String {
    let mut out = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if byte.is_ascii_graphic() && byte != b',' && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_escaped_and_said_once() {
        let mut losses = Losses::default();
        let place = Place::item("messages", 3).child("content", 1);
        losses.report(place, "a/b~c");
        losses.report(place, "a/b~c");
        losses.report(Place::ROOT, "top k");
        assert_eq!(losses.pointers(), ["/messages/3/content/1/a~1b~0c", "/top k"]);
        assert_eq!(losses.header(), "/messages/3/content/1/a~1b~0c, /top%20k");
        let member = Place::item("messages", 3).member("reasoning_content");
        assert_eq!(member.pointer(), "/messages/3/reasoning_content");
    }

    #[test]
    fn the_header_is_bounded() {
        let mut losses = Losses::default();
        for index in 0..10_000 {
            losses.report(Place::item("messages", index), "cache_control");
        }
        let header = losses.header();
        assert!(header.len() <= Losses::HEADER_LIMIT);
        assert!(
            header
                .rsplit(", +")
                .next()
                .is_some_and(|n| n.parse::<u32>().is_ok()),
            "{header}"
        );
    }
}
