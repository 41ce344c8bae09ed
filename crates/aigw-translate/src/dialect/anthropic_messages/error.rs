//! Reads and writes errors.
//!
//! <https://platform.claude.com/docs/en/api/errors>

use serde_json::Value;

use super::write::Object;
use crate::ir::{DialectId, Error, ErrorKind, Opaque};

const THIS: DialectId = DialectId::AnthropicMessages;

/// Reads an error answer.
pub(super) fn decode(status: u16, body: &[u8]) -> Error {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    value
        .and_then(|value| from_value(Some(status), value))
        .unwrap_or_else(|| Error::from_text(status, &String::from_utf8_lossy(body)))
}

/// Reads an error value; without a status the type decides it, as inside a stream.
pub(super) fn from_value(status: Option<u16>, value: Value) -> Option<Error> {
    let error = value.get("error")?;
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let message = text("message")?;
    let kind = error.get("type").and_then(Value::as_str).and_then(kind_of);
    let status = status.unwrap_or_else(|| kind.map_or(500, status_of));
    // The one error that clients of other dialects look for by its code; this vendor has no code for it.
    let too_long = message.starts_with("prompt is too long");
    Some(Error {
        status,
        kind: kind.unwrap_or(ErrorKind::from_status(status)),
        code: text("code").or_else(|| too_long.then(|| "context_length_exceeded".to_owned())),
        param: text("param"),
        message,
        request_id: value.get("request_id").and_then(Value::as_str).map(str::to_owned),
        opaque: Some(Box::new(Opaque { dialect: THIS, value })),
    })
}

fn kind_of(word: &str) -> Option<ErrorKind> {
    Some(match word {
        "invalid_request_error" => ErrorKind::InvalidRequest,
        "authentication_error" => ErrorKind::Authentication,
        "permission_error" => ErrorKind::Permission,
        "not_found_error" => ErrorKind::NotFound,
        "request_too_large" => ErrorKind::TooLarge,
        "billing_error" => ErrorKind::Billing,
        "timeout_error" => ErrorKind::Timeout,
        "rate_limit_error" => ErrorKind::RateLimit,
        "overloaded_error" => ErrorKind::Overloaded,
        "api_error" => ErrorKind::Server,
        _ => return None,
    })
}

fn word_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::MethodNotAllowed | ErrorKind::Conflict => {
            "invalid_request_error"
        }
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::Billing => "billing_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::Server => "api_error",
    }
}

fn status_of(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::InvalidRequest => 400,
        ErrorKind::Authentication => 401,
        ErrorKind::Billing => 402,
        ErrorKind::Permission => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::MethodNotAllowed => 405,
        ErrorKind::Conflict => 409,
        ErrorKind::TooLarge => 413,
        ErrorKind::RateLimit => 429,
        ErrorKind::Timeout => 504,
        ErrorKind::Overloaded => 529,
        ErrorKind::Server => 500,
    }
}

/// Writes an error answer. A code and the wrong member, which the vendor has no place for, stand in `error.code` and
/// `error.param`.
pub(super) fn encode(error: &Error) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(error, &mut out);
    out
}

/// Writes the event of an error; it ends the stream.
pub(super) fn encode_stream(error: &Error, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    write(error, out);
    out.extend_from_slice(b"\n\n");
}

fn write(error: &Error, out: &mut Vec<u8>) {
    if let Some(value) = error.value_of(THIS) {
        super::write::value(out, value);
        return;
    }
    let mut object = Object::open(out);
    object.member("type", "error");
    let mut inner = Object::open(object.key("error"));
    inner.member("type", word_of(error.kind));
    inner.member("message", &error.message);
    inner.optional("code", error.code.as_ref());
    inner.optional("param", error.param.as_ref());
    inner.close();
    object.member("request_id", &error.request_id);
    object.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_vendor_is_written_back() {
        for (status, word) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (402, "billing_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (413, "request_too_large"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (504, "timeout_error"),
            (529, "overloaded_error"),
        ] {
            let body =
                format!(r#"{{"type":"error","error":{{"type":"{word}","message":"m"}},"request_id":"r"}}"#);
            let mut read = decode(status, body.as_bytes());
            assert_eq!(read.kind, ErrorKind::from_status(status), "{word}");
            assert_eq!(read.request_id.as_deref(), Some("r"));
            assert_eq!(encode(&read), body.as_bytes());
            read.opaque = None;
            assert_eq!(encode(&read), body.as_bytes());
            // Inside a stream there is no status.
            let value = serde_json::from_str(&body).unwrap();
            assert_eq!(from_value(None, value).unwrap().status, status);
        }
    }

    #[test]
    fn an_error_of_the_gateway_keeps_its_code() {
        let error = Error {
            param: Some("model".to_owned()),
            ..Error::gateway(404, "model_unknown", "No.")
        };
        let expected = r#"{"type":"error","error":{"type":"not_found_error","message":"No.","code":"model_unknown","param":"model"},"request_id":null}"#;
        assert_eq!(String::from_utf8(encode(&error)).unwrap(), expected);
    }

    #[test]
    fn too_long_a_prompt_has_the_code_that_others_know() {
        let body = br#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 3 tokens > 2 maximum"}}"#;
        assert_eq!(decode(400, body).code.as_deref(), Some("context_length_exceeded"));
    }

    #[test]
    fn what_is_no_error_of_the_vendor_is_text() {
        for body in ["<html>", r#"{"error":"x"}"#, r#"{"error":{}}"#, "[]", ""] {
            let read = decode(503, body.as_bytes());
            assert_eq!((read.status, read.kind), (503, ErrorKind::Overloaded), "{body}");
            assert!(read.opaque.is_none());
        }
    }
}
