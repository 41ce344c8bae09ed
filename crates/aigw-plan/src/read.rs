//! Objects as the API server gives them.

use aigw_api::{ENVOY_GATEWAY_GROUP, GATEWAY_GROUP, GROUP, Metadata, SecurityPolicy};
use aigw_config::Origin;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::{Kind, Object, Unreadable};
use crate::unread::unread;

/// The object; `None` when its kind has no meaning for a plan. One that cannot be read is told by its status.
pub fn read(value: &Value) -> Option<Object> {
    let api_version = value.get("apiVersion")?.as_str()?;
    let (group, _) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = value.get("kind")?.as_str()?;
    let is_meant = match kind {
        "Backend" | "BackendTrafficPolicy" | "ClientTrafficPolicy" | "SecurityPolicy" | "EnvoyProxy" => {
            group == ENVOY_GATEWAY_GROUP
        }
        "GatewayClass" | "Gateway" | "BackendTLSPolicy" | "ReferenceGrant" => group == GATEWAY_GROUP,
        "Secret" | "ConfigMap" | "Namespace" | "Service" => group.is_empty(),
        "EndpointSlice" => group == "discovery.k8s.io",
        _ => group == GROUP,
    };
    is_meant.then(|| read_as(kind, value)).flatten()
}

/// The same for an object that is known to be of this kind, and of the group that a plan means by it.
pub fn read_as(kind: &str, value: &Value) -> Option<Object> {
    let (kind, unread) = match kind {
        "AIGatewayRoute" => spec(value, "AIGatewayRoute", Kind::AIGatewayRoute),
        "AIServiceBackend" => spec(value, "AIServiceBackend", Kind::AIServiceBackend),
        "BackendSecurityPolicy" => spec(value, "BackendSecurityPolicy", Kind::BackendSecurityPolicy),
        "GatewayConfig" => spec(value, "GatewayConfig", Kind::GatewayConfig),
        "QuotaPolicy" => spec(value, "QuotaPolicy", Kind::QuotaPolicy),
        "MCPRoute" => spec(value, "MCPRoute", Kind::MCPRoute),
        "Backend" => spec(value, "Backend", Kind::Backend),
        "BackendTrafficPolicy" => spec(value, "BackendTrafficPolicy", Kind::BackendTrafficPolicy),
        "ClientTrafficPolicy" => spec(value, "ClientTrafficPolicy", Kind::ClientTrafficPolicy),
        "SecurityPolicy" => (Kind::SecurityPolicy(access(value)), Vec::new()),
        "EnvoyProxy" => spec(value, "EnvoyProxy", Kind::EnvoyProxy),
        "GatewayClass" => spec(value, "GatewayClass", Kind::GatewayClass),
        "Gateway" => spec(value, "Gateway", Kind::Gateway),
        "BackendTLSPolicy" => spec(value, "BackendTLSPolicy", Kind::BackendTLSPolicy),
        "ReferenceGrant" => spec(value, "ReferenceGrant", Kind::ReferenceGrant),
        "Secret" => whole(value, "Secret", Kind::Secret),
        "ConfigMap" => whole(value, "ConfigMap", Kind::ConfigMap),
        "Namespace" => whole(value, "Namespace", Kind::Namespace),
        "Service" => whole(value, "Service", Kind::Service),
        "EndpointSlice" => whole(value, "EndpointSlice", Kind::EndpointSlice),
        _ => return None,
    };
    let ancestors = value.pointer("/status/ancestors").and_then(Value::as_array);
    Some(Object {
        unread,
        ancestors: ancestors.cloned().unwrap_or_default(),
        ..Object::new(kind, Origin::default())
    })
}

/// An object whose fields people write.
fn spec<T: DeserializeOwned + Serialize>(
    value: &Value,
    kind: &'static str,
    make: fn(T) -> Kind,
) -> (Kind, Vec<String>) {
    let object = match T::deserialize(value) {
        Ok(object) => object,
        Err(error) => return (unreadable(value, kind, error.to_string()), Vec::new()),
    };
    let mut fields = Vec::new();
    if let (Some(written), Ok(read)) = (value.get("spec"), serde_json::to_value(&object)) {
        let read = read.get("spec").unwrap_or(&Value::Null);
        unread(written, read, "spec", is_nothing, &mut fields);
    }
    (make(object), fields)
}

/// An object whose fields others fill in. No message shows what it holds: it may be a Secret.
fn whole<T: DeserializeOwned>(value: &Value, kind: &'static str, make: fn(T) -> Kind) -> (Kind, Vec<String>) {
    let kind = match T::deserialize(value) {
        Ok(object) => make(object),
        Err(_) => unreadable(value, kind, "a member is not of its type".to_owned()),
    };
    (kind, Vec::new())
}

/// A policy that cannot be read still restricts access: it closes its namespace.
fn access(value: &Value) -> SecurityPolicy {
    SecurityPolicy::deserialize(value).unwrap_or_else(|_| {
        let mut policy = SecurityPolicy {
            metadata: metadata(value),
            ..SecurityPolicy::default()
        };
        policy.spec.target_selectors = Some(Value::Bool(true));
        policy
    })
}

fn unreadable(value: &Value, kind: &'static str, why: String) -> Kind {
    let targets = value
        .pointer("/spec/targetRefs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|target| target.get("name")?.as_str());
    Kind::Unreadable(Unreadable {
        kind,
        metadata: metadata(value),
        targets: targets.map(str::to_owned).collect(),
        message: Some(format!("cannot be read: {why}")),
    })
}

fn metadata(value: &Value) -> Metadata {
    let written = value.get("metadata").map(Metadata::deserialize);
    written.and_then(Result::ok).unwrap_or_default()
}

/// Readers leave out an empty text as they do what is absent.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value == ""
}
