//! Requests, answers and streams of any shape: never a panic, always valid JSON, blocks in order, and what was written once is
//! written so again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;

use aigw_config::Quirks;
use aigw_translate::dialect::{self, Dialect, Observation, ReplyContext, Target};
use aigw_translate::ir::{DialectId, Event, Losses};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Words that mean something somewhere in this dialect.
const WORDS: &[&str] = &[
    "type",
    "text",
    "role",
    "content",
    "user",
    "image_url",
    "url",
    "detail",
    "input_audio",
    "data",
    "format",
    "file",
    "file_id",
    "file_data",
    "filename",
    "refusal",
    "thinking",
    "redacted_thinking",
    "signature",
    "reasoning_content",
    "reasoning",
    "thinking_blocks",
    "tool_calls",
    "tool_call_id",
    "function",
    "custom",
    "name",
    "arguments",
    "input",
    "function_call",
    "id",
    "index",
    "cache_control",
    "ephemeral",
    "ttl",
    "annotations",
    "audio",
    "video_url",
    "auto",
    "required",
    "none",
    "json_schema",
    "json_object",
    "schema",
    "strict",
    "enabled",
    "budget_tokens",
    "adaptive",
    "extra_content",
    "google",
    "thought_signature",
    "data:image/png;base64,aGk=",
    "wav",
    "{}",
    "{\"a\":1}",
    "stop",
    "",
];

const TOP: &[&str] = &[
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "thinking",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_k",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "user",
    "safety_identifier",
    "metadata",
    "cache_control",
    "vendor",
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

fn with_more(base: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (base, prop::option::of((word(), value()))).prop_map(|(mut object, more)| {
        if let (Some(members), Some((name, value))) = (object.as_object_mut(), more) {
            members.entry(name).or_insert(value);
        }
        object
    })
}

fn part() -> impl Strategy<Value = Value> {
    with_more(prop_oneof![
        word().prop_map(|text| json!({"type": "text", "text": text})),
        word().prop_map(|url| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}})),
        word().prop_map(|url| json!({"type": "video_url", "video_url": {"url": url}})),
        Just(json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}})),
        word().prop_map(|data| json!({"type": "file", "file": {"file_data": data}})),
        Just(json!({"type": "file", "file": {"file_id": "f", "filename": "n"}})),
        word().prop_map(|text| json!({"type": "refusal", "refusal": text})),
        word().prop_map(|proof| json!({"type": "thinking", "thinking": "x", "signature": proof})),
        word().prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
        word().prop_map(|kind| json!({"type": kind})),
    ])
}

fn content() -> impl Strategy<Value = Value> {
    prop_oneof![
        word().prop_map(Value::String),
        prop::collection::vec(part(), 0..4).prop_map(Value::Array),
        part(),
        Just(Value::Null),
    ]
}

fn call() -> impl Strategy<Value = Value> {
    with_more(prop_oneof![
        word().prop_map(
            |text| json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": text}})
        ),
        word().prop_map(|text| json!({"id": "b", "type": "custom", "custom": {"name": "g", "input": text}})),
        Just(json!({"function": {"name": "h"}, "extra_content": {"google": {"thought_signature": "s"}}})),
    ])
}

fn assistant() -> impl Strategy<Value = Value> {
    let thinking = prop::collection::vec(part(), 0..3);
    (content(), prop::collection::vec(call(), 0..3), thinking).prop_map(|(content, calls, thinking)| {
        json!({"role": "assistant", "content": content, "tool_calls": calls, "thinking_blocks": thinking})
    })
}

fn message() -> impl Strategy<Value = Value> {
    with_more(prop_oneof![
        (
            prop::sample::select(&["user", "system", "developer"][..]),
            content()
        )
            .prop_map(|(role, content)| json!({"role": role, "content": content})),
        assistant(),
        content().prop_map(|content| json!({"role": "tool", "tool_call_id": "a", "content": content})),
        content().prop_map(|content| json!({"role": "function", "name": "f", "content": content})),
    ])
}

fn request() -> impl Strategy<Value = Value> {
    let members = prop::collection::vec((prop::sample::select(TOP), value()), 0..5);
    let tool = prop_oneof![
        value()
            .prop_map(|schema| json!({"type": "function", "function": {"name": "f", "parameters": schema}})),
        Just(json!({"type": "custom", "custom": {"name": "g"}})),
    ];
    let tools = prop::option::of(prop::collection::vec(tool, 0..3));
    (prop::collection::vec(message(), 1..5), tools, members).prop_map(|(messages, tools, members)| {
        let mut request: Map<String, Value> = members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if let Some(tools) = tools {
            request.insert("tools".to_owned(), Value::Array(tools));
        }
        request.insert("model".to_owned(), json!("m"));
        request.insert("messages".to_owned(), Value::Array(messages));
        Value::Object(request)
    })
}

fn openai() -> &'static dyn Dialect {
    dialect::find(DialectId::OpenAiChat).unwrap()
}

