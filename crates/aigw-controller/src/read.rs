//! From what the API server sends to what is held of it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use aigw_plan::{Object, read_as};
use kube::api::{DynamicObject, ObjectMeta};
use serde_json::{Map, Value};

use crate::kinds::{Content, Watched};

/// An object as it was last seen.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Uid.
    pub(crate) uid: String,
    /// Resource version.
    pub(crate) version: String,
    /// The object as the plan reads it; none where only metadata are watched.
    pub(crate) object: Option<Object>,
    /// Its status, where the operator writes that.
    pub(crate) status: Value,
    /// Hash of it.
    pub(crate) status_print: u64,
    /// Changes when something changes that the plan reads.
    pub(crate) print: u64,
}

/// What is held of an object of a kind that is watched as a whole.
pub(crate) fn read(watched: &Watched, object: DynamicObject) -> Held {
    let DynamicObject { metadata, data, .. } = object;
    let mut members = match data {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let status = match watched.content {
        Content::Wanted => members.remove("status").unwrap_or_default(),
        Content::Whole | Content::Named => Value::Null,
    };
    let shown = reduced(&metadata);
    let print = print_of(&shown, &members);
    members.insert("metadata".to_owned(), shown);
    let mut object = read_as(watched.kind, &Value::Object(members));
    if let (Some(object), Some(entries)) = (&mut object, status.get("ancestors").and_then(Value::as_array)) {
        object.ancestors.clone_from(entries);
    }
    Held {
        uid: metadata.uid.unwrap_or_default(),
        version: metadata.resource_version.unwrap_or_default(),
        object,
        status_print: print_of_value(&status),
        status,
        print,
    }
}

/// What is held of an object of which only metadata are watched.
pub(crate) fn read_metadata(metadata: ObjectMeta) -> Held {
    let version = metadata.resource_version.unwrap_or_default();
    let uid = metadata.uid.unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    (&uid, &version).hash(&mut hasher);
    Held {
        uid,
        version,
        object: None,
        status: Value::Null,
        status_print: 0,
        print: hasher.finish(),
    }
}

/// The metadata that a plan may look at. Changes of the rest are nobody's business.
fn reduced(metadata: &ObjectMeta) -> Value {
    let mut shown = serde_json::to_value(metadata).unwrap_or_default();
    if let Value::Object(members) = &mut shown {
        members.retain(|name, _| {
            matches!(
                name.as_str(),
                "name"
                    | "namespace"
                    | "uid"
                    | "generation"
                    | "labels"
                    | "annotations"
                    | "creationTimestamp"
                    | "deletionTimestamp"
                    | "ownerReferences"
            )
        });
        if let Some(Value::Object(annotations)) = members.get_mut("annotations") {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    shown
}

/// A hash of JSON text.
pub(crate) fn print_of_value(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

fn print_of(metadata: &Value, members: &Map<String, Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.to_string().hash(&mut hasher);
    for (name, member) in members {
        name.hash(&mut hasher);
        member.to_string().hash(&mut hasher);
    }
    hasher.finish()
}
