//! Frames of server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use bytes::Bytes;
use serde_json::Value;

/// `data: {…}`, as OpenAI's chat streams.
pub(crate) fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// `event: name` and `data: {…}`, as Anthropic's streams and OpenAI's Responses streams.
pub(crate) fn named(name: &str, value: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {value}\n\n"))
}

/// The frame that ends OpenAI's streams.
pub(crate) const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");
