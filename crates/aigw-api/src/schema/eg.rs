//! What Envoy Gateway's types that our kinds embed look like, <https://gateway.envoyproxy.io/docs/api/extension_types/>. The plan reads
//! none of them; they are here so that manifests are admitted, and refused, as they were.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::settings::backend_settings;
use super::{rule, scalar};
use crate::aiservicebackend::port_of_services;
use crate::meta::SecretObjectReference;

/// A Service or another server.
pub(crate) fn backend_object(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "group": defaulted(scalar::group(generator), ""),
            "kind": defaulted(scalar::kind(generator), "Service"),
            "name": scalar::object_name(generator),
            "namespace": scalar::namespace(generator),
            "port": scalar::port(generator),
        },
        "x-kubernetes-validations": [port_of_services()],
    })
}

fn defaulted(mut schema: Schema, value: &str) -> Schema {
    schema.insert("default".to_owned(), value.into());
    schema
}

/// Several of them.
pub(crate) fn backend_refs(generator: &mut SchemaGenerator) -> Schema {
    let mut items = backend_object(generator);
    let weight =
        json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 1_000_000, "default": 1 });
    if let Some(properties) = items.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("fallback".to_owned(), json!({ "type": "boolean" }));
        properties.insert("weight".to_owned(), weight);
    }
    json_schema!({ "type": "array", "maxItems": 16, "items": items })
}

/// What servers of tokens and keys cannot have.
pub(crate) fn rules_of_token_servers() -> [Value; 3] {
    [
        rule(
            "!has(self.backendRef)",
            "BackendRefs must be used, backendRef is not supported.",
        ),
        rule(
            "!(has(self.backendSettings) && has(self.backendSettings.retry) && \
             has(self.backendSettings.retry.perRetry) && has(self.backendSettings.retry.perRetry.timeout))",
            "Retry timeout is not supported.",
        ),
        rule(
            "!(has(self.backendSettings) && has(self.backendSettings.retry) && \
             has(self.backendSettings.retry.retryOn) && has(self.backendSettings.retry.retryOn.httpStatusCodes))",
            "HTTPStatusCodes is not supported.",
        ),
    ]
}

/// A proxy between the gateway and the upstreams, `host:port`.
pub(crate) fn forward_proxy(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["address"],
        "properties": { "address": scalar::nonempty(generator) },
    })
}

/// `Allow` or `Deny`.
pub(crate) fn allow_or_deny(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["Allow", "Deny"] })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

/// Keys of clients.
pub(crate) fn api_key_auth(generator: &mut SchemaGenerator) -> Schema {
    let secret = <SecretObjectReference as schemars::JsonSchema>::json_schema(generator);
    json_schema!({
        "type": "object",
        "required": ["credentialRefs", "extractFrom"],
        "properties": {
            "credentialRefs": { "type": "array", "items": secret },
            "extractFrom": { "type": "array", "items": {
                "type": "object",
                "properties": { "headers": texts(), "params": texts(), "cookies": texts() },
            } },
            "forwardClientIDHeader": { "type": "string" },
            "sanitize": { "type": "boolean" },
        },
    })
}

/// Keys of an issuer.
pub(crate) fn jwks(generator: &mut SchemaGenerator) -> Schema {
    let remote = json_schema!({
        "type": "object",
        "required": ["uri"],
        "properties": {
            "uri": { "type": "string", "minLength": 1, "maxLength": 253 },
            "cacheDuration": defaulted(scalar::duration(generator), "300s"),
            "backendRef": backend_object(generator),
            "backendRefs": backend_refs(generator),
            "backendSettings": backend_settings(generator),
        },
        "x-kubernetes-validations": rules_of_token_servers(),
    });
    let local = json_schema!({
        "type": "object",
        "properties": {
            "type": { "type": "string", "enum": ["Inline", "ValueRef"], "default": "Inline" },
            "inline": { "type": "string" },
            "valueRef": {
                "type": "object",
                "required": ["group", "kind", "name"],
                "properties": {
                    "group": scalar::group(generator),
                    "kind": scalar::kind(generator),
                    "name": scalar::object_name(generator),
                },
            },
        },
        "x-kubernetes-validations": [rule(
            "(self.type == 'Inline' && has(self.inline) && !has(self.valueRef)) || \
             (self.type == 'ValueRef' && !has(self.inline) && has(self.valueRef))",
            "Exactly one of inline or valueRef must be set with correct type.",
        )],
    });
    json_schema!({
        "type": "object",
        "properties": { "remoteJWKS": remote, "localJWKS": local },
        "x-kubernetes-validations": [
            rule("has(self.remoteJWKS) || has(self.localJWKS)", "either remoteJWKS or localJWKS must be specified."),
            rule("!(has(self.remoteJWKS) && has(self.localJWKS))", "remoteJWKS and localJWKS cannot both be specified."),
        ],
    })
}

