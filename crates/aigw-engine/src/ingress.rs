//! The desk: path to operation, who asks, and what can be known of the body without a full parse.

use std::sync::Arc;

use aigw_config::{ClientKey, Credentials, Snapshot};
use aigw_translate::operation::{BodyKind, ErrorShape, Lookup, Operation};
use aigw_translate::request::Inbound;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq;

use crate::event::RequestHead;
use crate::ledger::ErrorClass;
use crate::reply::Refusal;

/// What the head told.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) operation: Operation,
    /// Id in the path (`/v1/responses/{id}`, `/v1/models/{id}`).
    pub(crate) id: Option<String>,
    /// The client's key.
    pub(crate) key: Option<FoundKey>,
    /// Length of the body as announced.
    pub(crate) announced: Option<u64>,
}

/// A client's key that was recognised.
#[derive(Debug)]
pub(crate) struct FoundKey {
    /// Its index among the configured keys.
    pub(crate) index: usize,
    /// Every header that carries it; none of them may go upstream.
    pub(crate) headers: Vec<HeaderName>,
}

/// The shape in which an error for this path must be said, known before anything else is.
pub(crate) fn shape(head: &RequestHead, found: Lookup<'_>) -> ErrorShape {
    match found {
        Lookup::Found(Operation::Models | Operation::Model, _)
        | Lookup::WrongMethod(Operation::Models | Operation::Model)
            if wants_anthropic(head) =>
        {
            ErrorShape::Anthropic
        }
        Lookup::Found(operation, _) | Lookup::WrongMethod(operation) => operation.errors(),
        Lookup::Unknown if wants_anthropic(head) => ErrorShape::Anthropic,
        Lookup::Unknown if head.uri.path().starts_with("/cohere/") => ErrorShape::Cohere,
        Lookup::Unknown => ErrorShape::OpenAi,
    }
}

/// What is asked for, whether or not it will be let in.
pub(crate) fn operation(found: Lookup<'_>) -> Option<Operation> {
    match found {
        Lookup::Found(operation, _) | Lookup::WrongMethod(operation) => Some(operation),
        Lookup::Unknown => None,
    }
}

/// The client speaks Anthropic's dialect, judging by its path or its version header.
pub(crate) fn wants_anthropic(head: &RequestHead) -> bool {
    head.uri.path().starts_with("/anthropic/") || head.headers.contains_key("anthropic-version")
}

/// Lets a request in, or says why not.
pub(crate) fn admit(
    head: &RequestHead,
    found: Lookup<'_>,
    snapshot: &Snapshot,
    credentials: &Credentials,
) -> Result<Admitted, Refusal> {
    let (operation, id) = find_operation(head, found)?;
    let key = check_key(head, snapshot, credentials)?;
    let announced = announced_length(&head.headers)?;
    let limit = snapshot.limits.max_request_body;
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    if operation.body() != BodyKind::None && head.no_body {
        return Err(Refusal::new(
            400,
            "missing_body",
            ErrorClass::Caller,
            "The request has no body; send a JSON object with a `model` member.",
        ));
    }
    Ok(Admitted {
        operation,
        id,
        key,
        announced,
    })
}

/// 413, stating the limit.
pub(crate) fn too_large(limit: u64) -> Refusal {
    Refusal::new(
        413,
        "request_too_large",
        ErrorClass::Caller,
        format!(
            "The request body is larger than the gateway's limit of {limit} bytes. Send less, or raise `limits.maxRequestBody`."
        ),
    )
}

fn find_operation(head: &RequestHead, found: Lookup<'_>) -> Result<(Operation, Option<String>), Refusal> {
    let path = head.uri.path();
    match found {
        // A dot segment is another path to whoever resolves it.
        Lookup::Found(Operation::ResponsesItem, Some(id)) if is_dots(&decode_segment(id)) => {
            Err(unknown_path(path))
        }
        Lookup::Found(operation, id) => Ok((operation, id.map(decode_segment))),
        Lookup::WrongMethod(operation) => {
            let allow = match operation.methods() {
                [method] if *method == http::Method::GET => "GET",
                [_] => "POST",
                _ => "GET, DELETE",
            };
            let mut refusal = Refusal::new(
                405,
                "method_not_allowed",
                ErrorClass::Caller,
                format!("{path} is not served for {}; use {allow}.", head.method),
            );
            refusal.allow = Some(allow);
            Err(refusal)
        }
        Lookup::Unknown => Err(unknown_path(path)),
    }
}

fn unknown_path(path: &str) -> Refusal {
    Refusal::new(
        404,
        "unknown_path",
        ErrorClass::Caller,
        format!(
            "The gateway serves nothing at {path}. Check the base URL: OpenAI clients use /v1, Anthropic clients use / or /anthropic."
        ),
    )
}

fn is_dots(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'.')
}

