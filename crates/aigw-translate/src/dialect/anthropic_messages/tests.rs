//! Round trips through the representation: what a client wrote in this dialect reaches an upstream of this dialect unchanged.

use aigw_config::Quirks;
use serde_json::{Value, json};

use super::AnthropicMessages;
use crate::dialect::{Dialect, ReplyContext, Target};
use crate::ir::{BlockKind, Delta, DialectId, Event, Extra, Losses, Opaque};

fn context() -> ReplyContext {
    ReplyContext {
        model: "asked".to_owned(),
        id: "x1".to_owned(),
        created: 1,
        stream_usage: true,
    }
}

#[track_caller]
fn same_request(request: Value) {
    let model = request["model"].as_str().unwrap().to_owned();
    let read = AnthropicMessages
        .decode_request(request.to_string().as_bytes())
        .unwrap();
    let target = Target {
        model: &model,
        quirks: Quirks::NONE,
        want_stream_usage: false,
    };
    let mut losses = Losses::default();
    let written = AnthropicMessages
        .encode_request(&read, target, &mut losses)
        .unwrap();
    let written: Value = serde_json::from_slice(&written).expect("valid JSON");
    assert_eq!(written, request);
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn a_request_of_everything_is_the_same() {
    same_request(json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 9000,
        "stream": true,
        "system": [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "b"}
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}, "transformations": {"x": 1}},
                {"type": "image", "source": {"type": "url", "url": "https://e.x/a.png", "hint": "new"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                 "title": "t", "context": "c", "citations": {"enabled": true, "more": 2}, "cache_control": {"type": "ephemeral"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "chunk"}]}},
                {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]}
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "text", "text": "cited", "citations": [{"type": "char_location", "cited_text": "p", "document_index": 0,
                    "document_title": null, "start_char_index": 0, "end_char_index": 1}]},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1.5}, "caller": {"type": "direct"}}
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    {"type": "text", "text": "bad"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
                ], "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "go on"}
            ]}
        ],
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"type": "number"}}},
             "strict": true, "cache_control": {"type": "ephemeral"}, "eager_input_streaming": true},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": false},
        "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "summarized"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}, "task_budget": {"x": 1}},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u", "other": 1},
        "service_tier": "standard_only",
        "cache_control": {"type": "ephemeral"},
        "container": "container_1",
        "mcp_servers": [{"type": "url", "url": "https://m.x", "name": "m"}],
        "context_management": {"edits": []}
    }));
}

#[test]
fn other_forms_of_thinking_are_the_same() {
    for (model, thinking) in [
        (
            "claude-opus-4-7",
            json!({"type": "adaptive", "display": "omitted"}),
        ),
        ("claude-haiku-4-5", json!({"type": "disabled"})),
        ("claude-sonnet-5-5", json!({"type": "between_tools"})),
        ("some-alias", json!({"type": "adaptive"})),
    ] {
        same_request(json!({
            "model": model,
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 100,
            "thinking": thinking,
        }));
    }
}

#[test]
fn instructions_in_the_middle_stay_where_the_model_takes_them() {
    same_request(json!({
        "model": "claude-opus-4-8",
        "system": "first",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "now be brief"},
            {"role": "assistant", "content": "ok"},
            {"role": "user", "content": "go"}
        ],
        "max_tokens": 100,
    }));
}

#[test]
fn arguments_keep_their_digits() {
    let input = r#"{"n":123456789012345678901234567890,"x":1.10,"y":1e400}"#;
    let body = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"f","input":{input}}}]}}]}}"#
    );
    let read = AnthropicMessages.decode_request(body.as_bytes()).unwrap();
    let target = Target {
        model: "m",
        quirks: Quirks::NONE,
        want_stream_usage: false,
    };
    let written = AnthropicMessages
        .encode_request(&read, target, &mut Losses::default())
        .unwrap();
    let written = String::from_utf8(written).unwrap();
    assert!(written.contains(input), "{written}");
}

#[test]
fn an_answer_is_the_same() {
    let answer = json!({
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "ZA=="},
            {"type": "text", "text": "hello", "citations": [{"type": "page_location", "cited_text": "p"}]},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
        ],
        "stop_reason": "stop_sequence", "stop_sequence": "END",
        "usage": {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 20,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
            "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 8},
            "service_tier": "priority", "server_tool_use": {"web_search_requests": 1}},
        "container": {"id": "c"},
        "stop_details": {"type": "refusal"}
    });
    let read = AnthropicMessages
        .decode_response(answer.to_string().as_bytes())
        .unwrap();
    assert_eq!(read.usage.input, Some(33));
    let mut losses = Losses::default();
    let written = AnthropicMessages.encode_response(&read, &context(), &mut losses);
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written, answer);
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn an_unknown_stop_reason_is_the_same() {
    let answer = json!({
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
        "stop_reason": "brand_new", "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 0}
    });
    let read = AnthropicMessages
        .decode_response(answer.to_string().as_bytes())
        .unwrap();
    let written = AnthropicMessages.encode_response(&read, &context(), &mut Losses::default());
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), answer);
}

