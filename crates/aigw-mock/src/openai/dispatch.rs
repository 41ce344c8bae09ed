//! From an endpoint to its handler, and what all of OpenAI's answers have in common.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::json;

use super::{audio, chat, completions, embeddings, images, models, moderations, rerank, responses, tokenize};
use crate::call::Call;
use crate::error::{Checked, Refusal};
use crate::reply::Reply;
use crate::route::Endpoint;
use crate::sse;

/// Answers a request that passed authentication.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let reads = matches!(
        call.endpoint,
        Endpoint::Models | Endpoint::Model(_) | Endpoint::Response(_)
    );
    let allowed = match call.endpoint {
        Endpoint::Unknown => true,
        Endpoint::Response(_) | Endpoint::Model(_) if call.method == Method::DELETE => true,
        _ if reads => call.method == Method::GET,
        _ => call.method == Method::POST,
    };
    if !allowed {
        let message = format!("Invalid method for URL ({})", call.method);
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).code("method_not_supported"));
    }
    match call.endpoint {
        Endpoint::Chat => chat::answer(call),
        Endpoint::Completions => completions::answer(call),
        Endpoint::Embeddings => embeddings::answer(call),
        Endpoint::Responses => responses::answer(call),
        Endpoint::ResponseTokens => responses::count(call),
        Endpoint::Response(id) => responses::stored(call, id),
        Endpoint::ImageGenerations => images::generate(call),
        Endpoint::ImageEdits => images::edit(call),
        Endpoint::Speech => audio::speech(call),
        Endpoint::Transcriptions | Endpoint::Translations => audio::transcribe(call),
        Endpoint::Moderations => moderations::answer(call),
        Endpoint::Models => Ok(models::list(call)),
        Endpoint::Model(id) => models::one(call, id),
        Endpoint::Tokenize => tokenize::answer(call),
        Endpoint::Rerank => rerank::answer(call),
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, "Invalid URL").code("unknown_url")),
    }
}

/// The 401 for a wrong key or none.
pub(crate) fn unauthorised(given: Option<&str>) -> Refusal {
    let refusal = match given {
        Some(_) => Refusal::new(StatusCode::UNAUTHORIZED, "Incorrect API key provided."),
        None => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "You didn't provide an API key in an Authorization header using Bearer auth.",
        ),
    };
    refusal.code("invalid_api_key")
}

/// The error that a stream can carry.
pub(crate) fn error_event(endpoint: &Endpoint) -> Bytes {
    let message = "The server had an error while processing your request. Sorry about that!";
    match endpoint {
        Endpoint::Responses => sse::named(
            "error",
            &json!({"type": "error", "code": "server_error", "message": message, "param": null, "sequence_number": 0}),
        ),
        _ => sse::data(
            &json!({"error": {"message": message, "type": "server_error", "param": null, "code": null}}),
        ),
    }
}

/// The headers of every answer.
pub(crate) fn headers(headers: &mut HeaderMap, serial: u64) {
    if let Ok(id) = HeaderValue::from_str(&format!("req_{serial:016x}")) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    for (name, value) in [
        ("openai-processing-ms", "1"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-reset-requests", "6ms"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
