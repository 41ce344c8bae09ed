//! Messages: content, streams, and the rules that are enforced.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use http::StatusCode;
use serde_json::{Value, json};
use support::{Server, plain};

fn ask(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 2000, "messages": [{"role": "user", "content": text}]})
}

fn with(mut body: Value, members: Value) -> Value {
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body
}

fn weather() -> Value {
    json!([{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}])
}

#[tokio::test]
async fn answers_whole_and_streamed_alike() {
    let mock = plain().await;
    for text in [
        "ping",
        "count to 5",
        "use get_weather and also explain",
        "please refuse",
    ] {
        let body = with(ask(text), json!({"tools": weather()}));
        let whole = mock.messages(&body).await.ok();
        let streamed = join(&mock.messages(&with(body, json!({"stream": true}))).await.events());
        assert_eq!(untold(&streamed["content"]), untold(&whole["content"]), "{text}");
        assert_eq!(streamed["stop_reason"], whole["stop_reason"], "{text}");
        assert_eq!(
            streamed["usage"]["output_tokens"], whole["usage"]["output_tokens"],
            "{text}"
        );
    }
}

/// Content without the ids, which no two answers share.
fn untold(content: &Value) -> Value {
    let mut content = content.clone();
    for block in content.as_array_mut().unwrap() {
        block.as_object_mut().unwrap().remove("id");
    }
    content
}

/// Puts a stream together as a client does.
fn join(events: &[Value]) -> Value {
    let mut message = Value::Null;
    let mut json_text = String::new();
    for event in events {
        let at = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                message["content"]
                    .as_array_mut()
                    .unwrap()
                    .push(event["content_block"].clone());
                json_text.clear();
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let block = &mut message["content"][at];
                match delta["type"].as_str().unwrap() {
                    "input_json_delta" => json_text.push_str(delta["partial_json"].as_str().unwrap()),
                    "citations_delta" => block["citations"]
                        .as_array_mut()
                        .unwrap()
                        .push(delta["citation"].clone()),
                    kind => {
                        let name = kind.trim_end_matches("_delta");
                        let text = block[name].as_str().unwrap().to_owned() + delta[name].as_str().unwrap();
                        block[name] = text.into();
                    }
                }
            }
            "content_block_stop" if !json_text.is_empty() => {
                message["content"][at]["input"] = serde_json::from_str(&json_text).unwrap();
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["usage"] = event["usage"].clone();
            }
            _ => {}
        }
    }
    message
}

#[tokio::test]
async fn thinks_and_verifies_what_it_thought() {
    let mock = plain().await;
    let thinking = json!({"tools": weather(), "thinking": {"type": "enabled", "budget_tokens": 1024}});
    let first = with(ask("use get_weather"), thinking.clone());
    let answer = mock.messages(&first).await.ok();
    let content = answer["content"].clone();
    assert_eq!(
        (&content[0]["type"], &content[1]["type"]),
        (&json!("thinking"), &json!("tool_use"))
    );
    assert!(
        answer["usage"]["output_tokens_details"]["thinking_tokens"]
            .as_u64()
            .unwrap()
            > 0
    );
    let streamed = join(
        &mock
            .messages(&with(first, json!({"stream": true})))
            .await
            .events(),
    );
    assert_eq!(streamed["content"][0], content[0]);

    let next = |content: &Value, id: &Value| {
        let messages = json!([{"role": "user", "content": "use get_weather"}, {"role": "assistant", "content": content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "sunny"}]}]);
        with(with(ask(""), thinking.clone()), json!({"messages": messages}))
    };
    let id = content[1]["id"].clone();
    let answer = mock.messages(&next(&content, &id)).await.ok();
    assert_eq!(answer["content"][1]["text"], "The tool said: sunny");

    let mut forged = content.clone();
    forged[0]["thinking"] = "something else".into();
    assert!(
        mock.messages(&next(&forged, &id))
            .await
            .message()
            .contains("Invalid `signature`")
    );
    let without = json!([content[1]]);
    assert!(
        mock.messages(&next(&without, &id))
            .await
            .message()
            .contains("Expected `thinking`")
    );
}

#[tokio::test]
async fn redacted_thinking_round_trips() {
    let mock = plain().await;
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let answer = mock.messages(&with(ask("redacted"), thinking)).await.ok();
    assert_eq!(answer["content"][0]["type"], "redacted_thinking");
    let turn = |content: &Value| json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": content}, {"role": "user", "content": "ping"}]);
    let body = with(ask(""), json!({"messages": turn(&answer["content"])}));
    assert_eq!(mock.messages(&body).await.ok()["content"][0]["text"], "pong");
    let forged = json!([{"type": "redacted_thinking", "data": "Zm9yZ2Vk"}]);
    let body = with(ask(""), json!({"messages": turn(&forged)}));
    assert!(mock.messages(&body).await.message().contains("Invalid `data`"));
}

