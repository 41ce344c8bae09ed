//! Requests and streams of any shape: never a panic, always valid JSON, and what was written once is written so again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use aigw_config::Quirks;
use aigw_translate::dialect::{self, Dialect, ReplyContext, Target};
use aigw_translate::ir::{DialectId, Losses};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value, json};

/// Words that mean something somewhere in this dialect.
const WORDS: &[&str] = &[
    "type",
    "text",
    "role",
    "content",
    "user",
    "assistant",
    "system",
    "image",
    "document",
    "source",
    "base64",
    "url",
    "file",
    "file_id",
    "media_type",
    "data",
    "tool_use",
    "tool_result",
    "tool_use_id",
    "id",
    "name",
    "input",
    "is_error",
    "thinking",
    "signature",
    "redacted_thinking",
    "cache_control",
    "ephemeral",
    "ttl",
    "citations",
    "enabled",
    "title",
    "context",
    "budget_tokens",
    "adaptive",
    "disabled",
    "display",
    "auto",
    "any",
    "tool",
    "none",
    "disable_parallel_tool_use",
    "format",
    "json_schema",
    "schema",
    "effort",
    "high",
    "application/pdf",
    "text/plain",
    "aGk=",
    "",
    " ",
    "input_schema",
    "custom",
    "strict",
    "user_id",
];