fn context() -> ReplyContext {
    ReplyContext {
        model: "m".to_owned(),
        id: "i".to_owned(),
        created: 1,
        stream_usage: true,
    }
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// The request as `target` would get it, with its losses; nothing when it is refused.
fn through(body: &Value, target: &dyn Dialect) -> Option<(Value, Losses)> {
    let request = openai().decode_request(body.to_string().as_bytes()).ok()?;
    let mut losses = Losses::default();
    let to = Target {
        model: &request.model,
        quirks: Quirks::NONE,
        want_stream_usage: false,
    };
    let written = target.encode_request(&request, to, &mut losses).ok()?;
    Some((parsed(&written), losses))
}

/// The answer as a client of `client` would get it.
fn answered(body: &Value, client: &dyn Dialect) -> Option<Value> {
    let response = openai().decode_response(body.to_string().as_bytes()).ok()?;
    Some(parsed(&client.encode_response(
        &response,
        &context(),
        &mut Losses::default(),
    )))
}

/// A chunk that is mostly one.
fn chunk() -> impl Strategy<Value = Value> {
    let piece = (prop::option::of(0_u32..3), prop::option::of(word()), prop::option::of(word()), word()).prop_map(
        |(index, id, name, arguments)| json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}}),
    );
    let delta = with_more(prop_oneof![
        4 => content().prop_map(|content| json!({"content": content})),
        2 => word().prop_map(|text| json!({"reasoning_content": text})),
        1 => word().prop_map(|text| json!({"refusal": text})),
        4 => prop::collection::vec(piece, 1..3).prop_map(|calls| json!({"tool_calls": calls})),
        1 => prop::collection::vec(part(), 0..2).prop_map(|blocks| json!({"thinking_blocks": blocks})),
        1 => prop::collection::vec(value(), 0..2).prop_map(|list| json!({"annotations": list})),
        1 => value(),
    ]);
    let finish = prop::option::weighted(0.1, word());
    let choice = (0_u32..2, delta, finish)
        .prop_map(|(index, delta, finish)| json!({"index": index, "delta": delta, "finish_reason": finish}));
    with_more(prop_oneof![
        8 => prop::collection::vec(choice, 0..3).prop_map(|choices| json!({"id": "c", "choices": choices})),
        1 => value().prop_map(|usage| json!({"choices": [], "usage": usage})),
        1 => value(),
    ])
}

/// Blocks begin, grow and end one after the other in each candidate, and a candidate ends once.
fn check_order(events: &[Event]) {
    let mut open: HashMap<u32, Option<u32>> = HashMap::new();
    let mut next: HashMap<u32, u32> = HashMap::new();
    let mut finished = Vec::new();
    for (position, event) in events.iter().enumerate() {
        match event {
            Event::Start { .. } => assert_eq!(position, 0, "Start is not first: {events:?}"),
            Event::BlockStart { candidate, block, .. } => {
                let next = next.entry(*candidate).or_default();
                assert_eq!(block, next, "{events:?}");
                *next += 1;
                let before = open.insert(*candidate, Some(*block));
                assert!(before.flatten().is_none(), "blocks interleave: {events:?}");
            }
            Event::Delta { candidate, block, .. } => {
                assert_eq!(open.get(candidate), Some(&Some(*block)), "{events:?}");
            }
            Event::BlockStop { candidate, block } => {
                let before = open.insert(*candidate, None);
                assert_eq!(before, Some(Some(*block)), "{events:?}");
            }
            Event::Finish { candidate, .. } => {
                assert!(!finished.contains(candidate), "{events:?}");
                finished.push(*candidate);
            }
            Event::End => assert_eq!(position + 1, events.len(), "End is not last: {events:?}"),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn a_request_written_once_is_written_so_again(request in request()) {
        for target in dialect::ALL {
            through(&request, *target);
        }
        if let Some((first, _)) = through(&request, openai()) {
            let (second, losses) = through(&first, openai()).expect("its own output is readable");
            prop_assert_eq!(second, first);
            prop_assert!(losses.is_empty(), "{:?}", losses);
        }
    }

    #[test]
    fn an_answer_written_once_is_written_so_again(message in assistant(), finish in word(), more in value()) {
        let answer = json!({"id": "c", "choices": [{"message": message, "finish_reason": finish, "logprobs": more}], "usage": more});
        for client in dialect::ALL {
            answered(&answer, *client);
        }
        if let Some(first) = answered(&answer, openai()) {
            prop_assert_eq!(answered(&first, openai()).expect("its own output is readable"), first);
        }
    }

    #[test]
    fn any_chunks_give_valid_streams(chunks in prop::collection::vec(chunk(), 0..12)) {
        let mut decoder = openai().stream_decoder();
        let mut observation = Observation::default();
        let mut events = Vec::new();
        for chunk in &chunks {
            let data = chunk.to_string();
            openai().observe_frame(None, data.as_bytes(), &mut observation);
            if decoder.frame(None, data.as_bytes(), &mut events).is_err() {
                break;
            }
        }
        decoder.finish(&mut events);
        check_order(&events);
        for client in dialect::ALL {
            let mut encoder = client.stream_encoder(&context());
            let mut out = Vec::new();
            for event in &events {
                encoder.event(event, &mut out, &mut Losses::default());
            }
            for line in String::from_utf8(out).unwrap().lines() {
                if let Some(data) = line.strip_prefix("data: ").filter(|data| *data != "[DONE]") {
                    parsed(data.as_bytes());
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = openai().decode_request(&body);
        let _ = openai().decode_response(&body);
        let _ = openai().stream_decoder().frame(None, &body, &mut Vec::new());
        prop_assert_eq!(openai().decode_error(418, &body).status, 418);
    }
}
