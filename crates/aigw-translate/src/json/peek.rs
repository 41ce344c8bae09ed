//! Finds top-level members of a JSON object in its bytes: the text is checked as RFC 8259 asks, nothing is built.

use std::borrow::Cow;
use std::ops::Range;

use super::scan::Scanner;

/// Why members could not be found. Offsets count bytes from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeekError {
    /// The text is something else than an object; the caller must send one.
    #[error("expected a JSON object")]
    NotObject,
    /// The text ends too early; the caller must send all of it.
    #[error("JSON ends too early, at byte {offset}")]
    Unterminated {
        /// The length of the text.
        offset: usize,
    },
    /// A byte that cannot stand where it does; the caller must send valid JSON.
    #[error("invalid JSON at byte {offset}")]
    Unexpected {
        /// Where the byte is.
        offset: usize,
    },
    /// The text is not UTF-8; the caller must send UTF-8.
    #[error("invalid UTF-8 at byte {offset}")]
    Utf8 {
        /// Where the first wrong byte is.
        offset: usize,
    },
    /// More than 127 arrays and objects inside each other; the caller must nest less.
    #[error("JSON is nested too deeply at byte {offset}")]
    TooDeep {
        /// Where the first array or object too many is.
        offset: usize,
    },
    /// A member that decides what happens to the request occurs twice; the caller must send it once.
    #[error("member {name:?} occurs twice, again at byte {offset}")]
    Duplicate {
        /// The member, escapes resolved.
        name: String,
        /// Where its second name begins.
        offset: usize,
    },
}

/// Where a member stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The opening quote of the name.
    pub(super) start: usize,
    /// The value's first byte.
    pub(super) value: usize,
    /// Past the value's last byte.
    pub(super) end: usize,
    /// How many members stand before it.
    pub(super) ordinal: usize,
}

impl Member {
    /// The bytes of the value.
    pub fn span(&self) -> Range<usize> {
        self.value..self.end
    }

    /// The value as it is written. Empty when `bytes` is not the text that was peeked.
    pub fn raw<'a>(&self, bytes: &'a [u8]) -> &'a str {
        bytes
            .get(self.span())
            .and_then(|raw| std::str::from_utf8(raw).ok())
            .unwrap_or_default()
    }

    /// The value. `bytes` is the text that was peeked.
    pub fn value<'a>(&self, bytes: &'a [u8]) -> Value<'a> {
        let raw = self.raw(bytes);
        match raw.as_bytes().first() {
            Some(b'"') => unquote(raw).map_or(Value::Null, Value::String),
            Some(b'{') => Value::Object(raw),
            Some(b'[') => Value::Array(raw),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') | None => Value::Null,
            Some(_) => Value::Number(raw),
        }
    }

    /// The string, when the value is one.
    pub fn string<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        match self.value(bytes) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Looks for members of the value; `None` when the value is no object. Offsets count from the start of the whole text.
    pub fn peek<'n, const N: usize>(
        &self,
        bytes: &[u8],
        names: [&'n str; N],
    ) -> Result<Option<Peeked<'n, N>>, PeekError> {
        let raw = self.raw(bytes);
        if !raw.starts_with('{') {
            return Ok(None);
        }
        let mut members = [None; N];
        let frame = walk(raw, &names, &mut members).map_err(|error| error.shifted(self.value))?;
        let members = members.map(|member| member.map(|member| member.shifted(self.value)));
        Ok(Some(Peeked {
            names,
            members,
            frame: frame.shifted(self.value),
        }))
    }

    fn shifted(self, by: usize) -> Self {
        Self {
            start: self.start + by,
            value: self.value + by,
            end: self.end + by,
            ordinal: self.ordinal,
        }
    }
}

impl PeekError {
    fn shifted(self, by: usize) -> Self {
        match self {
            Self::Duplicate { name, offset } => Self::Duplicate {
                name,
                offset: offset + by,
            },
            // The text around was checked: only what was not looked at then can fail.
            other => other,
        }
    }
}

