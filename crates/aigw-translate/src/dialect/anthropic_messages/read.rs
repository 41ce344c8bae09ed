//! Reads JSON into members that are taken out one by one, so that what nobody took is what the representation has no word for.
//!
//! A tool's `input` stays text: numbers keep their digits.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::ir::{DialectId, Extra};

/// The members of an object that were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Members(pub Map<String, Value>);

impl Members {
    /// Takes a member; null is absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text; a value of another type stays.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => self.keep(name, other),
        }
    }

    /// Takes a truth value; a value of another type stays.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            other => self.keep(name, other),
        }
    }

    /// Takes a number; a value of another type stays.
    pub(super) fn number(&mut self, name: &str) -> Option<Number> {
        match self.take(name)? {
            Value::Number(number) => Some(number),
            other => self.keep(name, other),
        }
    }

    /// Takes a count; a value of another type stays.
    pub(super) fn count(&mut self, name: &str) -> Option<u64> {
        let value = self.take(name)?;
        let whole = value.as_u64().or_else(|| whole(value.as_f64()?));
        match whole {
            Some(count) => Some(count),
            None => self.keep(name, value),
        }
    }

    /// Takes an object; a value of another type stays.
    pub(super) fn object(&mut self, name: &str) -> Option<Members> {
        match self.take(name)? {
            Value::Object(members) => Some(Members(members)),
            other => self.keep(name, other),
        }
    }

    /// Takes a list; a value of another type stays.
    pub(super) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take(name)? {
            Value::Array(list) => Some(list),
            other => self.keep(name, other),
        }
    }

    /// Puts back what is left of a nested object, so that it is merged into that object again.
    pub(super) fn put_back(&mut self, name: &str, rest: Members) {
        if !rest.0.is_empty() {
            self.0.insert(name.to_owned(), Value::Object(rest.0));
        }
    }

    /// What nobody took; null says nothing.
    pub(super) fn rest(mut self) -> Extra {
        self.0.retain(|_, value| !value.is_null());
        Extra::new(DialectId::AnthropicMessages, self.0)
    }

    fn keep<T>(&mut self, name: &str, value: Value) -> Option<T> {
        self.0.insert(name.to_owned(), value);
        None
    }
}

fn whole(number: f64) -> Option<u64> {
    // Exactly representable whole numbers below 2^53 only.
    (number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number)).then_some(number as u64)
}

/// A content block.
#[derive(Debug, Default)]
pub(super) struct BlockIn {
    /// Its members but for `input`.
    pub members: Members,
    /// The text of `input`.
    pub input: Option<Box<RawValue>>,
}

impl BlockIn {
    /// The whole block as a value.
    pub(super) fn into_value(mut self) -> Value {
        if let Some(input) = self.input {
            let input = serde_json::from_str(input.get()).unwrap_or(Value::Null);
            self.members.0.insert("input".to_owned(), input);
        }
        Value::Object(self.members.0)
    }
}

impl From<Map<String, Value>> for BlockIn {
    fn from(mut members: Map<String, Value>) -> Self {
        let input = members
            .shift_remove("input")
            .and_then(|input| serde_json::value::to_raw_value(&input).ok());
        Self {
            members: Members(members),
            input,
        }
    }
}

/// Content: a text, or blocks.
#[derive(Debug)]
pub(super) enum ContentIn {
    /// Short for one text block.
    Text(String),
    /// Blocks.
    Blocks(Vec<BlockIn>),
    /// Neither.
    Wrong,
}

/// A message, or an answer.
#[derive(Debug, Default)]
pub(super) struct MessageIn {
    /// Its members but for `content`.
    pub members: Members,
    /// Its content.
    pub content: Option<ContentIn>,
}

/// A request.
#[derive(Debug, Default)]
pub(super) struct RequestIn {
    /// Its members but for `messages`.
    pub members: Members,
    /// Its messages.
    pub messages: Option<Vec<MessageIn>>,
}

/// An object of which one member is read in a way of its own.
trait Node: Sized {
    /// How that member is read.
    type Special: for<'de> Deserialize<'de>;
    /// That member's name.
    const SPECIAL: &'static str;
    /// What the object is, for error messages.
    const WHAT: &'static str;

    fn new(members: Members, special: Option<Self::Special>) -> Self;
}

impl Node for BlockIn {
    type Special = Box<RawValue>;
    const SPECIAL: &'static str = "input";
    const WHAT: &'static str = "a content block";

    fn new(members: Members, input: Option<Box<RawValue>>) -> Self {
        Self { members, input }
    }
}

impl Node for MessageIn {
    type Special = ContentIn;
    const SPECIAL: &'static str = "content";
    const WHAT: &'static str = "a message";

    fn new(members: Members, content: Option<ContentIn>) -> Self {
        Self { members, content }
    }
}

impl Node for RequestIn {
    type Special = Vec<MessageIn>;
    const SPECIAL: &'static str = "messages";
    const WHAT: &'static str = "a request";

    fn new(members: Members, messages: Option<Vec<MessageIn>>) -> Self {
        Self { members, messages }
    }
}

struct NodeReader<N>(PhantomData<N>);

impl<'de, N: Node> Visitor<'de> for NodeReader<N> {
    type Value = N;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(N::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<N, A::Error> {
        let mut members = Map::new();
        let mut special = None;
        while let Some(name) = access.next_key::<String>()? {
            if name == N::SPECIAL {
                special = access.next_value()?;
            } else {
                members.insert(name, access.next_value()?);
            }
        }
        Ok(N::new(Members(members), special))
    }
}

impl<'de> Deserialize<'de> for BlockIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NodeReader(PhantomData))
    }
}

impl<'de> Deserialize<'de> for MessageIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NodeReader(PhantomData))
    }
}

impl<'de> Deserialize<'de> for RequestIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NodeReader(PhantomData))
    }
}

impl<'de> Deserialize<'de> for ContentIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ContentIn;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or a list of content blocks")
            }
            fn visit_str<E>(self, text: &str) -> Result<ContentIn, E> {
                Ok(ContentIn::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<ContentIn, E> {
                Ok(ContentIn::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<ContentIn, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = access.next_element()? {
                    blocks.push(block);
                }
                Ok(ContentIn::Blocks(blocks))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<ContentIn, A::Error> {
                while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(ContentIn::Wrong)
            }
            fn visit_bool<E>(self, _: bool) -> Result<ContentIn, E> {
                Ok(ContentIn::Wrong)
            }
            fn visit_i64<E>(self, _: i64) -> Result<ContentIn, E> {
                Ok(ContentIn::Wrong)
            }
            fn visit_u64<E>(self, _: u64) -> Result<ContentIn, E> {
                Ok(ContentIn::Wrong)
            }
            fn visit_f64<E>(self, _: f64) -> Result<ContentIn, E> {
                Ok(ContentIn::Wrong)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl From<Value> for ContentIn {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Array(items) => {
                let blocks = items.into_iter().map(|item| match item {
                    Value::Object(members) => Some(BlockIn::from(members)),
                    _ => None,
                });
                blocks
                    .collect::<Option<Vec<_>>>()
                    .map_or(Self::Wrong, Self::Blocks)
            }
            _ => Self::Wrong,
        }
    }
}
