//! From an endpoint to its handler, and what all of Anthropic's answers have in common.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::json;

use super::{messages, models};
use crate::call::Call;
use crate::error::{Checked, Refusal};
use crate::reply::Reply;
use crate::route::Endpoint;
use crate::sse;

const VERSIONS: &[&str] = &["2026-10-21", "2023-06-01", "2023-01-01"];

/// Answers a request that passed authentication.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let not_found = || Err(Refusal::new(StatusCode::NOT_FOUND, "Not Found"));
    if *call.endpoint == Endpoint::Unknown {
        return not_found();
    }
    let reads = matches!(call.endpoint, Endpoint::Models | Endpoint::Model(_));
    if call.method != if reads { Method::GET } else { Method::POST } {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"));
    }
    match call.header("anthropic-version") {
        None => return Err(Refusal::bad("anthropic-version: header is required")),
        Some(version) if !VERSIONS.contains(&version) => {
            return Err(Refusal::bad(format!(
                "anthropic-version: {version:?} is not a valid version"
            )));
        }
        Some(_) => {}
    }
    match call.endpoint {
        Endpoint::Messages => messages::answer(call),
        Endpoint::CountTokens => messages::count(call),
        Endpoint::Models => Ok(models::list(call)),
        Endpoint::Model(id) => models::one(call, id),
        _ => not_found(),
    }
}

/// The 401 for a wrong key or none.
pub(crate) fn unauthorised(given: Option<&str>) -> Refusal {
    let message = match given {
        Some(_) => "invalid x-api-key",
        None => "x-api-key header is required",
    };
    Refusal::new(StatusCode::UNAUTHORIZED, message)
}

/// The error that a stream can carry (<https://docs.anthropic.com/en/api/messages-streaming#error-events>).
pub(crate) fn error_event() -> Bytes {
    sse::named(
        "error",
        &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    )
}

/// The headers of every answer.
pub(crate) fn headers(headers: &mut HeaderMap, serial: u64) {
    if let Ok(id) = HeaderValue::from_str(&format!("req_{serial:016x}")) {
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    for (name, value) in [
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-requests-remaining", "3999"),
        ("anthropic-ratelimit-requests-reset", "2030-01-01T00:00:00Z"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
