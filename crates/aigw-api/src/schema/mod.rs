//! What the CRDs say about values beyond their Rust types: limits, patterns, list kinds and CEL rules. The limits are those of
//! Gateway API's types (<https://gateway-api.sigs.k8s.io/reference/spec/>) and of the kinds' own reference.

mod eg;
mod list;
mod scalar;

pub(crate) use eg::{backend_object, backend_refs, forward_proxy};
pub(crate) use list::{
    body_mutation, conditions_by_type, costs, costs_by_key, header_matches, header_mutation, hostnames,
    target_refs,
};
pub(crate) use scalar::{
    anything, date_time, duration, group, header_name, header_value, kind, kind_or_empty, model_schema,
    namespace, nonempty, object_name, plain, port, section_name,
};

use serde_json::{Value, json};

/// A CEL rule and what the API server says when it does not hold.
pub(crate) fn rule(rule: &str, message: &str) -> Value {
    json!({ "rule": rule, "message": message })
}
