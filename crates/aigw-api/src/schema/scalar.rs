//! Single values.

use aigw_config::SchemaName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

fn text(min: u32, max: u32, pattern: &str) -> Schema {
    let mut schema = json_schema!({ "type": "string", "maxLength": max });
    if min > 0 {
        schema.insert("minLength".to_owned(), min.into());
    }
    if !pattern.is_empty() {
        schema.insert("pattern".to_owned(), pattern.into());
    }
    schema
}

/// The name of a namespace.
pub(crate) fn namespace(_: &mut SchemaGenerator) -> Schema {
    text(1, 63, &format!("^{LABEL}$"))
}

/// An API group; empty is the core group.
pub(crate) fn group(_: &mut SchemaGenerator) -> Schema {
    text(0, 253, &format!(r"^$|^{LABEL}(\.{LABEL})*$"))
}

/// A kind.
pub(crate) fn kind(_: &mut SchemaGenerator) -> Schema {
    text(1, 63, "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")
}

/// A kind or nothing.
pub(crate) fn kind_or_empty(_: &mut SchemaGenerator) -> Schema {
    text(0, 63, "^$|^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")
}

/// An object's name.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    text(1, 253, "")
}

/// The name of a listener, a rule or a port.
pub(crate) fn section_name(_: &mut SchemaGenerator) -> Schema {
    text(1, 253, &format!(r"^{LABEL}(\.{LABEL})*$"))
}

/// A host name, perhaps with `*.` before it.
pub(crate) fn hostname(_: &mut SchemaGenerator) -> Schema {
    text(1, 253, &format!(r"^(\*\.)?{LABEL}(\.{LABEL})*$"))
}

/// A duration of Gateway API (GEP-2257).
pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$" })
}

/// A header's name.
pub(crate) fn header_name(_: &mut SchemaGenerator) -> Schema {
    text(1, 256, r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$")
}

/// A header's value.
pub(crate) fn header_value(_: &mut SchemaGenerator) -> Schema {
    text(1, 4096, "")
}

/// A port.
pub(crate) fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int32", "minimum": 1, "maximum": 65535 })
}

/// Text that is not empty.
pub(crate) fn nonempty(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1 })
}

/// RFC 3339.
pub(crate) fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// A quantity of Kubernetes, such as `32Mi`.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    let number = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))";
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "anyOf": [{ "type": "integer" }, { "type": "string" }],
        "pattern": format!(r"^(\+|-)?{number}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{number}))?$"),
    })
}

/// A URI.
pub(crate) fn uri(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uri" })
}

/// A type of Kubernetes, without its descriptions and with what makes a quantity.
pub(crate) fn plain<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let quantity = quantity(generator);
    let mut schema = T::json_schema(generator);
    if let Some(members) = schema.as_object_mut() {
        strip(members, &quantity);
    }
    schema
}

fn strip(members: &mut serde_json::Map<String, Value>, quantity: &Schema) {
    if members.get("description").is_some_and(Value::is_string) {
        members.remove("description");
    }
    if members.contains_key("x-kubernetes-int-or-string") {
        members.extend(quantity.as_object().cloned().unwrap_or_default());
    }
    for value in members.values_mut() {
        if let Value::Object(inner) = value {
            strip(inner, quantity);
        }
    }
}

/// The API that an upstream speaks.
pub(crate) fn model_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = SchemaName::ALL.iter().map(|name| name.as_str()).collect();
    json_schema!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "enum": names, "description": "Which API." },
            "version": {
                "type": "string",
                "description": "Version of the API on hosts that have one: `api-version` of AzureOpenAI, `anthropic_version` of \
                                AWSAnthropic and GCPAnthropic.",
            },
            "prefix": {
                "type": "string",
                "description": "Path prefix of OpenAI and Anthropic; a leading slash is optional, and neither means `v1`.",
            },
        },
    })
}
