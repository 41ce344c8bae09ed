//! A YAML document as a tree in which every value knows its line. Scalars keep their text, so that a reader decides what a
//! number or a word is meant to be.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Spanned};

/// A value and its place. Lines and columns are 1-based.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool, String),
    /// An integer or a fraction, with its text.
    Unsigned(u64, String),
    Signed(i64, String),
    Float(f64, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The member of a map.
    pub(super) fn member(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(members) => members.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The text of a scalar that is written as text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; a missing value (`routes:` with nothing behind it) is an empty one.
    pub(super) fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Null => Some(&[]),
            _ => None,
        }
    }
}

/// Why a text is not YAML.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) message: String,
}

/// The documents of a stream, empty ones left out.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        with_snippet: false,
        duplicate_keys: serde_yaml::DuplicateKeyPolicy::Error,
    };
    let documents: Vec<Spanned<Raw>> =
        serde_yaml::from_multiple_with_options(text, options).map_err(|error| syntax_error(&error))?;
    Ok(documents.into_iter().map(|raw| finish(raw, text)).collect())
}

fn syntax_error(error: &serde_yaml::Error) -> SyntaxError {
    let place = error.location();
    let message = error.without_snippet().to_string();
    // The library ends its message with the place, which the finding says in its own way.
    let message = message.lines().next().unwrap_or_default();
    let message = message.split(" at line ").next().unwrap_or_default();
    SyntaxError {
        line: place.map_or(0, |p| narrow(p.line())),
        column: place.map_or(0, |p| narrow(p.column())),
        message: message.to_owned(),
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The tree as the library gives it: numbers without their text.
enum Raw {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(String, Spanned<Raw>)>),
}

fn finish(raw: Spanned<Raw>, source: &str) -> Node {
    let written = |fallback: String| -> String { written(raw.defined, source).unwrap_or(fallback) };
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value, written(value.to_string())),
        Raw::Unsigned(value) => Value::Unsigned(value, written(value.to_string())),
        Raw::Signed(value) => Value::Signed(value, written(value.to_string())),
        Raw::Float(value) => Value::Float(value, written(value.to_string())),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| finish(item, source)).collect()),
        Raw::Map(members) => Value::Map(
            members
                .into_iter()
                .map(|(key, value)| (key, finish(value, source)))
                .collect(),
        ),
    };
    Node {
        line: narrow(raw.referenced.line()),
        column: narrow(raw.referenced.column()),
        value,
    }
}

/// The scalar as it stands in the file, when its place is known in bytes.
fn written(place: Location, source: &str) -> Option<String> {
    let span = place.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    let text = source.get(start..start.checked_add(length)?)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Unsigned(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(u64::try_from(value).map_or(Raw::Signed(value), Raw::Unsigned))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element()? {
            out.push(item);
        }
        Ok(Raw::List(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Raw, A::Error> {
        let mut out = Vec::new();
        while let Some(member) = members.next_entry()? {
            out.push(member);
        }
        Ok(Raw::Map(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        let mut documents = parse(text).unwrap();
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    }

    #[test]
    fn every_value_knows_its_line() {
        let tree = one("# first\na: 1\nb:\n  - c: x\n    d: y\n  - e: z\n");
        assert_eq!(tree.line, 2);
        let items = tree.member("b").unwrap().items().unwrap();
        assert_eq!((items[0].line, items[1].line), (4, 6));
        assert_eq!(
            items[0].member("d").map(|node| (node.line, node.column)),
            Some((5, 8))
        );
    }

    #[test]
    fn scalars_keep_their_text() {
        let tree =
            one("a: 1.10\nb: 007\nc: \"5\"\nd: yes\ne: true\nf: ~\ng: -3\nh: 2024-10-21\ni: 1e3\nj: 0x10\n");
        let value = |name: &str| tree.member(name).unwrap().value.clone();
        assert_eq!(value("a"), Value::Float(1.1, "1.10".into()));
        assert_eq!(value("b"), Value::Float(7.0, "007".into()));
        assert_eq!(value("c"), Value::Text("5".into()));
        assert_eq!(value("d"), Value::Text("yes".into()));
        assert_eq!(value("e"), Value::Bool(true, "true".into()));
        assert_eq!(value("f"), Value::Null);
        assert_eq!(value("g"), Value::Signed(-3, "-3".into()));
        assert_eq!(value("h"), Value::Text("2024-10-21".into()));
        assert_eq!(value("i"), Value::Float(1000.0, "1e3".into()));
        assert_eq!(value("j"), Value::Unsigned(16, "0x10".into()));
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        let tree = one("base: &b {x: 1.50, y: 2}\nuse:\n  <<: *b\n  y: 3\nagain: *b\n");
        let merged = tree.member("use").unwrap();
        assert_eq!(merged.member("y").unwrap().value, Value::Unsigned(3, "3".into()));
        assert_eq!(
            merged.member("x").unwrap().value,
            Value::Float(1.5, "1.50".into())
        );
        let again = tree.member("again").unwrap().member("x").unwrap();
        assert_eq!(again.value, Value::Float(1.5, "1.50".into()));
    }

    #[test]
    fn streams_have_several_documents_and_empty_ones_do_not_count() {
        let documents = parse("---\n# nothing\n---\na: 1\n---\nb: 2\n...\n").unwrap();
        assert_eq!(documents.iter().map(|d| d.line).collect::<Vec<_>>(), [4, 6]);
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let rows = [
            ("a: [1, 2\nb: 3\n", 2),
            ("a: 1\na: 2\n", 2),
            ("a: b: c\n", 1),
            ("a:\n\t- x\n", 2),
        ];
        for (text, line) in rows {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error:?}");
            assert!(!error.message.is_empty() && error.column > 0, "{error:?}");
        }
    }
}
