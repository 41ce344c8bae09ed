//! The answers that Envoy gives by itself: marked, so that the engine can tell them from an upstream's, and readable, for when
//! no processor is there to make one.

use envoy_types::pb::envoy::config::accesslog::v3::access_log_filter::FilterSpecifier;
use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, ComparisonFilter, StatusCodeFilter, comparison_filter,
};
use envoy_types::pb::envoy::config::core::v3::{
    RuntimeUInt32, SubstitutionFormatString, substitution_format_string,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    LocalReplyConfig, ResponseMapper,
};

use super::typed::{inline, set_header};
use crate::names;

/// Code and sentence by status; the last is for all others.
const REASONS: &[(Option<u32>, &str, &str)] = &[
    (
        Some(400),
        "invalid_request",
        "The request is not well-formed HTTP.",
    ),
    (Some(404), "not_found", "Nothing is served under this name."),
    (
        Some(408),
        "request_timeout",
        "The request did not come to its end in time.",
    ),
    (
        Some(413),
        "request_too_large",
        "The request body is larger than allowed.",
    ),
    (
        Some(431),
        "request_too_large",
        "The request's headers are larger than allowed.",
    ),
    (
        Some(503),
        "gateway_unavailable",
        "The gateway cannot serve requests at this moment; try again.",
    ),
    (Some(504), "upstream_timeout", "No answer came in time."),
    (None, "gateway_error", "The gateway could not serve the request."),
];

/// How Envoy's own answers look.
pub(super) fn config() -> LocalReplyConfig {
    LocalReplyConfig {
        mappers: REASONS
            .iter()
            .map(|&(status, code, sentence)| mapper(status, code, sentence))
            .collect(),
        body_format: None,
    }
}

fn mapper(status: Option<u32>, code: &str, sentence: &str) -> ResponseMapper {
    let kind = if status.is_some_and(|status| status < 500) {
        "invalid_request_error"
    } else {
        "server_error"
    };
    let body = format!(
        "{{\"error\":{{\"message\":\"{sentence}\",\"type\":\"{kind}\",\"param\":null,\"code\":\"{code}\"}}}}"
    );
    ResponseMapper {
        filter: Some(is(status)),
        body_format_override: Some(SubstitutionFormatString {
            content_type: "application/json".to_owned(),
            format: Some(substitution_format_string::Format::TextFormatSource(
                inline(body).unwrap_or_default(),
            )),
            ..SubstitutionFormatString::default()
        }),
        headers_to_add: vec![
            set_header(names::LOCAL_REPLY_HEADER, "%RESPONSE_FLAGS%"),
            set_header("x-aigw-error", code),
        ],
        ..ResponseMapper::default()
    }
}

fn is(status: Option<u32>) -> AccessLogFilter {
    let (op, value) = match status {
        Some(status) => (comparison_filter::Op::Eq, status),
        None => (comparison_filter::Op::Ge, 0),
    };
    AccessLogFilter {
        filter_specifier: Some(FilterSpecifier::StatusCodeFilter(StatusCodeFilter {
            comparison: Some(ComparisonFilter {
                op: op.into(),
                value: Some(RuntimeUInt32 {
                    default_value: value,
                    // Nobody sets it.
                    runtime_key: "aigw.local_reply".to_owned(),
                }),
            }),
        })),
    }
}
