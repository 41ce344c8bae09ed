//! What becomes of requests of other dialects: each that the vendor would refuse is made one that it takes, and what that cost
//! is reported in the client's words.

use aigw_config::Quirks;
use serde_json::{Value, json};

use super::AnthropicMessages;
use crate::dialect::{Dialect, Target};
use crate::ir::DialectId;
use crate::ir::{
    Block, Extra, JsonSchema, Losses, Media, MediaKind, MediaSource, Message, OutputFormat, Part, Place,
    Reasoning, ReasoningBlock, ReasoningEffort, Request, Role, Sampling, Signature, Tool, ToolCall,
    ToolChoice, ToolKind, ToolResult,
};

fn said(role: Role, index: usize, parts: Vec<Part>) -> Message {
    let place = Place::item("messages", index);
    let blocks = parts.into_iter().enumerate().map(|(block, part)| Block {
        place: place.child("content", block),
        ..Block::new(part)
    });
    Message {
        role,
        name: None,
        content: blocks.collect(),
        extra: Extra::none(),
        place,
    }
}

fn text(text: &str) -> Part {
    Block::text(text).part
}

fn hello() -> Request {
    Request {
        model: "gpt".to_owned(),
        messages: vec![said(Role::User, 0, vec![text("hi")])],
        ..Request::default()
    }
}

fn written(request: &Request, model: &str) -> (Value, Vec<String>) {
    let mut losses = Losses::default();
    let target = Target {
        model,
        quirks: Quirks::NONE,
        want_stream_usage: false,
    };
    let body = AnthropicMessages
        .encode_request(request, target, &mut losses)
        .unwrap();
    let body = serde_json::from_slice(&body).expect("valid JSON");
    (body, losses.pointers().to_vec())
}

fn thinks(effort: ReasoningEffort, limit: Option<u64>, model: &str) -> (Value, Value, u64, Vec<String>) {
    let request = Request {
        reasoning: Some(Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        }),
        max_output_tokens: limit,
        ..hello()
    };
    let (body, losses) = written(&request, model);
    (
        body["thinking"].clone(),
        body["output_config"].clone(),
        body["max_tokens"].as_u64().unwrap(),
        losses,
    )
}

#[test]
fn an_effort_becomes_a_budget_where_the_model_knows_budgets() {
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    for (effort, limit, expected, max_tokens, lost) in [
        (ReasoningEffort::Minimal, None, budget(1_024), 32_000, vec![]),
        (ReasoningEffort::Low, None, budget(4_096), 32_000, vec![]),
        (ReasoningEffort::Medium, None, budget(8_192), 32_000, vec![]),
        (ReasoningEffort::High, None, budget(16_384), 32_000, vec![]),
        (ReasoningEffort::Max, None, budget(32_000), 33_024, vec![]),
        (ReasoningEffort::High, Some(4_000), budget(2_976), 4_000, vec![]),
        (
            ReasoningEffort::High,
            Some(100),
            budget(1_024),
            1_124,
            vec!["/max_completion_tokens".to_owned()],
        ),
        (
            ReasoningEffort::None,
            Some(100),
            json!({"type": "disabled"}),
            100,
            vec![],
        ),
    ] {
        let what = format!("{effort:?} of {limit:?}");
        let (thinking, config, limit, losses) = thinks(effort, limit, "claude-sonnet-4-5");
        assert_eq!(thinking, expected, "{what}");
        assert_eq!(config, Value::Null, "{what}");
        assert_eq!(limit, max_tokens, "{what}");
        assert_eq!(losses, lost, "{what}");
    }
}

#[test]
fn an_effort_stays_one_where_the_model_knows_efforts() {
    let adaptive = json!({"type": "adaptive"});
    let lost = || vec!["/reasoning_effort".to_owned()];
    for (effort, model, expected, word, losses) in [
        (
            ReasoningEffort::High,
            "claude-opus-4-7",
            adaptive.clone(),
            json!("high"),
            vec![],
        ),
        (
            ReasoningEffort::XHigh,
            "claude-opus-4-7",
            adaptive.clone(),
            json!("xhigh"),
            vec![],
        ),
        (
            ReasoningEffort::XHigh,
            "claude-opus-4-6",
            adaptive.clone(),
            json!("high"),
            lost(),
        ),
        (
            ReasoningEffort::Minimal,
            "claude-sonnet-5",
            adaptive,
            json!("low"),
            lost(),
        ),
        (
            ReasoningEffort::None,
            "claude-opus-5",
            json!({"type": "disabled"}),
            Value::Null,
            vec![],
        ),
        (
            ReasoningEffort::None,
            "claude-sonnet-5-5",
            json!({"type": "between_tools"}),
            Value::Null,
            vec![],
        ),
        (
            ReasoningEffort::None,
            "claude-fable-5",
            Value::Null,
            Value::Null,
            lost(),
        ),
        (
            ReasoningEffort::High,
            "claude-3-5-haiku-20241022",
            Value::Null,
            Value::Null,
            lost(),
        ),
    ] {
        let what = format!("{effort:?} of {model}");
        let (thinking, config, _, reported) = thinks(effort, Some(9_000), model);
        assert_eq!(thinking, expected, "{what}");
        assert_eq!(config["effort"], word, "{what}");
        assert_eq!(reported, losses, "{what}");
    }
}

