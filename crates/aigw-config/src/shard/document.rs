//! A document as objects that can be told apart, and back. It knows nothing of the document's members but that lists hold
//! objects with names, so that no member added later is lost.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::ShardError;
use crate::document::Document;

/// Objects by the document's member that holds them and their name; a member that is no list of named objects is one object
/// without a name.
pub(super) type Objects = BTreeMap<(String, String), Box<RawValue>>;

/// The document's members in order: of each list the names in their order, of the others nothing.
pub(super) type Order = Map<String, Value>;

/// Takes a document apart.
pub(super) fn take_apart(document: &Document) -> Result<(Order, Objects), ShardError> {
    let said = serde_json::to_value(document).map_err(unsayable)?;
    let Value::Object(members) = said else {
        return Err(ShardError::Unsayable("it is no object".to_owned()));
    };
    let mut order = Order::new();
    let mut objects = Objects::new();
    for (section, member) in members {
        let Some(names) = names(&member) else {
            objects.insert((section.clone(), String::new()), raw(&member)?);
            order.insert(section, Value::Null);
            continue;
        };
        if let Value::Array(items) = &member {
            for (item, name) in items.iter().zip(&names) {
                let key = (section.clone(), name.clone());
                if objects.insert(key, raw(item)?).is_some() {
                    return Err(ShardError::Repeated {
                        section,
                        name: name.clone(),
                    });
                }
            }
        }
        order.insert(section, Value::from(names));
    }
    Ok((order, objects))
}

/// Puts it together; whatever `order` does not name is an error too.
pub(super) fn put_together(order: &Order, mut objects: Objects) -> Result<Document, String> {
    let mut members: BTreeMap<&str, Box<RawValue>> = BTreeMap::new();
    for (section, names) in order {
        let mut take = |name: &str| {
            objects
                .remove(&(section.clone(), name.to_owned()))
                .ok_or_else(|| format!("`{section}` lacks \"{name}\""))
        };
        let Value::Array(names) = names else {
            members.insert(section, take("")?);
            continue;
        };
        let items = names
            .iter()
            .map(|name| take(name.as_str().unwrap_or_default()))
            .collect::<Result<Vec<_>, _>>()?;
        let list = serde_json::value::to_raw_value(&items).map_err(|error| error.to_string())?;
        members.insert(section, list);
    }
    if let Some((section, name)) = objects.keys().next() {
        return Err(format!("`{section}` has \"{name}\", which nothing refers to"));
    }
    let text = serde_json::to_string(&members).map_err(|error| error.to_string())?;
    // The message of a parser may show what it read.
    serde_json::from_str(&text)
        .map_err(|error| format!("the document cannot be read (column {})", error.column()))
}

/// The names of a list's items; `None` when it is no list, or not all have one.
fn names(member: &Value) -> Option<Vec<String>> {
    let name = |item: &Value| item.get("name")?.as_str().map(str::to_owned);
    member.as_array()?.iter().map(name).collect()
}

fn raw(value: &Value) -> Result<Box<RawValue>, ShardError> {
    serde_json::value::to_raw_value(value).map_err(unsayable)
}

fn unsayable(error: serde_json::Error) -> ShardError {
    ShardError::Unsayable(error.to_string())
}
