//! Envoy's own lines on standard output, JSON: one a request, one an attempt.

use std::sync::LazyLock;

use envoy_types::pb::envoy::config::accesslog::v3::{AccessLog, access_log};
use envoy_types::pb::envoy::config::core::v3::{SubstitutionFormatString, substitution_format_string};
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StdoutAccessLog, stdout_access_log::AccessLogFormat,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use super::typed::any;
use crate::names;

/// Members of a request's line.
const REQUEST: &[(&str, &str)] = &[
    ("line", "request"),
    ("time", "%START_TIME%"),
    ("listener", "%FILTER_CHAIN_NAME%"),
    ("client", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%PATH(NQ)%"),
    ("protocol", "%PROTOCOL%"),
    ("status", "%RESPONSE_CODE%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("bytesReceived", "%BYTES_RECEIVED%"),
    ("bytesSent", "%BYTES_SENT%"),
    ("durationMs", "%DURATION%"),
    ("firstByteMs", "%RESPONSE_DURATION%"),
    ("cluster", "%UPSTREAM_CLUSTER%"),
    ("attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
];

/// Members of an attempt's line, also of one that a retry has swallowed.
const ATTEMPT: &[(&str, &str)] = &[
    ("line", "attempt"),
    ("time", "%START_TIME%"),
    ("cluster", "%UPSTREAM_CLUSTER%"),
    ("host", "%UPSTREAM_HOST%"),
    ("status", "%RESPONSE_CODE%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("retryAfter", "%RESP(RETRY-AFTER)%"),
    ("failure", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("durationMs", "%DURATION%"),
];

// Made once: the encoding of a map has no order, and one that changes would look like a change.
static OF_REQUESTS: LazyLock<AccessLog> = LazyLock::new(|| {
    let metadata = format!("%DYNAMIC_METADATA({})%", names::METADATA_NAMESPACE);
    let mut members = REQUEST.to_vec();
    members.push(("aigw", &metadata));
    log(&members)
});
static OF_ATTEMPTS: LazyLock<AccessLog> = LazyLock::new(|| log(ATTEMPT));

/// A line a request.
pub(super) fn of_requests() -> AccessLog {
    OF_REQUESTS.clone()
}

/// A line an attempt.
pub(super) fn of_attempts() -> AccessLog {
    OF_ATTEMPTS.clone()
}

fn log(members: &[(&str, &str)]) -> AccessLog {
    let text = |text: &str| Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    };
    let fields = members
        .iter()
        .map(|&(name, format)| (name.to_owned(), text(format)))
        .collect();
    let config = StdoutAccessLog {
        access_log_format: Some(AccessLogFormat::LogFormat(SubstitutionFormatString {
            omit_empty_values: true,
            format: Some(substitution_format_string::Format::JsonFormat(Struct { fields })),
            ..SubstitutionFormatString::default()
        })),
    };
    AccessLog {
        name: "envoy.access_loggers.stdout".to_owned(),
        config_type: Some(access_log::ConfigType::TypedConfig(any(config))),
        ..AccessLog::default()
    }
}