#[test]
fn sampling_gives_way_to_thinking_and_to_the_range() {
    let mut request = hello();
    request.sampling = Sampling {
        temperature: serde_json::Number::from_f64(1.7),
        frequency_penalty: serde_json::Number::from_f64(0.5),
        presence_penalty: serde_json::Number::from_f64(0.0),
        seed: Some(7.into()),
        ..Sampling::default()
    };
    request.candidates = Some(2);
    request.cache_key = Some("k".to_owned());
    request.service_tier = Some("flex".to_owned());
    let (body, losses) = written(&request, "claude-sonnet-4-5");
    assert_eq!(body["temperature"], json!(1));
    assert_eq!(
        losses,
        [
            "/temperature",
            "/frequency_penalty",
            "/presence_penalty",
            "/seed",
            "/service_tier",
            "/n",
            "/prompt_cache_key"
        ]
    );

    request = hello();
    request.sampling.temperature = serde_json::Number::from_f64(0.5);
    request.sampling.top_p = serde_json::Number::from_f64(0.95);
    request.reasoning = Some(Reasoning {
        effort: Some(ReasoningEffort::Low),
        ..Reasoning::default()
    });
    let (body, losses) = written(&request, "claude-sonnet-4-5");
    assert_eq!(
        (&body["temperature"], &body["top_p"]),
        (&Value::Null, &json!(0.95))
    );
    assert_eq!(losses, ["/temperature"]);
}

fn call(id: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        custom: false,
        signature: None,
    })
}

fn result(id: &str) -> Part {
    Part::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: None,
        content: vec![Block::text("r")],
        is_error: None,
    })
}

#[test]
fn results_stand_first_and_in_one_turn() {
    let request = Request {
        messages: vec![
            said(Role::System, 0, vec![text("one")]),
            said(Role::User, 1, vec![text("hi")]),
            said(Role::Assistant, 2, vec![call("call.1"), call("call:2")]),
            said(Role::User, 3, vec![text("hurry")]),
            said(Role::Tool, 4, vec![result("call:2")]),
            said(Role::Developer, 5, vec![text("two")]),
            said(Role::Tool, 6, vec![result("call.1")]),
        ],
        ..hello()
    };
    let (body, losses) = written(&request, "claude-sonnet-4-5");
    let use_of = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result_of = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "r"});
    assert_eq!(
        body["system"],
        json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}])
    );
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [use_of("call_x2e1"), use_of("call_x3a2")]},
            {"role": "user", "content": [result_of("call_x3a2"), result_of("call_x2e1"), {"type": "text", "text": "hurry"}]}
        ])
    );
    assert_eq!(losses, [""; 0]);
}

#[test]
fn instructions_stay_in_the_middle_only_before_an_answer() {
    let roles = |order: &[Role]| {
        let messages = order.iter().enumerate();
        let request = Request {
            messages: messages
                .map(|(index, role)| said(*role, index, vec![text(&index.to_string())]))
                .collect(),
            ..hello()
        };
        let (body, _) = written(&request, "claude-opus-4-8");
        let turns = body["messages"].as_array().unwrap().iter();
        let turns: Vec<String> = turns
            .map(|turn| turn["role"].as_str().unwrap().to_owned())
            .collect();
        (turns.join(" "), body["system"].clone())
    };
    use Role::{Assistant, System, User};
    assert_eq!(roles(&[User, System]), ("user system".to_owned(), Value::Null));
    assert_eq!(
        roles(&[User, System, System, Assistant, User]),
        ("user system assistant user".to_owned(), Value::Null)
    );
    assert_eq!(roles(&[User, System, User]), ("user".to_owned(), json!("1")));
    assert_eq!(
        roles(&[System, User, Assistant, System, User]),
        (
            "user assistant user".to_owned(),
            json!([{"type": "text", "text": "0"}, {"type": "text", "text": "3"}])
        )
    );
}

fn tool(strict: Option<bool>, parameters: Option<Value>) -> Tool {
    Tool {
        kind: ToolKind::Function {
            name: "f".to_owned(),
            description: None,
            parameters,
            strict,
        },
        cache: None,
        extra: Extra::none(),
        place: Place::item("tools", 0),
    }
}

