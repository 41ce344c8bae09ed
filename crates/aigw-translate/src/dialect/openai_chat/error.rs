//! Reads and writes errors: `{"error": {"message", "type", "param", "code"}}`.
//!
//! <https://platform.openai.com/docs/guides/error-codes>. Compatible servers also send the error in a list, the members of the error
//! at the top, `{"detail": …}`, or a text in place of the object. In a stream the official SDKs raise on a data object that has
//! `error`, and read nothing after it, so nothing follows.

use serde_json::{Map, Value};

use super::schema::{ID, error_type};
use super::write::Object;
use crate::ir::{Error, ErrorKind, Opaque};

/// Reads an error answer.
pub(super) fn decode_error(status: u16, body: &[u8]) -> Error {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => read_error(status, value),
        Err(_) => Error::from_text(status, &String::from_utf8_lossy(body)),
    }
}

/// Reads an error value of any of the forms.
pub(super) fn read_error(status: u16, value: Value) -> Error {
    let value = match value {
        Value::Array(mut list) if !list.is_empty() => list.swap_remove(0),
        value => value,
    };
    let Some((message, members)) = said(&value) else {
        return Error::from_text(status, &value.to_string());
    };
    let text = |name: &str| members.and_then(|members| members.get(name)?.as_str());
    let code = members.and_then(|members| members.get("code"));
    let code = match code {
        Some(Value::String(code)) if !code.is_empty() => Some(code.clone()),
        Some(Value::Number(code)) => Some(code.to_string()),
        _ => None,
    };
    let message = match message {
        "" => Error::from_text(status, "").message,
        message => message.to_owned(),
    };
    let kind = kind(status, text("type"), code.as_deref());
    let (param, request_id) = (
        text("param").map(str::to_owned),
        text("request_id").map(str::to_owned),
    );
    let whole = value.get("error").is_some_and(Value::is_object);
    Error {
        status,
        kind,
        message,
        code,
        param,
        request_id,
        opaque: whole.then(|| Box::new(Opaque { dialect: ID, value })),
    }
}

/// The message, and the members beside it.
fn said(value: &Value) -> Option<(&str, Option<&Map<String, Value>>)> {
    let members = value.as_object()?;
    match members.get("error") {
        Some(Value::Object(error)) => {
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            return Some((message, Some(error)));
        }
        Some(Value::String(message)) => return Some((message, Some(members))),
        _ => {}
    }
    let message = ["message", "detail", "error_description", "msg"]
        .into_iter()
        .find_map(|name| message_of(members.get(name)?));
    message.map(|message| (message, Some(members)))
}

/// A text, or the first of FastAPI's list of `{"loc", "msg"}`.
fn message_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(list) => list.first()?.get("msg")?.as_str(),
        Value::Object(inner) => inner.get("message")?.as_str(),
        _ => None,
    }
}

/// The status tells the kind, except where the words are narrower.
fn kind(status: u16, word: Option<&str>, code: Option<&str>) -> ErrorKind {
    let words = [word, code];
    let says = |text: &str| words.contains(&Some(text));
    let kind = ErrorKind::from_status(status);
    match kind {
        ErrorKind::RateLimit if says("insufficient_quota") || says("billing_hard_limit_reached") => {
            ErrorKind::Billing
        }
        ErrorKind::InvalidRequest if says("model_not_found") => ErrorKind::NotFound,
        kind => kind,
    }
}

/// The status of an error in a stream, whose own status was 200: its code where that is a status, else what its words mean.
pub(super) fn stream_status(value: &Value) -> u16 {
    let error = value.get("error").unwrap_or(value);
    let number = |name: &str| match error.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let status = ["code", "status", "status_code"].into_iter().find_map(number);
    if let Some(status) = status
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (400..600).contains(status))
    {
        return status;
    }
    let words = ["type", "code"].map(|name| error.get(name).and_then(Value::as_str).unwrap_or_default());
    let says = |text: &str| words.iter().any(|word| word.contains(text));
    match () {
        () if says("rate_limit") || says("insufficient_quota") => 429,
        () if says("overloaded") || says("unavailable") => 503,
        () if says("timeout") => 504,
        () if says("authentication") || says("invalid_api_key") => 401,
        () if says("permission") => 403,
        () if says("not_found") => 404,
        () if says("invalid_request") || says("context_length") => 400,
        () => 500,
    }
}

/// Writes an error answer.
pub(super) fn encode_error(error: &Error) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(&mut out, error);
    out
}

/// Writes an error into a stream that has begun; it is the stream's last event.
pub(super) fn encode_stream_error(error: &Error, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    write(out, error);
    out.extend_from_slice(b"\n\n");
}

fn write(out: &mut Vec<u8>, error: &Error) {
    if let Some(value) = error.value_of(ID) {
        return super::write::value(out, value);
    }
    let mut object = Object::open(out);
    object.object("error", |object| {
        object.member("message", &error.message);
        object.member("type", error_type(error));
        object.member("param", &error.param);
        object.member("code", &error.code);
    });
    object.close();
}
