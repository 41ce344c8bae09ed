//! One chunk of a stream, read without copying its texts; members that are not known are kept as values.
//!
//! <https://platform.openai.com/docs/api-reference/chat/streaming>

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A member that is a text, as it mostly is, or something else.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    /// Absent or null.
    #[default]
    None,
    /// A text.
    Text(Cow<'a, str>),
    /// Something else.
    Other(Box<Value>),
}

/// Members that are not known; mostly there are none.
pub(super) type Rest = Option<Box<Map<String, Value>>>;

impl<'a> Scalar<'a> {
    /// The text, when it is one and not empty.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The text for keeping, when it is one and not empty.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text.into_owned()),
            _ => None,
        }
    }
}

/// A chunk.
#[derive(Debug, Default)]
pub(super) struct Chunk<'a> {
    pub id: Scalar<'a>,
    pub model: Scalar<'a>,
    pub service_tier: Scalar<'a>,
    pub system_fingerprint: Scalar<'a>,
    pub created: Scalar<'a>,
    pub choices: Option<Vec<Choice<'a>>>,
    pub usage: Option<Box<Value>>,
    pub error: Option<Box<Value>>,
    pub rest: Rest,
}

/// A choice of a chunk.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    pub index: u32,
    pub delta: Delta<'a>,
    pub finish_reason: Scalar<'a>,
    pub stop_reason: Scalar<'a>,
    pub logprobs: Option<Box<Value>>,
    pub rest: Rest,
}

/// What a choice grows by.
#[derive(Debug, Default)]
pub(super) struct Delta<'a> {
    pub content: Scalar<'a>,
    pub refusal: Scalar<'a>,
    pub reasoning_content: Scalar<'a>,
    pub reasoning: Scalar<'a>,
    pub thinking_blocks: Option<Vec<Value>>,
    pub tool_calls: Option<Vec<Call<'a>>>,
    pub function_call: Option<Function<'a>>,
    pub annotations: Option<Vec<Value>>,
    pub rest: Rest,
}

/// A piece of a tool call.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    pub index: Option<u32>,
    pub id: Scalar<'a>,
    pub kind: Scalar<'a>,
    pub function: Option<Function<'a>>,
    pub custom: Option<Function<'a>>,
    pub extra_content: Option<Box<Value>>,
    pub rest: Rest,
}

/// Name and arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Function<'a> {
    pub name: Scalar<'a>,
    pub arguments: Scalar<'a>,
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarReader)
    }
}

struct ScalarReader;

impl<'de> Visitor<'de> for ScalarReader {
    type Value = Scalar<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other(Box::new(value.into())))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other(Box::new(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other(Box::new(value.into())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other(Box::new(value.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<Scalar<'de>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(access)).map(|value| Scalar::Other(Box::new(value)))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Scalar<'de>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(access)).map(|value| Scalar::Other(Box::new(value)))
    }
}

/// An object that takes its members one by one.
trait Members<'de>: Default {
    /// Takes the value of a member.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, access: &mut A) -> Result<(), A::Error>;
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Members<'de>> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(Scalar::Text(name)) = access.next_key::<Scalar<'de>>()? {
            object.member(&name, &mut access)?;
        }
        Ok(object)
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }
}

fn object<'de, T: Members<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Reader(PhantomData))
}

/// Keeps an unknown member, unless it is null.
fn keep<'de, A: MapAccess<'de>>(rest: &mut Rest, name: &str, access: &mut A) -> Result<(), A::Error> {
    let value: Value = access.next_value()?;
    if !value.is_null() {
        rest.get_or_insert_default().insert(name.to_owned(), value);
    }
    Ok(())
}

/// A number that is an index; anything else is none.
fn index<'de, A: MapAccess<'de>>(access: &mut A) -> Result<Option<u32>, A::Error> {
    let value: Value = access.next_value()?;
    Ok(value.as_u64().and_then(|index| u32::try_from(index).ok()))
}

impl<'de> Members<'de> for Chunk<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, access: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = access.next_value()?,
            "model" => self.model = access.next_value()?,
            "service_tier" => self.service_tier = access.next_value()?,
            "system_fingerprint" => self.system_fingerprint = access.next_value()?,
            "created" => self.created = access.next_value()?,
            "choices" => self.choices = access.next_value()?,
            "usage" => self.usage = access.next_value()?,
            "error" => self.error = access.next_value()?,
            // The kind of object, and padding against guesses from the size of chunks.
            "object" | "obfuscation" => {
                access.next_value::<serde::de::IgnoredAny>()?;
            }
            name => keep(&mut self.rest, name, access)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Choice<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, access: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = index(access)?.unwrap_or(0),
            "delta" => self.delta = access.next_value()?,
            "finish_reason" => self.finish_reason = access.next_value()?,
            "stop_reason" => self.stop_reason = access.next_value()?,
            "logprobs" => self.logprobs = access.next_value()?,
            name => keep(&mut self.rest, name, access)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Delta<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, access: &mut A) -> Result<(), A::Error> {
        match name {
            "content" => self.content = access.next_value()?,
            "refusal" => self.refusal = access.next_value()?,
            "reasoning_content" => self.reasoning_content = access.next_value()?,
            "reasoning" => self.reasoning = access.next_value()?,
            "thinking_blocks" => self.thinking_blocks = access.next_value()?,
            "tool_calls" => self.tool_calls = access.next_value()?,
            "function_call" => self.function_call = access.next_value()?,
            "annotations" => self.annotations = access.next_value()?,
            "role" => {
                access.next_value::<serde::de::IgnoredAny>()?;
            }
            name => keep(&mut self.rest, name, access)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Call<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, access: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = index(access)?,
            "id" => self.id = access.next_value()?,
            "type" => self.kind = access.next_value()?,
            "function" => self.function = access.next_value()?,
            "custom" => self.custom = access.next_value()?,
            "extra_content" => self.extra_content = access.next_value()?,
            name => keep(&mut self.rest, name, access)?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Function<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, access: &mut A) -> Result<(), A::Error> {
        match name {
            "name" => self.name = access.next_value()?,
            "arguments" | "input" => self.arguments = access.next_value()?,
            _ => {
                access.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Chunk<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Choice<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Delta<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Call<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Function<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}