#[test]
fn tools_and_choices() {
    let mut request = Request {
        tools: vec![tool(Some(false), None)],
        parallel_tool_calls: Some(false),
        ..hello()
    };
    let (body, _) = written(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["tools"],
        json!([{"name": "f", "input_schema": {"type": "object"}}])
    );
    assert_eq!(
        body["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );

    request.parallel_tool_calls = Some(true);
    request.tool_choice = Some(ToolChoice::Tool("f".to_owned()));
    request.tools = vec![tool(Some(true), Some(json!({"properties": {}})))];
    let (body, losses) = written(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["tools"],
        json!([{"name": "f", "input_schema": {"type": "object", "properties": {}}, "strict": true}])
    );
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "f"}));
    assert_eq!(losses, [""; 0]);

    let (body, losses) = written(&request, "claude-3-7-sonnet-20250219");
    assert_eq!(body["tools"][0]["strict"], Value::Null);
    assert_eq!(losses, ["/tools/0/function/strict"]);

    let (body, losses) = written(&request, "claude-opus-5-5");
    assert_eq!(body["tool_choice"], Value::Null);
    assert_eq!(losses, ["/tool_choice"]);

    request.tools.clear();
    let (body, losses) = written(&request, "claude-sonnet-4-5");
    assert_eq!(
        (&body["tools"], &body["tool_choice"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(losses, ["/tool_choice"]);
}

#[test]
fn the_form_of_the_answer() {
    let mut request = Request {
        output: OutputFormat::JsonSchema(JsonSchema {
            name: Some("n".to_owned()),
            description: Some("d".to_owned()),
            schema: json!({"type": "object"}),
            strict: Some(true),
        }),
        ..hello()
    };
    let (body, losses) = written(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["output_config"],
        json!({"format": {"type": "json_schema", "schema": {"type": "object", "description": "d"}}})
    );
    assert_eq!(losses, [""; 0]);

    let (body, losses) = written(&request, "claude-sonnet-4-20250514");
    assert_eq!(body["output_config"], Value::Null);
    assert_eq!(losses, ["/response_format"]);

    request.output = OutputFormat::JsonObject;
    let (body, losses) = written(&request, "claude-sonnet-4-5");
    assert_eq!(body["output_config"], Value::Null);
    assert_eq!(losses, ["/response_format"]);
}

#[test]
fn what_the_vendor_does_not_know_is_left_out() {
    let media = |kind, source| {
        Part::Media(Media {
            kind,
            source,
            detail: Some("high".to_owned()),
        })
    };
    let data = |media_type: &str| MediaSource::Base64 {
        media_type: media_type.to_owned(),
        data: "aGk=".to_owned(),
    };
    let foreign = Signature {
        dialect: DialectId::Gemini,
        value: "s".to_owned(),
    };
    let request = Request {
        messages: vec![
            said(
                Role::User,
                0,
                vec![
                    media(MediaKind::Audio, data("audio/wav")),
                    media(MediaKind::Image, data("image/png")),
                    media(MediaKind::Image, data("application/pdf")),
                    media(
                        MediaKind::Image,
                        MediaSource::File {
                            id: "file-1".to_owned(),
                        },
                    ),
                ],
            ),
            said(
                Role::Assistant,
                1,
                vec![
                    Part::Reasoning(ReasoningBlock {
                        text: Some("hm".to_owned()),
                        signature: Some(foreign),
                        redacted: None,
                    }),
                    Part::Refusal("no".to_owned()),
                ],
            ),
            said(Role::User, 2, vec![text("why?")]),
        ],
        ..hello()
    };
    let (body, losses) = written(&request, "claude-sonnet-4-5");
    let source = |media_type: &str| json!({"type": "base64", "media_type": media_type, "data": "aGk="});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [
                {"type": "image", "source": source("image/png")},
                {"type": "document", "source": source("application/pdf")}
            ]},
            {"role": "assistant", "content": [{"type": "text", "text": "no"}]},
            {"role": "user", "content": "why?"}
        ])
    );
    assert_eq!(
        losses,
        [
            "/messages/0/content/0",
            "/messages/0/content/1/image_url/detail",
            "/messages/0/content/2/image_url/detail",
            "/messages/0/content/3/image_url/detail",
            "/messages/0/content/3",
            "/messages/1/content/0"
        ]
    );
}

#[test]
fn a_limit_is_always_sent() {
    for (model, expected) in [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-3-5-haiku-20241022", 8_192),
        ("claude-opus-4-1", 32_000),
        ("some-model", 8_192),
    ] {
        let (body, losses) = written(&hello(), model);
        assert_eq!(body["max_tokens"], json!(expected), "{model}");
        assert_eq!(losses, [""; 0], "{model}");
    }
}