const TOP: &[&str] = &[
    "model",
    "messages",
    "system",
    "max_tokens",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "stream",
    "service_tier",
    "cache_control",
    "container",
];

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(WORDS).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => word().prop_map(Value::String),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => (-3_i64..5_000).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!(0.5)),
    ];
    leaf.prop_recursive(4, 48, 5, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            3 => prop::collection::vec((word(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A block that is mostly what its type demands.
fn block() -> impl Strategy<Value = Value> {
    let source = prop_oneof![
        Just(json!({"type": "base64", "media_type": "image/png", "data": "aGk="})),
        Just(json!({"type": "base64", "media_type": "text/plain", "data": "aGk="})),
        Just(json!({"type": "url", "url": "https://e.x"})),
        Just(json!({"type": "file", "file_id": "f"})),
        Just(json!({"type": "content", "content": [{"type": "text", "text": "x"}]})),
        value(),
    ];
    let known = prop_oneof![
        word().prop_map(|text| json!({"type": "text", "text": text})),
        source
            .clone()
            .prop_map(|source| json!({"type": "image", "source": source})),
        source.prop_map(|source| json!({"type": "document", "source": source})),
        value().prop_map(|input| json!({"type": "tool_use", "id": "a.b", "name": "f", "input": input})),
        value().prop_map(|content| json!({"type": "tool_result", "tool_use_id": "a.b", "content": content})),
        word().prop_map(|signature| json!({"type": "thinking", "thinking": "x", "signature": signature})),
        word().prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
        value(),
    ];
    (known, prop::option::of((word(), value()))).prop_map(|(mut block, more)| {
        if let (Some(members), Some((name, value))) = (block.as_object_mut(), more) {
            members.insert(name, value);
        }
        block
    })
}

fn request() -> impl Strategy<Value = Value> {
    let content = prop_oneof![
        word().prop_map(Value::String),
        prop::collection::vec(block(), 0..4).prop_map(Value::Array),
    ];
    let message = (
        prop::sample::select(&["user", "assistant", "system"][..]),
        content,
    )
        .prop_map(|(role, content)| json!({"role": role, "content": content}));
    let models = &["claude-sonnet-4-5", "claude-opus-4-8", "claude-opus-5-5", "other"][..];
    let members = prop::collection::vec((prop::sample::select(TOP), value()), 0..6);
    (
        prop::sample::select(models),
        prop::collection::vec(message, 1..5),
        members,
    )
        .prop_map(|(model, messages, members)| {
            let mut request = Map::new();
            for (name, value) in members {
                request.insert(name.to_owned(), value);
            }
            request.insert("model".to_owned(), json!(model));
            request.insert("messages".to_owned(), Value::Array(messages));
            Value::Object(request)
        })
}

fn dialects() -> (&'static dyn Dialect, &'static dyn Dialect) {
    (
        dialect::find(DialectId::AnthropicMessages).unwrap(),
        dialect::find(DialectId::OpenAiChat).unwrap(),
    )
}

/// The request as `target` would get it, with its losses; nothing when it is refused.
fn through(body: &[u8], target: &dyn Dialect) -> Option<(Value, Losses)> {
    let (anthropic, _) = dialects();
    let request = anthropic.decode_request(body).ok()?;
    let mut losses = Losses::default();
    let to = Target {
        model: &request.model,
        quirks: Quirks::NONE,
        want_stream_usage: true,
    };
    let written = target.encode_request(&request, to, &mut losses).ok()?;
    let value = serde_json::from_slice(&written)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&written)));
    Some((value, losses))
}

proptest! {
    // The same cases every time; `make fuzz` looks for new ones.
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_written_is_written_so_again(request in request()) {
        let (anthropic, openai) = dialects();
        let body = request.to_string();
        through(body.as_bytes(), openai);
        if let Some((first, _)) = through(body.as_bytes(), anthropic) {
            let (second, losses) = through(first.to_string().as_bytes(), anthropic).expect("its own output is readable");
            prop_assert_eq!(second, first);
            prop_assert!(losses.is_empty(), "{:?}", losses);
        }
    }

    #[test]
    fn any_frames_give_valid_frames(frames in prop::collection::vec(frame(), 0..12)) {
        let (anthropic, openai) = dialects();
        let context = ReplyContext { model: "m".to_owned(), id: "i".to_owned(), created: 1, stream_usage: true };
        for client in [anthropic, openai] {
            let mut decoder = anthropic.stream_decoder();
            let mut encoder = client.stream_encoder(&context);
            let (mut out, mut events, mut losses) = (Vec::new(), Vec::new(), Losses::default());
            for (name, data) in &frames {
                let _ = decoder.frame(Some(name), data.to_string().as_bytes(), &mut events);
            }
            decoder.finish(&mut events);
            for event in &events {
                encoder.event(event, &mut out, &mut losses);
            }
            for line in String::from_utf8(out).unwrap().lines() {
                if let Some(data) = line.strip_prefix("data: ").filter(|data| *data != "[DONE]") {
                    prop_assert!(serde_json::from_str::<Value>(data).is_ok(), "{}", data);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let (anthropic, _) = dialects();
        let _ = anthropic.decode_request(&body);
        let _ = anthropic.decode_response(&body);
        prop_assert_eq!(anthropic.decode_error(418, &body).status, 418);
    }
}

fn frame() -> impl Strategy<Value = (String, Value)> {
    let delta = prop_oneof![
        word().prop_map(|text| json!({"type": "text_delta", "text": text})),
        word().prop_map(|text| json!({"type": "thinking_delta", "thinking": text})),
        word().prop_map(|text| json!({"type": "input_json_delta", "partial_json": text})),
        word().prop_map(|text| json!({"type": "signature_delta", "signature": text})),
        value().prop_map(|citation| json!({"type": "citations_delta", "citation": citation})),
        value(),
    ];
    let named = |name: &'static str, data: Value| (name.to_owned(), data);
    prop_oneof![
        2 => block().prop_map(move |block| named("content_block_start", json!({"type": "content_block_start", "index": 0, "content_block": block}))),
        4 => delta.clone().prop_map(move |delta| named("content_block_delta", json!({"type": "content_block_delta", "index": 0, "delta": delta}))),
        1 => Just(named("content_block_stop", json!({"type": "content_block_stop", "index": 0}))),
        1 => value().prop_map(move |message| named("message_start", json!({"type": "message_start", "message": message}))),
        1 => (delta, value()).prop_map(move |(delta, usage)| named("message_delta", json!({"type": "message_delta", "delta": delta, "usage": usage}))),
        1 => Just(named("message_stop", json!({"type": "message_stop"}))),
        1 => value().prop_map(move |error| named("error", json!({"type": "error", "error": error}))),
        1 => (word(), value()).prop_map(|(name, data)| (name, data)),
    ]
}
