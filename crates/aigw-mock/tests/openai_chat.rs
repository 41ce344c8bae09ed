//! Chat completions: content, streams, and the rules that are enforced.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use http::StatusCode;
use serde_json::{Value, json};
use support::plain;

fn user(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

fn weather() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
        "properties": {"city": {"type": "string"}}, "required": ["city"]}}},
        {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}])
}

#[tokio::test]
async fn answers_ping_under_any_prefix() {
    let mock = plain().await;
    for path in [
        "/v1/chat/completions",
        "/v1beta/openai/chat/completions",
        "/openai/v1/chat/completions",
        "/compatibility/v1/chat/completions",
        "/v1/openai/chat/completions",
    ] {
        let answer = mock
            .post(path, &[], &json!({"model": "gpt-4o", "messages": user("ping")}))
            .await
            .ok();
        assert_eq!(answer["choices"][0]["message"]["content"], "pong", "{path}");
        assert_eq!(answer["model"], "gpt-4o");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        assert_eq!(answer["usage"]["total_tokens"], 2);
    }
}

#[tokio::test]
async fn streams_one_event_a_word() {
    let mock = plain().await;
    let body = json!({"model": "m", "messages": user("count to 64"), "stream": true,
        "stream_options": {"include_usage": true}});
    let answer = mock.chat(&body).await;
    assert!(
        answer.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/event-stream")
    );
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    let events = answer.events();
    let words: Vec<_> = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(words.len(), 65, "an empty first one, then a word each");
    assert_eq!(words.concat().split(' ').next_back(), Some("64"));
    let last = events.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], 64);
    assert!(
        events
            .iter()
            .rev()
            .skip(1)
            .all(|event| event["usage"].is_null() && event.get("usage").is_some())
    );
}

#[tokio::test]
async fn usage_is_streamed_only_when_asked_for() {
    let mock = plain().await;
    let answer = mock
        .chat(&json!({"model": "m", "messages": user("ping"), "stream": true}))
        .await;
    assert!(answer.events().iter().all(|event| event.get("usage").is_none()));
}

#[tokio::test]
async fn calls_tools_and_takes_their_results() {
    let mock = plain().await;
    let mut body =
        json!({"model": "m", "messages": user("use get_weather and get_time"), "tools": weather()});
    let answer = mock.chat(&body).await.ok();
    let message = answer["choices"][0]["message"].clone();
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["content"], Value::Null);
    assert_eq!(
        message["tool_calls"][0]["function"]["arguments"],
        r#"{"city":"city"}"#
    );
    assert_eq!(message["tool_calls"][1]["function"]["name"], "get_time");
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(message.clone());
    for (at, text) in ["sunny", "noon"].iter().enumerate() {
        messages
            .push(json!({"role": "tool", "tool_call_id": message["tool_calls"][at]["id"], "content": text}));
    }
    let answer = mock.chat(&body).await.ok();
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "The tool said: sunny and The tool said: noon"
    );
}

#[tokio::test]
async fn streamed_tool_calls_join_to_the_whole_ones() {
    let mock = plain().await;
    let body =
        json!({"model": "m", "messages": user("get_weather and also"), "tools": weather(), "stream": true});
    let mut arguments = [String::new(), String::new()];
    let mut ids = Vec::new();
    for event in mock.chat(&body).await.events() {
        for call in event["choices"][0]["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            ids.extend(call["id"].as_str().map(str::to_owned));
            arguments[at].push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(arguments, [r#"{"city":"city"}"#, r#"{"city":"city"}"#]);
}

#[tokio::test]
async fn choices_reasoning_refusal_and_schema() {
    let mock = plain().await;
    let body =
        json!({"model": "deepseek-reasoner", "messages": user("hello"), "n": 2, "reasoning_effort": "low"});
    let answer = mock.chat(&body).await.ok();
    assert_eq!(answer["choices"].as_array().unwrap().len(), 2);
    assert!(
        answer["choices"][1]["message"]["reasoning_content"]
            .as_str()
            .unwrap()
            .contains("hello")
    );
    assert!(
        answer["usage"]["completion_tokens_details"]["reasoning_tokens"]
            .as_u64()
            .unwrap()
            > 16
    );
    let answer = mock
        .chat(&json!({"model": "m", "messages": user("please refuse")}))
        .await
        .ok();
    assert_eq!(answer["choices"][0]["message"]["content"], Value::Null);
    assert!(answer["choices"][0]["message"]["refusal"].is_string());
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
        "additionalProperties": false});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "out", "strict": true, "schema": schema}});
    let answer = mock
        .chat(&json!({"model": "m", "messages": user("hi"), "response_format": format}))
        .await
        .ok();
    assert_eq!(answer["choices"][0]["message"]["content"], r#"{"n":1}"#);
}

