//! The tool calls of one choice of a stream being read: which piece belongs to which call, and how far each has come.

use serde_json::{Map, Value};

use super::chunk::{Call as Wire, Rest, Scalar};
use super::schema::ID;
use crate::ir::{BlockKind, DialectId, Extra, Signature};

/// How far a call has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its block has not begun.
    #[default]
    Waiting,
    /// Its block is open.
    Open,
    /// Its block has ended.
    Ended,
}

/// A call.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub stage: Stage,
    /// Arguments that came while the call waits.
    pub waiting: String,
    /// All its arguments have come.
    pub arguments: Progress,
    index: Option<u32>,
    id: String,
    name: String,
    custom: bool,
    signature: Option<Signature>,
    extra: Extra,
}

impl Call {
    /// Its block can begin.
    pub(super) fn is_named(&self) -> bool {
        !self.name.is_empty()
    }

    /// Its block, with what stands beside it.
    pub(super) fn kind(&mut self) -> (BlockKind, Extra) {
        let kind = BlockKind::ToolCall {
            id: self.id.clone(),
            name: self.name.clone(),
            custom: self.custom,
            signature: self.signature.take(),
        };
        (kind, std::mem::take(&mut self.extra))
    }
}

/// All calls of a choice, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

impl Calls {
    /// True when there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A call by its position.
    pub(super) fn at(&mut self, position: usize) -> Option<&mut Call> {
        self.0.get_mut(position)
    }

    /// The first that waits.
    pub(super) fn first_waiting(&self) -> Option<usize> {
        self.0.iter().position(|call| call.stage == Stage::Waiting)
    }

    /// Takes a piece: the call it belongs to, by position, and the arguments it brings.
    pub(super) fn take(&mut self, piece: Wire<'_>, choice: u32) -> (usize, String) {
        let custom = piece.custom.is_some() || piece.kind.text() == Some("custom");
        let function = piece.function.or(piece.custom).unwrap_or_default();
        let name = function.name.into_text().unwrap_or_default();
        let arguments = match function.arguments {
            Scalar::Text(text) => text.into_owned(),
            Scalar::Other(value) if value.is_object() => value.to_string(),
            _ => String::new(),
        };
        let position = match self.find(piece.index, piece.id.text(), &name) {
            Some(position) => position,
            None => {
                let (signature, extra) = proof(piece.extra_content, piece.rest);
                let made = || format!("call_{choice}_{}", self.0.len());
                self.0.push(Call {
                    index: piece.index,
                    id: piece.id.into_text().unwrap_or_else(made),
                    custom,
                    signature,
                    extra,
                    ..Call::default()
                });
                self.0.len() - 1
            }
        };
        if let Some(call) = self.0.get_mut(position) {
            call.arguments.read(&arguments);
            if call.name.is_empty() {
                call.name = name;
            }
        }
        (position, arguments)
    }

    /// The call that a piece goes on with: that of its index, of its id, or the last. Some servers give no index, or the same for
    /// every call; there a new id, or a name after complete arguments, begins a new call.
    fn find(&self, index: Option<u32>, id: Option<&str>, name: &str) -> Option<usize> {
        let position = match (index, id) {
            (Some(_), _) => self.0.iter().rposition(|call| call.index == index)?,
            (None, Some(id)) => self.0.iter().rposition(|call| call.id == id)?,
            (None, None) => self.0.len().checked_sub(1)?,
        };
        let known = self.0.get(position)?;
        let begins = !name.is_empty()
            && match id {
                Some(id) => id != known.id,
                None => known.arguments.complete,
            };
        (!begins).then_some(position)
    }
}

/// How far the JSON object of a call's arguments has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The object is closed.
    pub complete: bool,
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl Progress {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.complete = self.depth == 0;
                }
                _ => {}
            }
        }
    }
}

/// Gemini's proof in `extra_content`, and what else stands beside a call.
fn proof(content: Option<Box<Value>>, rest: Rest) -> (Option<Signature>, Extra) {
    let mut rest = rest.map_or_else(Map::new, |rest| *rest);
    let mut signature = None;
    if let Some(mut content) = content {
        if let Some(Value::Object(google)) = content.get_mut("google")
            && let Some(Value::String(value)) = google.shift_remove("thought_signature")
        {
            signature = Some(Signature {
                dialect: DialectId::Gemini,
                value,
            });
        }
        let nothing = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        let empty = content
            .as_object()
            .is_some_and(|content| content.values().all(nothing));
        if !empty {
            rest.insert("extra_content".to_owned(), *content);
        }
    }
    (signature, Extra::new(ID, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(pieces: &[&str]) -> Vec<usize> {
        let mut calls = Calls::default();
        let take = |piece: &&str| calls.take(serde_json::from_str(piece).unwrap(), 0).0;
        pieces.iter().map(take).collect()
    }

    #[test]
    fn the_index_tells_the_call() {
        let pieces = [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#,
            r#"{"index":1,"id":"b","function":{"name":"f","arguments":"{"}}"#,
            r#"{"index":0,"function":{"arguments":"}"}}"#,
            r#"{"index":1,"function":{"arguments":"}"}}"#,
        ];
        assert_eq!(positions(&pieces), [0, 1, 0, 1]);
    }

    #[test]
    fn one_index_for_all_calls() {
        let pieces = [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
            r#"{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}"#,
            r#"{"index":0,"function":{"name":"f","arguments":"{}"}}"#,
        ];
        assert_eq!(positions(&pieces), [0, 1, 2]);
    }

    #[test]
    fn no_index_at_all() {
        let pieces = [
            r#"{"id":"a","function":{"name":"f","arguments":"{"}}"#,
            r#"{"function":{"arguments":"}"}}"#,
            r#"{"id":"b","function":{"name":"g","arguments":"{"}}"#,
            r#"{"id":"b","function":{"name":"g","arguments":"}"}}"#,
        ];
        assert_eq!(positions(&pieces), [0, 0, 1, 1]);
    }

    #[test]
    fn braces_in_texts_do_not_count() {
        let mut progress = Progress::default();
        for (text, complete) in [
            (r#"{"a":"}\""#, false),
            (r#"}","b":[1,{"#, false),
            ("}]", false),
            ("}", true),
        ] {
            progress.read(text);
            assert_eq!(progress.complete, complete, "{text}");
        }
    }
}