#[tokio::test]
async fn sees_media_and_cites_documents() {
    let mock = plain().await;
    let document = json!({"type": "document", "title": "T", "citations": {"enabled": true},
        "source": {"type": "text", "media_type": "text/plain", "data": "Grass is green."}});
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}});
    let body = with(
        ask(""),
        json!({"messages": [{"role": "user", "content": [document, image]}]}),
    );
    let answer = mock.messages(&body).await.ok();
    assert_eq!(
        answer["content"][0]["text"],
        "I read a document of 15 bytes and I see an image of 4 bytes (image/png)"
    );
    assert_eq!(
        answer["content"][0]["citations"][0]["cited_text"],
        "Grass is green."
    );
    let streamed = join(&mock.messages(&with(body, json!({"stream": true}))).await.events());
    assert_eq!(streamed["content"], answer["content"]);
}

#[tokio::test]
async fn cache_markers_show_in_the_usage() {
    let mock = plain().await;
    let system = json!([{"type": "text", "text": "one two three", "cache_control": {"type": "ephemeral"}}]);
    let usage = mock
        .messages(&with(ask("ping"), json!({"system": system})))
        .await
        .ok()["usage"]
        .clone();
    assert_eq!(
        (&usage["cache_creation_input_tokens"], &usage["input_tokens"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(usage["cache_creation"]["ephemeral_5m_input_tokens"], 3);
    let body = json!({"model": "m", "system": system, "messages": [{"role": "user", "content": "ping"}]});
    let count = mock.post(
        "/v1/messages/count_tokens",
        &[("anthropic-version", "2023-06-01")],
        &body,
    );
    assert_eq!(count.await.ok(), json!({"input_tokens": 4}));
}

async fn refusal(mock: &Server, body: &Value) -> String {
    let answer = mock.messages(body).await;
    assert_eq!(
        answer.status,
        StatusCode::BAD_REQUEST,
        "{body} was answered {}",
        answer.text()
    );
    let json = answer.json();
    assert_eq!(
        (&json["type"], &json["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );
    assert_eq!(json["request_id"], answer.headers["request-id"].to_str().unwrap());
    answer.message()
}

#[tokio::test]
async fn wrong_parameters_are_refused_as_the_vendor_does() {
    let mock = plain().await;
    let manual = json!({"type": "enabled", "budget_tokens": 1024});
    for (members, expected) in [
        (json!({"max_tokens": 1.5}), "max_tokens"),
        (json!({"temperature": 1.5}), "temperature"),
        (
            json!({"temperature": 0.5, "top_p": 0.5}),
            "cannot both be specified",
        ),
        (json!({"frequency_penalty": 1}), "frequency_penalty: Extra inputs"),
        (
            json!({"response_format": {"type": "json_object"}}),
            "response_format: Extra inputs",
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 100}}),
            "greater than or equal to 1024",
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}),
            "`max_tokens` must be greater",
        ),
        (
            json!({"thinking": manual, "temperature": 0.5}),
            "`temperature` may only be set to 1",
        ),
        (
            json!({"thinking": manual, "tool_choice": {"type": "any"}, "tools": weather()}),
            "tool_choice forces",
        ),
        (
            json!({"thinking": {"type": "adaptive"}}),
            "adaptive thinking is not supported",
        ),
        (
            json!({"model": "claude-opus-4-7", "thinking": manual}),
            "thinking.type.adaptive",
        ),
        (
            json!({"model": "claude-opus-4-7", "temperature": 0.5}),
            "deprecated for this model",
        ),
        (json!({"tool_choice": {"type": "any"}}), "while providing tools"),
        (json!({"tool_choice": "auto"}), "Input should be an object"),
        (
            json!({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}),
            "tools.0.custom.name",
        ),
        (
            json!({"tools": [{"name": "a"}]}),
            "tools.0.custom.input_schema: Field required",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "a"}}]}),
            "Input tag 'function'",
        ),
        (json!({"tools": [weather()[0], weather()[0]]}), "unique"),
        (json!({"stop_sequences": [" "]}), "non-whitespace"),
        (
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
            "additionalProperties",
        ),
        (json!({"system": [{"type": "text", "text": ""}]}), "non-empty"),
        (json!({"max_tokens": null}), "max_tokens"),
    ] {
        let message = refusal(&mock, &with(ask("hi"), members.clone())).await;
        assert!(message.contains(expected), "{members}: {message}");
    }
    let mut without = ask("hi");
    without.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(refusal(&mock, &without).await, "max_tokens: Field required");
}