#[tokio::test]
async fn sees_images_and_files() {
    let mock = plain().await;
    let content = json!([{"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]);
    let answer = mock
        .chat(&json!({"model": "m", "messages": [{"role": "user", "content": content}]}))
        .await
        .ok();
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "I see an image of 4 bytes (image/png) and I read a document of 5 bytes"
    );
}

#[tokio::test]
async fn stop_and_limits() {
    let mock = plain().await;
    let answer = mock
        .chat(&json!({"model": "m", "messages": user("count to 9"), "max_tokens": 3}))
        .await
        .ok();
    assert_eq!(answer["choices"][0]["message"]["content"], "1 2 3");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    let answer = mock
        .chat(&json!({"model": "m", "messages": user("count to 9"), "stop": "4"}))
        .await
        .ok();
    assert_eq!(answer["choices"][0]["message"]["content"], "1 2 3 ");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn wrong_requests_are_refused_as_the_vendor_does() {
    let mock = plain().await;
    let call = json!([{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let unanswered = json!([{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": call},
        {"role": "user", "content": "b"}]);
    let stray =
        json!([{"role": "user", "content": "a"}, {"role": "tool", "tool_call_id": "x", "content": "b"}]);
    for (body, param, code) in [
        (json!({"messages": user("a")}), Value::Null, Value::Null),
        (
            json!({"model": "m"}),
            json!("messages"),
            json!("missing_required_parameter"),
        ),
        (
            json!({"model": "m", "messages": []}),
            json!("messages"),
            json!("empty_array"),
        ),
        (
            json!({"model": "m", "messages": [{"role": "robot", "content": "a"}]}),
            json!("messages[0].role"),
            json!("invalid_value"),
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": null}]}),
            json!("messages[0].content"),
            Value::Null,
        ),
        (
            json!({"model": "m", "messages": unanswered}),
            json!("messages"),
            Value::Null,
        ),
        (
            json!({"model": "m", "messages": stray}),
            json!("messages.[1].role"),
            Value::Null,
        ),
        (
            json!({"model": "o3", "messages": user("a"), "max_tokens": 5}),
            json!("max_tokens"),
            json!("unsupported_parameter"),
        ),
        (
            json!({"model": "m", "messages": user("a"), "system": "x"}),
            json!("system"),
            json!("unknown_parameter"),
        ),
        (
            json!({"model": "m", "messages": user("a"), "response_format": {"type": "json_object"}}),
            json!("messages"),
            Value::Null,
        ),
        (
            json!({"model": "m", "messages": user("a"), "tools": []}),
            json!("tools"),
            json!("empty_array"),
        ),
        (
            json!({"model": "m", "messages": user("a"), "tool_choice": "auto"}),
            json!("tool_choice"),
            Value::Null,
        ),
    ] {
        let answer = mock.chat(&body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let error = &answer.json()["error"];
        assert_eq!(error["type"], "invalid_request_error", "{body}");
        assert_eq!(
            (&error["param"], &error["code"]),
            (&param, &code),
            "{body}: {error}"
        );
    }
    let answer = mock
        .chat(&json!({"model": "missing-model", "messages": user("a")}))
        .await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (StatusCode::NOT_FOUND, &json!("model_not_found"))
    );
    let answer = mock.send("POST", "/v1/chat/completions", &[], "{").await.unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        mock.get("/v1/chat/completions").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(
        mock.get("/v1/nothing").await.json()["error"]["code"],
        "unknown_url"
    );
}
