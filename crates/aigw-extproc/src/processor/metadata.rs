//! A usage record as dynamic metadata, for Envoy's access log and rate limits.

use aigw_engine::UsageRecord;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};

use crate::names::METADATA_NAMESPACE;

/// What a record tells, under the namespace. Fields that have no value are left out; counts and milliseconds are numbers.
/// Costs go before fields of our own with the same name, and the fields that other gateways write too go before costs.
pub fn metadata(record: &UsageRecord) -> Struct {
    let mut fields = Fields(Struct::default());
    fields.text("request_id", Some(&record.request_id));
    fields.text("operation", Some(record.operation));
    fields.text("path", Some(&record.path));
    fields.text("route", record.route.as_deref());
    fields.text("rule", record.rule.as_deref());
    fields.text("client", record.client.as_deref());
    fields.text("model", record.model.as_deref());
    fields.text("upstream_model", record.upstream_model.as_deref());
    fields.text("backend", record.backend.as_deref());
    fields.text("provider", record.provider.as_deref());
    fields.text("error_code", record.error_code.as_deref());
    fields.text("finish_reason", record.finish_reason.as_deref());
    fields.0.fields.insert(
        "stream".to_owned(),
        Value {
            kind: Some(Kind::BoolValue(record.stream)),
        },
    );
    let usage = &record.usage;
    fields.count("input_tokens", usage.input);
    fields.count("output_tokens", usage.output);
    fields.count("total_tokens", usage.total());
    fields.count("cached_input_tokens", usage.cache_read);
    fields.count("cache_creation_input_tokens", usage.cache_write);
    fields.count("reasoning_tokens", usage.reasoning);
    fields.count("attempts", u64::try_from(record.attempts.len()).ok());
    if !record.duration.is_zero() {
        fields.number("duration_ms", record.duration.as_secs_f64() * 1_000.0);
    }
    if let Some(first) = record.first_token {
        fields.number("first_token_ms", first.as_secs_f64() * 1_000.0);
    }
    for (key, amount) in &record.costs {
        fields.count(key, Some(*amount));
    }
    shared(record, &mut fields);
    let namespace = Value {
        kind: Some(Kind::StructValue(fields.0)),
    };
    Struct {
        fields: [(METADATA_NAMESPACE.to_owned(), namespace)].into(),
    }
}

/// The fields that manifests for other gateways count on.
fn shared(record: &UsageRecord, fields: &mut Fields) {
    fields.text("backend_name", record.backend.as_deref());
    fields.text("ai_service_backend_name", record.backend.as_deref());
    fields.text("model_name_override", record.upstream_model.as_deref());
    fields.text("response_model", record.response_model.as_deref());
    fields.text("route_name", record.route.as_deref());
    fields.count("content_length", Some(record.request_bytes));
    if let Some(first) = record.first_token {
        fields.number("token_latency_ttft", first.as_secs_f64() * 1_000.0);
        if let Some(output @ 2..) = record.usage.output {
            let rest = record.duration.saturating_sub(first).as_secs_f64() * 1_000.0;
            fields.number("token_latency_itl", rest / to_float(output - 1));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a protobuf value has no other number, and no count comes near 2^53"
)]
fn to_float(count: u64) -> f64 {
    count as f64
}

struct Fields(Struct);

impl Fields {
    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.insert(name, Kind::StringValue(value.to_owned()));
        }
    }

    fn count(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(name, to_float(value));
        }
    }

    fn number(&mut self, name: &str, value: f64) {
        self.insert(name, Kind::NumberValue(value));
    }

    fn insert(&mut self, name: &str, kind: Kind) {
        self.0.fields.insert(name.to_owned(), Value { kind: Some(kind) });
    }
}
