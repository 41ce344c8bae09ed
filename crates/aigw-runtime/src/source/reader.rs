//! Reads a tree into serde types: variables are replaced as values are read, errors carry their line and field, and members
//! that nobody asked for are noted.

use std::cell::RefCell;
use std::fmt;

use aigw_config::nearest;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use super::expand::{Environment, expand};
use super::node::{Node, Value};

/// Why a value could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReadError {
    /// 0 until the place is known.
    pub(super) line: u32,
    /// Path of the field inside the value that was read.
    pub(super) field: String,
    pub(super) message: String,
}

/// A member that nobody asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) line: u32,
    pub(super) field: String,
    /// A known name that is like it.
    pub(super) suggestion: Option<&'static str>,
}

/// Reads `node` as a `T`. The second part lists members that `T` does not know.
pub(super) fn read<T: DeserializeOwned>(
    node: &Node,
    environment: Environment<'_>,
) -> Result<(T, Vec<Unknown>), ReadError> {
    let context = Context {
        environment,
        unknown: RefCell::default(),
    };
    let path = Path::Root;
    let value = T::deserialize(Reader {
        node,
        path: &path,
        siblings: &[],
        context: &context,
    })?;
    Ok((value, context.unknown.into_inner()))
}

struct Context<'a> {
    environment: Environment<'a>,
    unknown: RefCell<Vec<Unknown>>,
}

/// Where the reader is.
enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(Path::Root, name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.field, self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            line: 0,
            field: String::new(),
            message: message.to_string(),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is missing"))
    }
}

struct Reader<'a> {
    node: &'a Node,
    path: &'a Path<'a>,
    /// The members that the type around this value knows, as far as that is known.
    siblings: &'static [&'static str],
    context: &'a Context<'a>,
}

impl<'a> Reader<'a> {
    /// The error with this reader's place, unless a place further in is known.
    fn place<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|error| {
            if error.line > 0 {
                return error;
            }
            ReadError {
                line: self.node.line,
                field: self.path.to_string(),
                message: error.message,
            }
        })
    }

    /// The text of a scalar, its variables replaced; `None` for lists, maps and nulls.
    fn scalar(&self) -> Result<Option<String>, ReadError> {
        match &self.node.value {
            Value::Text(text) => {
                let expanded = expand(text, self.context.environment).map_err(de::Error::custom);
                self.place(expanded).map(|text| Some(text.into_owned()))
            }
            Value::Bool(_, raw) | Value::Unsigned(_, raw) | Value::Signed(_, raw) | Value::Float(_, raw) => {
                Ok(Some(raw.clone()))
            }
            Value::Null | Value::List(_) | Value::Map(_) => Ok(None),
        }
    }

    /// A scalar that became something other than text by having its variables replaced, such as `maxConcurrent: ${N}`.
    fn replaced<T: std::str::FromStr>(&self) -> Option<T> {
        match &self.node.value {
            Value::Text(text) if text.contains("${") => self.scalar().ok().flatten()?.trim().parse().ok(),
            _ => None,
        }
    }

    fn members(&self, fields: &'static [&'static str]) -> Option<Members<'a>> {
        match &self.node.value {
            Value::Map(members) => Some(Members {
                rest: members.iter(),
                value: None,
                fields,
                path: self.path,
                context: self.context,
            }),
            _ => None,
        }
    }
}

macro_rules! number {
    ($method:ident, $visit:ident, $kind:ty) => {
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            match self.replaced::<$kind>() {
                Some(value) => self.place(visitor.$visit(value)),
                None => self.deserialize_any(visitor),
            }
        }
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value, _) => visitor.visit_bool(*value),
            Value::Unsigned(value, _) => visitor.visit_u64(*value),
            Value::Signed(value, _) => visitor.visit_i64(*value),
            Value::Float(value, _) => visitor.visit_f64(*value),
            Value::Text(_) => visitor.visit_str(&self.scalar()?.unwrap_or_default()),
            Value::List(items) => visitor.visit_seq(Items {
                rest: items.iter().enumerate(),
                path: self.path,
                context: self.context,
            }),
            Value::Map(_) => match self.members(&[]) {
                Some(members) => visitor.visit_map(members),
                None => visitor.visit_unit(),
            },
        };
        self.place(result)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.scalar()? {
            Some(text) => self.place(visitor.visit_string(text)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    number!(deserialize_bool, visit_bool, bool);
    number!(deserialize_u8, visit_u8, u8);
    number!(deserialize_u16, visit_u16, u16);
    number!(deserialize_u32, visit_u32, u32);
    number!(deserialize_u64, visit_u64, u64);
    number!(deserialize_i8, visit_i8, i8);
    number!(deserialize_i16, visit_i16, i16);
    number!(deserialize_i32, visit_i32, i32);
    number!(deserialize_i64, visit_i64, i64);
    number!(deserialize_f32, visit_f32, f32);
    number!(deserialize_f64, visit_f64, f64);

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.members(fields) {
            Some(members) => self.place(visitor.visit_map(members)),
            // Not by `visit_seq`: a list of values in the order of the type's fields is nothing that people write.
            None => self.place(Err(de::Error::custom(
                "members are expected here, such as `name: …`",
            ))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let result = match self.scalar()? {
            Some(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            None => Err(de::Error::custom("a text is expected")),
        };
        self.place(result)
    }

    /// The one call that says that a value is not wanted.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let suggestion = match self.path {
            Path::Member(_, key) => nearest(key, self.siblings.iter().copied()),
            _ => None,
        };
        self.context.unknown.borrow_mut().push(Unknown {
            line: self.node.line,
            field: self.path.to_string(),
            suggestion,
        });
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

struct Items<'a> {
    rest: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
    path: &'a Path<'a>,
    context: &'a Context<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((index, node)) = self.rest.next() else {
            return Ok(None);
        };
        let path = Path::Item(self.path, index);
        let reader = Reader {
            node,
            path: &path,
            siblings: &[],
            context: self.context,
        };
        seed.deserialize(reader).map(Some)
    }
}

struct Members<'a> {
    rest: std::slice::Iter<'a, (String, Node)>,
    value: Option<(&'a str, &'a Node)>,
    /// The names that the type knows; empty when that is not known.
    fields: &'static [&'static str],
    path: &'a Path<'a>,
    context: &'a Context<'a>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = ReadError;

    /// A member without a value is as good as none.
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, node)) = self.rest.find(|(_, node)| node.value != Value::Null) else {
            return Ok(None);
        };
        self.value = Some((key, node));
        let key: StrDeserializer<'_, ReadError> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        let (key, node) = self
            .value
            .take()
            .ok_or_else(|| de::Error::custom("a key comes first"))?;
        let path = Path::Member(self.path, key);
        let reader = Reader {
            node,
            path: &path,
            siblings: self.fields,
            context: self.context,
        };
        seed.deserialize(reader)
    }
}

#[cfg(test)]
mod tests;