/// Model names in paths may be percent-encoded.
fn decode_segment(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// A browser says where a page came from; pages that are not listed may not use the gateway through a visitor's browser.
pub(crate) fn check_origin(head: &RequestHead, snapshot: &Snapshot) -> Result<(), Refusal> {
    if !head.headers.contains_key(http::header::ORIGIN) || allowed_origin(head, snapshot).is_some() {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        "origin_not_allowed",
        ErrorClass::Denied,
        "Requests from web pages of this origin are not allowed. List the origin in `limits.allowedOrigins`.",
    ))
}

/// The request's origin, when it is one that is listed.
pub(crate) fn allowed_origin<'a>(
    head: &'a RequestHead,
    snapshot: &Snapshot,
) -> Option<&'a http::HeaderValue> {
    let value = head.headers.get(http::header::ORIGIN)?;
    let origin = value.to_str().ok()?.to_ascii_lowercase();
    let listed = &snapshot.limits.allowed_origins;
    listed
        .iter()
        .any(|allowed| *allowed == origin || allowed == "*")
        .then_some(value)
}

/// A browser asks before it sends (CORS preflight, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
pub(crate) fn is_preflight(head: &RequestHead) -> bool {
    head.method == http::Method::OPTIONS
        && head.headers.contains_key(http::header::ORIGIN)
        && head
            .headers
            .contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Finds the client's key among the configured ones; every key is compared, in constant time.
fn check_key(
    head: &RequestHead,
    snapshot: &Snapshot,
    credentials: &Credentials,
) -> Result<Option<FoundKey>, Refusal> {
    let Some(keys) = &snapshot.client_keys else {
        return Ok(None);
    };
    let presented = presented_keys(&head.headers);
    if presented.is_empty() {
        return Err(Refusal::new(
            401,
            "missing_client_key",
            ErrorClass::Denied,
            "This gateway asks for a key: send `authorization: Bearer <key>` or `x-api-key: <key>`.",
        ));
    }
    let mut found = None;
    for (index, key) in keys.iter().enumerate() {
        let secret = credentials
            .find(&key.credential)
            .filter(|secret| !secret.is_empty());
        let Some(secret) = secret else { continue };
        let mut headers = Vec::new();
        for (name, text) in &presented {
            if bool::from(secret.reveal().as_bytes().ct_eq(text.as_bytes())) {
                headers.push(HeaderName::from_static(name));
            }
        }
        if !headers.is_empty() && found.is_none() {
            found = Some(FoundKey { index, headers });
        }
    }
    found.map(Some).ok_or_else(|| {
        Refusal::new(
            401,
            "invalid_client_key",
            ErrorClass::Denied,
            "The key is not one of this gateway's client keys.",
        )
    })
}

/// Where a client may show its key. With `auth: passthrough` one of them may hold the provider's key, so all are looked at.
const KEY_HEADERS: [&str; 3] = ["authorization", "x-api-key", "api-key"];

fn presented_keys(headers: &HeaderMap) -> Vec<(&'static str, &str)> {
    let mut found = Vec::new();
    for name in KEY_HEADERS {
        for value in headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
        {
            let key = match (name, value.trim().split_once(' ')) {
                ("authorization", Some((scheme, key))) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
                ("authorization", _) => continue,
                _ => value.trim(),
            };
            if !key.is_empty() {
                found.push((name, key));
            }
        }
    }
    found
}

/// True when the key may ask for the model. `asked` is the client's name for it, `model` the routed one.
pub(crate) fn key_allows(key: Option<&ClientKey>, asked: &str, model: &str) -> bool {
    key.is_none_or(|key| {
        key.models.is_empty()
            || key
                .models
                .iter()
                .any(|pattern| pattern.matches(asked) || pattern.matches(model))
    })
}

fn announced_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(http::header::CONTENT_LENGTH) else {
        return Ok(None);
    };
    let length = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    length.map(Some).ok_or_else(|| {
        Refusal::new(
            400,
            "bad_content_length",
            ErrorClass::Caller,
            "`content-length` is not a number.",
        )
    })
}

/// Reads the whole body as far as routing needs it.
pub(crate) fn read(
    operation: Operation,
    headers: &HeaderMap,
    body: Bytes,
    limit: u64,
) -> Result<Inbound, Refusal> {
    let text = |name: http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let body = match text(http::header::CONTENT_ENCODING) {
        Some(encoding) => {
            aigw_translate::request::decompress(&body, encoding, limit).map_err(|error| Refusal {
                class: ErrorClass::Caller,
                error,
                retry_after: None,
                allow: None,
            })?
        }
        None => body,
    };
    Inbound::read(operation, text(http::header::CONTENT_TYPE), body).map_err(|error| Refusal {
        class: ErrorClass::Caller,
        error,
        retry_after: None,
        allow: None,
    })
}

/// Name of the key's owner, for the record.
pub(crate) fn owner(snapshot: &Snapshot, key: Option<usize>) -> Option<&ClientKey> {
    snapshot.client_keys.as_ref()?.get(key?)
}

/// The owner's name.
pub(crate) fn owner_name(snapshot: &Snapshot, key: Option<usize>) -> Option<Arc<str>> {
    owner(snapshot, key).map(|key| Arc::clone(&key.name))
}
