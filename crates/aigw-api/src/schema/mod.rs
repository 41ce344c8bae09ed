//! What the CRDs say about values beyond their Rust types: limits, patterns, list kinds and CEL rules. The limits are those of
//! Gateway API's types (<https://gateway-api.sigs.k8s.io/reference/spec/>) and of the kinds' own reference.

mod eg;
mod list;
mod scalar;
mod settings;

pub(crate) use eg::{
    allow_or_deny, api_key_auth, backend_object, backend_refs, client_selectors, ext_auth, forward_proxy,
    jwks, rules_of_token_servers,
};
pub(crate) use list::{
    body_mutation, conditions_by_type, costs, costs_by_key, header_matches, header_mutation, hostnames,
    target_refs,
};
pub(crate) use scalar::{
    date_time, duration, group, header_name, header_value, kind, kind_or_empty, model_schema, namespace,
    nonempty, object_name, plain, port, section_name, uri,
};
pub(crate) use settings::backend_settings;

use serde_json::{Value, json};

/// A CEL rule and what the API server says when it does not hold.
pub(crate) fn rule(rule: &str, message: &str) -> Value {
    json!({ "rule": rule, "message": message })
}