/// A member's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string, escapes resolved.
    String(Cow<'a, str>),
    /// A number as it is written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An array as it is written.
    Array(&'a str),
    /// An object as it is written.
    Object(&'a str),
}

/// Where an object keeps its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Past the last member, or past the opening brace when there is none.
    pub(super) end: usize,
    /// Members in all.
    pub(super) count: usize,
}

impl Frame {
    fn shifted(self, by: usize) -> Self {
        Self {
            end: self.end + by,
            count: self.count,
        }
    }
}

/// What was found: offsets only, so that it may be kept beside the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked<'n, const N: usize> {
    pub(super) names: [&'n str; N],
    pub(super) members: [Option<Member>; N],
    pub(super) frame: Frame,
}

impl<const N: usize> Peeked<'_, N> {
    /// A member by name; `None` when it is absent (or was not asked for).
    pub fn member(&self, name: &str) -> Option<Member> {
        let index = self.names.iter().position(|known| *known == name)?;
        self.members.get(index).copied().flatten()
    }

    /// A member's value by name. `bytes` is the text that was peeked.
    pub fn value<'a>(&self, bytes: &'a [u8], name: &str) -> Option<Value<'a>> {
        self.member(name).map(|member| member.value(bytes))
    }

    /// A member's string by name; `None` when it is absent or no string.
    pub fn string<'a>(&self, bytes: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
        self.member(name).and_then(|member| member.string(bytes))
    }

    /// True when the member is there and `true`.
    pub fn is_true(&self, bytes: &[u8], name: &str) -> bool {
        self.value(bytes, name) == Some(Value::Bool(true))
    }
}

/// Looks for top-level members of the object in `bytes`.
///
/// The whole text is walked and must be one valid JSON object in UTF-8, nested no deeper than serde_json allows. Names are
/// compared with their escapes resolved; a wanted member that occurs twice is refused. A wanted string must be text
/// (a lone surrogate is refused); elsewhere it is left to whoever reads the value.
pub fn peek<'n, const N: usize>(bytes: &[u8], names: [&'n str; N]) -> Result<Peeked<'n, N>, PeekError> {
    let text = text(bytes)?;
    let mut members = [None; N];
    let frame = walk(text, &names, &mut members)?;
    Ok(Peeked {
        names,
        members,
        frame,
    })
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, PeekError> {
    simdutf8::compat::from_utf8(bytes).map_err(|error| PeekError::Utf8 {
        offset: error.valid_up_to(),
    })
}

/// Walks the object and fills `found`, which is as long as `names`.
pub(super) fn walk(text: &str, names: &[&str], found: &mut [Option<Member>]) -> Result<Frame, PeekError> {
    let mut scanner = Scanner::new(text.as_bytes());
    match scanner.token() {
        b'{' => scanner.bump(),
        0 if scanner.at() == text.len() => return Err(scanner.unexpected()),
        _ => return Err(PeekError::NotObject),
    }
    let mut frame = Frame {
        end: scanner.at(),
        count: 0,
    };
    if scanner.token() == b'}' {
        scanner.bump();
    } else {
        while !member(text, &mut scanner, &mut frame, names, found)? {}
    }
    if scanner.token() != 0 || scanner.at() < text.len() {
        return Err(scanner.unexpected());
    }
    Ok(frame)
}

/// Walks one member and what follows it; true after the closing brace.
fn member(
    text: &str,
    scanner: &mut Scanner<'_>,
    frame: &mut Frame,
    names: &[&str],
    found: &mut [Option<Member>],
) -> Result<bool, PeekError> {
    let (start, end, escaped) = scanner.name()?;
    let name = text.get(start..end).unwrap_or_default();
    let index = if escaped {
        // A name that is no text (a lone surrogate) is none of ours.
        let quoted = text.get(start - 1..=end).unwrap_or_default();
        unquote(quoted).and_then(|name| names.iter().position(|wanted| *wanted == name))
    } else {
        names.iter().position(|wanted| *wanted == name)
    };
    scanner.token();
    let value = scanner.at();
    scanner.value(1)?;
    frame.end = scanner.at();
    if let Some((slot, name)) = index.and_then(|index| found.get_mut(index).zip(names.get(index))) {
        if slot.is_some() {
            return Err(PeekError::Duplicate {
                name: (*name).to_owned(),
                offset: start - 1,
            });
        }
        let raw = text.get(value..frame.end).unwrap_or_default();
        if raw.starts_with('"') && unquote(raw).is_none() {
            return Err(PeekError::Unexpected { offset: value });
        }
        *slot = Some(Member {
            start: start - 1,
            value,
            end: frame.end,
            ordinal: frame.count,
        });
    }
    frame.count += 1;
    scanner.next_or(b'}')
}

/// The text of a JSON string; `None` when it is no text.
pub(super) fn unquote(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.get(1..raw.len().checked_sub(1)?)?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}