fn frames() -> Vec<(&'static str, Value)> {
    vec![
        (
            "message_start",
            json!({"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
            "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1, "inference_geo": "eu"},
            "container": {"id": "c"}}}),
        ),
        ("ping", json!({"type": "ping"})),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm\n\"é"}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "signature_delta", "signature": "c2ln"}}),
        ),
        (
            "content_block_stop",
            json!({"type": "content_block_stop", "index": 0}),
        ),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 1,
            "content_block": {"type": "redacted_thinking", "data": "ZA=="}}),
        ),
        (
            "content_block_stop",
            json!({"type": "content_block_stop", "index": 1}),
        ),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 2,
            "content_block": {"type": "text", "text": ""}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 2,
            "delta": {"type": "text_delta", "text": "hello"}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 2,
            "delta": {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "x"}}}),
        ),
        (
            "content_block_stop",
            json!({"type": "content_block_stop", "index": 2}),
        ),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 3,
            "content_block": {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 3,
            "delta": {"type": "input_json_delta", "partial_json": "{\"q\":1}"}}),
        ),
        (
            "content_block_stop",
            json!({"type": "content_block_stop", "index": 3}),
        ),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 4,
            "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "caller": {"type": "direct"}}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 4,
            "delta": {"type": "input_json_delta", "partial_json": ""}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 4,
            "delta": {"type": "input_json_delta", "partial_json": "{\"a\":1}"}}),
        ),
        (
            "content_block_stop",
            json!({"type": "content_block_stop", "index": 4}),
        ),
        ("brand_new_event", json!({"type": "brand_new_event", "a": 1})),
        (
            "message_delta",
            json!({"type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": null, "stop_details": {"a": 1}},
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 40,
                "server_tool_use": {"web_search_requests": 1}}}),
        ),
        ("message_stop", json!({"type": "message_stop"})),
    ]
}

fn decode(frames: &[(&str, Value)], named: bool) -> Vec<Event> {
    let mut decoder = AnthropicMessages.stream_decoder();
    let mut events = Vec::new();
    for (name, data) in frames {
        decoder
            .frame(named.then_some(*name), data.to_string().as_bytes(), &mut events)
            .unwrap();
    }
    assert!(decoder.finish(&mut events));
    events
}

fn encode(events: &[Event]) -> (Vec<(String, Value)>, Losses) {
    let mut encoder = AnthropicMessages.stream_encoder(&context());
    let mut losses = Losses::default();
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out, &mut losses);
    }
    let text = String::from_utf8(out).unwrap();
    let frames = text.split_terminator("\n\n").map(|frame| {
        let (name, data) = frame
            .strip_prefix("event: ")
            .and_then(|frame| frame.split_once("\ndata: "))
            .expect("an event");
        (name.to_owned(), serde_json::from_str(data).expect("JSON data"))
    });
    (frames.collect(), losses)
}

