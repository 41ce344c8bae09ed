//! Envoy Gateway's ways to name servers, <https://gateway.envoyproxy.io/docs/api/extension_types/>.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::scalar;
use crate::aiservicebackend::port_of_services;

/// A Service or another server.
pub(crate) fn backend_object(generator: &mut SchemaGenerator) -> Schema {
    let default = |mut schema: Schema, value: &str| {
        schema.insert("default".to_owned(), value.into());
        schema
    };
    json_schema!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "group": default(scalar::group(generator), ""),
            "kind": default(scalar::kind(generator), "Service"),
            "name": scalar::object_name(generator),
            "namespace": scalar::namespace(generator),
            "port": scalar::port(generator),
        },
        "x-kubernetes-validations": [port_of_services()],
    })
}

/// Several of them.
pub(crate) fn backend_refs(generator: &mut SchemaGenerator) -> Schema {
    let mut items = backend_object(generator);
    if let Some(properties) = items.get_mut("properties").and_then(|one| one.as_object_mut()) {
        properties.insert("fallback".to_owned(), serde_json::json!({ "type": "boolean" }));
        properties.insert(
            "weight".to_owned(),
            serde_json::json!({
                "type": "integer", "format": "int32", "minimum": 0, "maximum": 1_000_000, "default": 1,
            }),
        );
    }
    json_schema!({ "type": "array", "maxItems": 16, "items": items })
}

/// A proxy between the gateway and the upstreams, `host:port`.
pub(crate) fn forward_proxy(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["address"],
        "properties": { "address": scalar::nonempty(generator) },
    })
}
