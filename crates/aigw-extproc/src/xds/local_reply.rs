//! The answers that Envoy gives by itself: marked, so that the engine can tell them from an upstream's, and readable, for when
//! no processor is there to make one.

use envoy_types::pb::envoy::config::accesslog::v3::access_log_filter::FilterSpecifier;
use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, AndFilter, ComparisonFilter, ExtensionFilter, ResponseFlagFilter, StatusCodeFilter,
    comparison_filter, extension_filter,
};
use envoy_types::pb::envoy::config::core::v3::{
    RuntimeUInt32, SubstitutionFormatString, substitution_format_string,
};
use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    LocalReplyConfig, ResponseMapper,
};

use super::typed::{any, inline, set_header};
use crate::names;

/// Which answers, and what they say.
struct Reason {
    /// The status; `None` is every other one.
    status: Option<u32>,
    /// Whether Envoy has a flag for it (<https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage>).
    flagged: bool,
    code: &'static str,
    sentence: &'static str,
}

const REASONS: &[Reason] = &[
    Reason::new(400, "invalid_request", "The request is not well-formed HTTP."),
    Reason::new(404, "not_found", "Nothing is served under this name."),
    Reason::new(
        408,
        "request_timeout",
        "The request did not come to its end in time.",
    ),
    Reason::new(
        413,
        "request_too_large",
        "The request body is larger than allowed.",
    ),
    Reason::new(
        431,
        "request_too_large",
        "The request's headers are larger than allowed.",
    ),
    Reason::new(
        502,
        "upstream_reset",
        "The backend broke the connection within its answer.",
    ),
    Reason {
        flagged: true,
        ..Reason::new(
            503,
            "gateway_unavailable",
            "The gateway cannot reach what serves this request; try again.",
        )
    },
    // The only one for which Envoy has none.
    Reason::new(
        503,
        "processor_unavailable",
        "The gateway's processor does not answer, and without it nothing is forwarded; try again.",
    ),
    Reason::new(504, "upstream_timeout", "No answer came in time."),
    Reason {
        status: None,
        ..Reason::new(0, "gateway_error", "The gateway could not serve the request.")
    },
];

/// How Envoy's own answers look.
pub(super) fn config() -> LocalReplyConfig {
    LocalReplyConfig {
        mappers: REASONS.iter().map(Reason::mapper).collect(),
        body_format: None,
    }
}

impl Reason {
    const fn new(status: u32, code: &'static str, sentence: &'static str) -> Self {
        Self {
            status: Some(status),
            flagged: false,
            code,
            sentence,
        }
    }

    fn mapper(&self) -> ResponseMapper {
        let kind = match self.status {
            Some(..500) => "invalid_request_error",
            _ => "server_error",
        };
        let Self { code, sentence, .. } = self;
        // OpenAI's form with the one member more that Anthropic's clients look for.
        let body = format!(
            "{{\"type\":\"error\",\"error\":{{\"message\":\"{sentence}\",\"type\":\"{kind}\",\"param\":null,\"code\":\"{code}\"}}}}"
        );
        ResponseMapper {
            filter: Some(self.filter()),
            body_format_override: Some(SubstitutionFormatString {
                content_type: "application/json".to_owned(),
                format: inline(body).map(substitution_format_string::Format::TextFormatSource),
                ..SubstitutionFormatString::default()
            }),
            headers_to_add: vec![
                set_header(names::LOCAL_REPLY_HEADER, "%RESPONSE_FLAGS%"),
                set_header("x-aigw-error", code),
                // The client's own; where it sent none, there is none.
                set_header("x-request-id", "%REQ(X-REQUEST-ID)%"),
            ],
            ..ResponseMapper::default()
        }
    }

    fn filter(&self) -> AccessLogFilter {
        let status = of(FilterSpecifier::StatusCodeFilter(StatusCodeFilter {
            comparison: Some(ComparisonFilter {
                op: match self.status {
                    Some(_) => comparison_filter::Op::Eq,
                    None => comparison_filter::Op::Ge,
                }
                .into(),
                value: Some(RuntimeUInt32 {
                    default_value: self.status.unwrap_or_default(),
                    // Nobody sets it.
                    runtime_key: "aigw.local_reply".to_owned(),
                }),
            }),
        }));
        let mut filters = vec![status, not_the_processors()];
        if self.flagged {
            // Without names: any flag.
            filters.push(of(FilterSpecifier::ResponseFlagFilter(
                ResponseFlagFilter::default(),
            )));
        }
        of(FilterSpecifier::AndFilter(AndFilter { filters }))
    }
}

/// What the processor answers itself comes this way too, and is complete.
fn not_the_processors() -> AccessLogFilter {
    let expression = format!("response.code_details != '{}'", names::ANSWERED);
    of(FilterSpecifier::ExtensionFilter(ExtensionFilter {
        name: "envoy.access_loggers.extension_filters.cel".to_owned(),
        config_type: Some(extension_filter::ConfigType::TypedConfig(any(ExpressionFilter {
            expression,
            ..ExpressionFilter::default()
        }))),
    }))
}

fn of(specifier: FilterSpecifier) -> AccessLogFilter {
    AccessLogFilter {
        filter_specifier: Some(specifier),
    }
}