#[tokio::test]
async fn wrong_conversations_are_refused_as_the_vendor_does() {
    let mock = plain().await;
    let user = json!({"role": "user", "content": "a"});
    let uses = |id: &str| json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "r"});
    let says = |content: Value| json!({"role": "user", "content": content});
    let image = |media: &str, data: &str| json!([{"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}]);
    for (messages, expected) in [
        (json!([]), "at least one message"),
        (
            json!([{"role": "system", "content": "x"}, user]),
            "Unexpected role \"system\"",
        ),
        (
            json!([{"role": "robot", "content": "x"}]),
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        (
            json!([{"role": "assistant", "content": "x"}]),
            "first message must use the \"user\" role",
        ),
        (json!([says(json!(""))]), "must have non-empty content"),
        (
            json!([says(json!([{"type": "text", "text": ""}]))]),
            "text content blocks must be non-empty",
        ),
        (
            json!([says(json!([{"type": "image_url", "image_url": {"url": "x"}}]))]),
            "Input tag 'image_url'",
        ),
        (json!([says(image("image/bmp", "AAAA"))]), "media_type"),
        (json!([says(image("image/png", "!"))]), "invalid base64"),
        (
            json!([says(image("image/jpeg", "iVBORw=="))]),
            "does not appear to be",
        ),
        (
            json!([user, uses("a.b"), says(json!([result("a.b")]))]),
            "String should match pattern",
        ),
        (
            json!([user, uses("t1"), user]),
            "without `tool_result` blocks immediately after: t1",
        ),
        (
            json!([user, uses("t1")]),
            "without `tool_result` blocks immediately after: t1",
        ),
        (
            json!([
                user,
                uses("t1"),
                says(json!([{"type": "text", "text": "x"}, result("t1")]))
            ]),
            "immediately after: t1",
        ),
        (json!([says(json!([result("t1")]))]), "unexpected `tool_use_id`"),
        (
            json!([
                user,
                uses("t1"),
                says(json!([result("t1")])),
                uses("t1"),
                says(json!([result("t1")]))
            ]),
            "must be unique",
        ),
        (
            json!([user, {"role": "assistant", "content": "x "}]),
            "trailing whitespace",
        ),
        (
            json!([user, {"role": "assistant", "content": "x", "tool_calls": []}, user]),
            "messages.1.tool_calls: Extra inputs",
        ),
    ] {
        let message = refusal(&mock, &with(ask(""), json!({"messages": messages}))).await;
        assert!(message.contains(expected), "{messages}: {message}");
    }
}

#[tokio::test]
async fn the_api_version_decides_what_is_taken() {
    let mock = plain().await;
    let cited = json!([{"type": "text", "text": "a", "citations": [{"type": "char_location"}]}]);
    let document =
        json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}]);
    let user = |content: &Value| json!({"role": "user", "content": content});
    let history = json!([user(&json!("a")), {"role": "assistant", "content": document}, user(&json!("b"))]);
    for (members, expected) in [
        (json!({"temperature": 1.0}), "temperature: Extra inputs"),
        (json!({"top_k": 5}), "top_k: Extra inputs"),
        (json!({"messages": [user(&cited)]}), "citations"),
        (
            json!({"messages": history}),
            "messages.1.content.0: Input tag 'document'",
        ),
    ] {
        let body = with(ask("hi"), members);
        mock.messages(&body).await.ok();
        let answer = mock
            .post("/v1/messages", &[("anthropic-version", "2026-10-21")], &body)
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.message().contains(expected), "{}", answer.text());
    }
    let answer = mock
        .post("/v1/messages", &[("anthropic-version", "2020-01-01")], &ask("hi"))
        .await;
    assert!(answer.message().contains("not a valid version"));
}

#[tokio::test]
async fn heads_and_paths() {
    let mock = plain().await;
    let answer = mock.post("/v1/messages", &[], &ask("ping")).await;
    assert!(
        answer.message().contains("anthropic-version"),
        "{}",
        answer.text()
    );
    let answer = mock
        .post(
            "/anthropic/v1/messages",
            &[("anthropic-version", "2023-06-01")],
            &ask("ping"),
        )
        .await;
    assert_eq!(answer.ok()["content"][0]["text"], "pong");
    let answer = mock
        .send("GET", "/v1/models", &[("anthropic-version", "2023-06-01")], "")
        .await
        .unwrap()
        .ok();
    assert_eq!(answer["has_more"], false);
    let answer = mock.get("/v1/messages/batches").await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["type"]),
        (StatusCode::NOT_FOUND, &json!("not_found_error"))
    );
}
