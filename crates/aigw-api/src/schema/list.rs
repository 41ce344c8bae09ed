//! Lists, and objects that are made of them.

use aigw_config::CostType;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::scalar;
use crate::aigatewayroute::HTTPHeaderMatch;
use crate::status::Condition;

fn list_by(key: &str, max: u32, items: &Schema) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": max,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": [key],
        "items": items,
    })
}

/// Host names.
pub(crate) fn hostnames(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "maxItems": 16, "items": scalar::hostname(generator) })
}

/// Conditions on headers, each name once.
pub(crate) fn header_matches(generator: &mut SchemaGenerator) -> Schema {
    list_by("name", 16, &HTTPHeaderMatch::json_schema(generator))
}

/// Conditions of a status, each type once.
pub(crate) fn conditions_by_type(generator: &mut SchemaGenerator) -> Schema {
    list_by("type", 8, &Condition::json_schema(generator))
}

/// Objects of the policy's own namespace.
pub(crate) fn target_refs(generator: &mut SchemaGenerator) -> Schema {
    let items = json_schema!({
        "type": "object",
        "required": ["group", "kind", "name"],
        "properties": {
            "group": scalar::group(generator),
            "kind": scalar::kind(generator),
            "name": scalar::object_name(generator),
        },
    });
    json_schema!({ "type": "array", "maxItems": 16, "items": items })
}

/// Edits of headers.
pub(crate) fn header_mutation(generator: &mut SchemaGenerator) -> Schema {
    let items = json_schema!({
        "type": "object",
        "required": ["name", "value"],
        "properties": {
            "name": scalar::header_name(generator),
            "value": scalar::header_value(generator),
        },
    });
    mutation(
        list_by("name", 16, &items),
        "Headers to set, replacing what is there.",
        "Headers to remove.",
    )
}

/// Edits of top-level members of the body.
pub(crate) fn body_mutation(generator: &mut SchemaGenerator) -> Schema {
    let items = json_schema!({
        "type": "object",
        "required": ["path", "value"],
        "properties": {
            "path": scalar::nonempty(generator),
            "value": { "type": "string", "description": "JSON text." },
        },
    });
    mutation(
        list_by("path", 16, &items),
        "Top-level members to set.",
        "Top-level members to remove.",
    )
}

fn mutation(mut set: Schema, of_set: &str, of_remove: &str) -> Schema {
    set.insert("description".to_owned(), of_set.into());
    json_schema!({
        "type": "object",
        "properties": {
            "set": set,
            "remove": {
                "type": "array",
                "maxItems": 16,
                "x-kubernetes-list-type": "set",
                "items": { "type": "string" },
                "description": of_remove,
            },
        },
    })
}

/// Costs, at most 36; the last of a key counts.
pub(crate) fn costs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "maxItems": 36, "items": cost() })
}

/// Costs, each key once.
pub(crate) fn costs_by_key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["metadataKey"],
        "items": cost(),
    })
}

/// In the order in which messages name them.
const COSTS: [CostType; 7] = [
    CostType::OutputToken,
    CostType::InputToken,
    CostType::CachedInputToken,
    CostType::CacheCreationInputToken,
    CostType::TotalToken,
    CostType::ReasoningToken,
    CostType::Cel,
];

fn cost() -> Schema {
    json_schema!({
        "type": "object",
        "required": ["metadataKey", "type"],
        "properties": {
            "metadataKey": { "type": "string", "description": "The name it goes by." },
            "type": { "type": "string", "enum": COSTS.map(CostType::as_str), "description": "What is counted." },
            "cel": { "type": "string", "description": "The expression of `type: CEL`." },
        },
    })
}
