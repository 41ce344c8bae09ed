//! A message as server-sent events (<https://docs.anthropic.com/en/api/messages-streaming>).

use bytes::Bytes;
use serde_json::{Value, json};

use super::render::Message;
use crate::reply::Reply;
use crate::{sse, words};

/// The message as events, from `message_start` to `message_stop`.
pub(crate) fn events(message: &Message<'_>) -> Reply {
    let mut stream = Stream {
        list: Vec::new(),
        repeat: None,
    };
    let mut start = message.frame();
    if message.usage {
        start["usage"] = message.usage(1);
    }
    stream.push("message_start", json!({"message": start}));
    for (index, block) in message.blocks().iter().enumerate() {
        stream.block(index, block);
    }
    let delta = json!({"stop_reason": message.stop_reason(), "stop_sequence": message.stop_sequence()});
    let mut end = json!({"delta": delta});
    if message.usage {
        end["usage"] = delta_usage(message);
    }
    stream.push("message_delta", end);
    stream.push("message_stop", json!({}));
    Reply::events(stream.list, stream.repeat)
}

/// The cumulative usage: without the members that only a whole message has.
fn delta_usage(message: &Message<'_>) -> Value {
    let mut usage = message.usage(message.output_tokens());
    if let Some(usage) = usage.as_object_mut() {
        usage.remove("cache_creation");
        usage.remove("service_tier");
    }
    usage
}

struct Stream {
    list: Vec<Bytes>,
    repeat: Option<usize>,
}

impl Stream {
    fn push(&mut self, kind: &str, members: Value) {
        let mut event = json!({"type": kind});
        if let (Some(event), Value::Object(members)) = (event.as_object_mut(), members) {
            event.extend(members);
        }
        self.list.push(sse::named(kind, &event));
    }

    fn block(&mut self, index: usize, block: &Value) {
        self.push(
            "content_block_start",
            json!({"index": index, "content_block": opening(block)}),
        );
        if index == 0 {
            self.push("ping", json!({}));
        }
        let text = |name: &str| block[name].as_str().unwrap_or_default();
        match block["type"].as_str() {
            Some("text") => self.text(index, text("text"), &block["citations"]),
            Some("thinking") => {
                for piece in words::pieces(text("thinking")) {
                    self.delta(index, json!({"type": "thinking_delta", "thinking": piece}));
                }
                self.delta(
                    index,
                    json!({"type": "signature_delta", "signature": text("signature")}),
                );
            }
            Some("tool_use") => {
                self.delta(index, json!({"type": "input_json_delta", "partial_json": ""}));
                for shred in words::shreds(&block["input"].to_string()) {
                    self.delta(index, json!({"type": "input_json_delta", "partial_json": shred}));
                }
            }
            _ => {}
        }
        self.push("content_block_stop", json!({"index": index}));
    }

    fn text(&mut self, index: usize, text: &str, citations: &Value) {
        for piece in words::pieces(text) {
            self.repeat = Some(self.list.len());
            self.delta(index, json!({"type": "text_delta", "text": piece}));
        }
        for citation in citations.as_array().into_iter().flatten() {
            self.delta(index, json!({"type": "citations_delta", "citation": citation}));
        }
    }

    fn delta(&mut self, index: usize, delta: Value) {
        self.push("content_block_delta", json!({"index": index, "delta": delta}));
    }
}

/// A block as it is announced: with nothing said yet.
fn opening(block: &Value) -> Value {
    match block["type"].as_str() {
        Some("text") if block["citations"].is_array() => json!({"type": "text", "text": "", "citations": []}),
        Some("text") => json!({"type": "text", "text": ""}),
        Some("thinking") => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Some("tool_use") => {
            json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}})
        }
        _ => block.clone(),
    }
}