#[test]
fn a_stream_is_the_same() {
    let events = decode(&frames(), true);
    assert_eq!(events, decode(&frames(), false));
    let (written, losses) = encode(&events);
    let expected: Vec<(String, Value)> = frames()
        .into_iter()
        .map(|(name, data)| (name.to_owned(), data))
        .collect();
    for (written, expected) in written.iter().zip(&expected) {
        assert_eq!(written, expected);
    }
    assert_eq!(written.len(), expected.len());
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn a_cut_stream_is_not_complete() {
    let all = frames();
    for end in 0..all.len() {
        let mut decoder = AnthropicMessages.stream_decoder();
        let mut events = Vec::new();
        for (name, data) in &all[..end] {
            decoder
                .frame(Some(name), data.to_string().as_bytes(), &mut events)
                .unwrap();
        }
        // Once the reason is told, nothing of the answer is missing.
        let told = all[..end].iter().any(|(name, _)| *name == "message_delta");
        assert_eq!(decoder.finish(&mut events), told, "after {end} frames");
        assert_eq!(events.last() == Some(&Event::End), told);
    }
}

#[test]
fn an_error_ends_a_stream() {
    let mut decoder = AnthropicMessages.stream_decoder();
    let mut events = Vec::new();
    let data = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    decoder
        .frame(Some("error"), data.to_string().as_bytes(), &mut events)
        .unwrap();
    assert!(!decoder.finish(&mut events));
    let (written, _) = encode(&events);
    assert_eq!(written, [("error".to_owned(), data)]);
}

/// Some servers say a call's arguments whole at its start; those that stream them say `{}` there.
#[test]
fn arguments_at_the_start_count_when_no_delta_says_them() {
    let arguments = |deltas: &[Value]| {
        let start = json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}});
        let mut frames = vec![("content_block_start", start)];
        for delta in deltas {
            frames.push((
                "content_block_delta",
                json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            ));
        }
        frames.push(("message_stop", json!({"type": "message_stop"})));
        let events = decode(&frames, true).into_iter();
        let texts = events.filter_map(|event| match event {
            Event::Delta {
                delta: Delta::Arguments(text),
                ..
            } => Some(text),
            _ => None,
        });
        texts.collect::<String>()
    };
    assert_eq!(arguments(&[]), r#"{"a":1}"#);
    let streamed = json!({"type": "input_json_delta", "partial_json": "{\"b\":2}"});
    assert_eq!(arguments(&[streamed]), r#"{"b":2}"#);
    let empty = json!({"type": "input_json_delta", "partial_json": ""});
    assert_eq!(arguments(&[empty]), r#"{"a":1}"#);
}

/// Plain text of a free-form tool is an object for this client.
#[test]
fn a_free_form_call_is_an_object_when_whole() {
    let delta = |text: &str| Event::Delta {
        candidate: 0,
        block: 0,
        delta: Delta::Arguments(text.to_owned()),
    };
    let start = Event::BlockStart {
        candidate: 0,
        block: 0,
        kind: BlockKind::ToolCall {
            id: "c".to_owned(),
            name: "sh".to_owned(),
            custom: true,
            signature: None,
        },
        extra: Extra::none(),
    };
    let stop = Event::BlockStop {
        candidate: 0,
        block: 0,
    };
    let (written, losses) = encode(&[start, delta("ls "), delta("\"a\""), stop, Event::End]);
    let json: Vec<&str> = written
        .iter()
        .filter_map(|(_, data)| data["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(json, [r#"{"input":"ls \"a\""}"#]);
    assert_eq!(losses.pointers(), ["/content/0"]);
    // A call without a reason to stop still tells the client to run it.
    assert_eq!(
        written.iter().rev().nth(1).unwrap().1["delta"]["stop_reason"],
        "tool_use"
    );
}

#[test]
fn other_vendors_blocks_and_candidates_are_left_out() {
    let start = |candidate, block, kind| Event::BlockStart {
        candidate,
        block,
        kind,
        extra: Extra::none(),
    };
    let delta = |candidate, block, delta| Event::Delta {
        candidate,
        block,
        delta,
    };
    let foreign = Opaque {
        dialect: DialectId::Gemini,
        value: json!({"executableCode": {}}),
    };
    let said = |text: &str| Delta::Text(text.to_owned());
    let (written, losses) = encode(&[
        start(0, 0, BlockKind::Opaque(foreign.clone())),
        delta(0, 0, Delta::Opaque(foreign)),
        Event::BlockStop {
            candidate: 0,
            block: 0,
        },
        start(1, 0, BlockKind::Text),
        delta(1, 0, said("other")),
        start(0, 1, BlockKind::Text),
        delta(0, 1, said("mine")),
        Event::End,
    ]);
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(written[1].1["index"], 0);
    assert_eq!(written[2].1["delta"]["text"], "mine");
    assert_eq!(losses.pointers(), ["/content/0", "/choices/1"]);
}

#[test]
fn no_member_is_written_twice() {
    // A parser that keeps the last of two would hide it.
    for body in [
        r#"{"model":"m","max_tokens":5,"output_config":7,"output_format":{"type":"json_schema","schema":{}},"messages":[{"role":"user","content":"x"}]}"#,
        r#"{"model":"m","max_tokens":5,"metadata":"x","thinking":4,"tools":1,"stream":"no","messages":[{"role":"user","content":[
            {"type":"document","source":{"type":"url","url":"u"},"citations":4,"cache_control":"x"}]}]}"#,
    ] {
        let read = AnthropicMessages.decode_request(body.as_bytes()).unwrap();
        let target = Target {
            model: "m",
            quirks: Quirks::NONE,
            want_stream_usage: false,
        };
        let written = AnthropicMessages
            .encode_request(&read, target, &mut Losses::default())
            .unwrap();
        let text = String::from_utf8(written).unwrap();
        let tree: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(tree.to_string().len(), text.len(), "{text}");
    }
    let wrong = br#"{"model":"m","max_tokens":"5","messages":[{"role":"user","content":"x"}]}"#;
    let error = AnthropicMessages.decode_request(wrong).unwrap_err();
    assert_eq!((error.status, error.param.as_deref()), (400, Some("max_tokens")));
}