/// A server that lets requests in.
pub(crate) fn ext_auth(generator: &mut SchemaGenerator) -> Schema {
    let mut http = auth_server(generator);
    if let Some(properties) = http.get_mut("properties").and_then(Value::as_object_mut) {
        for name in ["path", "pathOverride"] {
            properties.insert(name.to_owned(), json!({ "type": "string" }));
        }
        properties.insert("headersToBackend".to_owned(), texts());
    }
    if let Some(rules) = http
        .get_mut("x-kubernetes-validations")
        .and_then(Value::as_array_mut)
    {
        rules.push(rule(
            "!(has(self.path) && has(self.pathOverride))",
            "only one of path or pathOverride can be specified",
        ));
    }
    let statuses: Vec<u16> = [
        400..=417,
        421..=424,
        426..=426,
        428..=429,
        431..=431,
        500..=508,
        510..=511,
    ]
    .into_iter()
    .flatten()
    .collect();
    json_schema!({
        "type": "object",
        "properties": {
            "bodyToExtAuth": {
                "type": "object",
                "required": ["maxRequestBytes"],
                "properties": { "maxRequestBytes": { "type": "integer", "format": "int32", "minimum": 1 } },
            },
            "contextExtensions": context_extensions(generator),
            "failOpen": { "type": "boolean", "default": false },
            "headersToExtAuth": texts(),
            "includeRouteMetadata": { "type": "boolean" },
            "recomputeRoute": { "type": "boolean" },
            "statusOnError": { "type": "integer", "format": "int32", "enum": statuses },
            "timeout": scalar::duration(generator),
            "grpc": auth_server(generator),
            "http": http,
        },
        "x-kubernetes-validations": [
            rule("has(self.grpc) || has(self.http)", "one of grpc or http must be specified"),
            rule("!(has(self.grpc) && has(self.http))", "only one of grpc or http can be specified"),
        ],
    })
}

fn context_extensions(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name", "type"],
            "properties": {
                "name": scalar::nonempty(generator),
                "type": { "type": "string", "enum": ["Value", "ValueRef"], "default": "Value" },
                "value": { "type": "string" },
                "valueRef": {
                    "type": "object",
                    "required": ["group", "key", "kind", "name"],
                    "properties": {
                        "group": scalar::group(generator),
                        "kind": scalar::kind(generator),
                        "name": scalar::object_name(generator),
                        "key": scalar::object_name(generator),
                    },
                    "x-kubernetes-validations": [rule(
                        "(self.kind == 'ConfigMap' || self.kind == 'Secret') && self.group == ''",
                        "Only a reference to an object of kind ConfigMap or Secret belonging to default v1 API group is supported.",
                    )],
                },
            },
            "x-kubernetes-validations": [rule(
                "(self.type == 'Value' && has(self.value) && !has(self.valueRef)) || \
                 (self.type == 'ValueRef' && !has(self.value) && has(self.valueRef))",
                "Exactly one of value or valueRef must be set with correct type.",
            )],
        },
    })
}

fn auth_server(generator: &mut SchemaGenerator) -> Schema {
    let of_all = |test: &str| format!("!has(self.backendRefs) || self.backendRefs.all(one, {test})");
    json_schema!({
        "type": "object",
        "properties": {
            "backendRef": backend_object(generator),
            "backendRefs": backend_refs(generator),
            "backendSettings": backend_settings(generator),
        },
        "x-kubernetes-validations": [
            rule(
                "has(self.backendRef) || (has(self.backendRefs) && size(self.backendRefs) > 0)",
                "backendRef or backendRefs needs to be set",
            ),
            rule(
                &of_all("one.kind in ['Service', 'ServiceImport', 'Backend']"),
                "BackendRefs only supports Service, ServiceImport, and Backend kind.",
            ),
            rule(
                &of_all("one.group in ['', 'multicluster.x-k8s.io', 'gateway.envoyproxy.io']"),
                "BackendRefs only supports Core, multicluster.x-k8s.io, and gateway.envoyproxy.io groups.",
            ),
        ],
    })
}

/// Which requests a rate limit counts.
pub(crate) fn client_selectors(_: &mut SchemaGenerator) -> Schema {
    let invert = json!({ "type": "boolean", "default": false });
    let named = |max: u32| {
        json!({
            "type": "array",
            "maxItems": max,
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": { "type": "string", "minLength": 1, "maxLength": 256 },
                    "type": { "type": "string", "enum": ["Exact", "RegularExpression", "Distinct"], "default": "Exact" },
                    "value": { "type": "string", "maxLength": 1024 },
                    "invert": invert,
                },
            },
        })
    };
    let methods = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    let paths = ["Exact", "PathPrefix", "RegularExpression"];
    json_schema!({ "type": "array", "maxItems": 8, "items": {
        "type": "object",
        "properties": {
            "headers": named(64),
            "queryParams": named(16),
            "methods": { "type": "array", "items": {
                "type": "object",
                "required": ["value"],
                "properties": { "value": { "type": "string", "enum": methods }, "invert": invert },
            } },
            "path": {
                "type": "object",
                "required": ["value"],
                "properties": {
                    "type": { "type": "string", "enum": paths, "default": "PathPrefix" },
                    "value": { "type": "string", "maxLength": 1024, "default": "/" },
                    "invert": invert,
                },
            },
            "sourceCIDR": {
                "type": "object",
                "required": ["value"],
                "properties": {
                    "type": { "type": "string", "enum": ["Exact", "Distinct"], "default": "Exact" },
                    "value": { "type": "string", "minLength": 1, "maxLength": 256 },
                    "invert": invert,
                },
            },
        },
        "x-kubernetes-validations": [rule(
            "has(self.headers) || has(self.methods) || has(self.path) || has(self.sourceCIDR) || has(self.queryParams)",
            "at least one of headers, methods, path, sourceCIDR or queryParams must be specified",
        )],
    } })
}
