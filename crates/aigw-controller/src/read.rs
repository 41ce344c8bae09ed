//! From what the API server sends to what is held of it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use aigw_api::Metadata;
use aigw_config::Origin;
use aigw_plan::{Kind, Object, Unreadable};
use kube::api::{DynamicObject, ObjectMeta};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
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
    Held {
        uid: metadata.uid.unwrap_or_default(),
        version: metadata.resource_version.unwrap_or_default(),
        object: Some(object_of(watched.kind, &Value::Object(members))),
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

/// The object as the plan reads it.
pub(crate) fn object_of(kind: &'static str, value: &Value) -> Object {
    let (read, unread): Read = match kind {
        "AIGatewayRoute" => typed(value, Kind::AIGatewayRoute),
        "AIServiceBackend" => typed(value, Kind::AIServiceBackend),
        "BackendSecurityPolicy" => typed(value, Kind::BackendSecurityPolicy),
        "GatewayConfig" => typed(value, Kind::GatewayConfig),
        "GatewayClass" => typed(value, Kind::GatewayClass),
        "Gateway" => typed(value, Kind::Gateway),
        "BackendTLSPolicy" => typed(value, Kind::BackendTLSPolicy),
        "ReferenceGrant" => typed(value, Kind::ReferenceGrant),
        "Backend" => typed(value, Kind::Backend),
        "BackendTrafficPolicy" => typed(value, Kind::BackendTrafficPolicy),
        "ClientTrafficPolicy" => typed(value, Kind::ClientTrafficPolicy),
        "SecurityPolicy" => typed(value, Kind::SecurityPolicy),
        "EnvoyProxy" => typed(value, Kind::EnvoyProxy),
        "QuotaPolicy" => typed(value, Kind::QuotaPolicy),
        "MCPRoute" => typed(value, Kind::MCPRoute),
        "Namespace" => plain(value, Kind::Namespace),
        "Service" => plain(value, Kind::Service),
        "EndpointSlice" => plain(value, Kind::EndpointSlice),
        "Secret" => plain(value, Kind::Secret),
        "ConfigMap" => plain(value, Kind::ConfigMap),
        _ => (Err("the kind is not known".to_owned()), Vec::new()),
    };
    Object {
        kind: read.unwrap_or_else(|problem| unreadable(kind, value, problem)),
        origin: Origin::default(),
        unread,
    }
}

/// The object or what is wrong with it, and what of it is not read.
type Read = (Result<Kind, String>, Vec<String>);

/// An object whose other members are nobody's mistake. No message shows what it holds: it may be a Secret.
fn plain<T: DeserializeOwned>(value: &Value, kind: impl FnOnce(T) -> Kind) -> Read {
    let read = T::deserialize(value).map(kind);
    (read.map_err(|_| "it cannot be read".to_owned()), Vec::new())
}

fn typed<T: DeserializeOwned + Serialize>(value: &Value, kind: impl FnOnce(T) -> Kind) -> Read {
    let object = match T::deserialize(value) {
        Ok(object) => object,
        Err(error) => return (Err(error.to_string()), Vec::new()),
    };
    let mut unread = Vec::new();
    if let (Some(written), Ok(read)) = (value.get("spec"), serde_json::to_value(&object)) {
        left_over(
            written,
            read.get("spec").unwrap_or(&Value::Null),
            "spec",
            &mut unread,
        );
    }
    (Ok(kind(object)), unread)
}

/// Members that were written and are not among what was read.
fn left_over(written: &Value, read: &Value, path: &str, unread: &mut Vec<String>) {
    match (written, read) {
        (Value::Object(written), read) => {
            for (name, value) in written {
                let path = format!("{path}.{name}");
                match read.get(name) {
                    Some(read) => left_over(value, read, &path, unread),
                    // What says nothing is not written again.
                    None if says_nothing(value) => {}
                    None => unread.push(path),
                }
            }
        }
        (Value::Array(written), Value::Array(read)) => {
            for (index, (value, read)) in written.iter().zip(read).enumerate() {
                left_over(value, read, &format!("{path}[{index}]"), unread);
            }
        }
        _ => {}
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(says_nothing),
        _ => false,
    }
}

/// What can be known of an object that cannot be read.
fn unreadable(kind: &'static str, value: &Value, problem: String) -> Kind {
    let metadata = value
        .get("metadata")
        .and_then(|one| Metadata::deserialize(one).ok())
        .unwrap_or_default();
    let targets = value.pointer("/spec/targetRefs").and_then(Value::as_array);
    Kind::Unreadable(Unreadable {
        kind,
        metadata,
        targets: targets
            .into_iter()
            .flatten()
            .filter_map(|one| one.get("name")?.as_str().map(str::to_owned))
            .collect(),
        message: Some(problem),
    })
}
