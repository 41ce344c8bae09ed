//! OpenAI's endpoints beside chat.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use http::StatusCode;
use serde_json::{Value, json};
use support::{Server, plain};

#[tokio::test]
async fn embeddings_agree_in_both_encodings() {
    use base64::Engine as _;
    let mock = plain().await;
    let body = json!({"model": "e", "input": ["one", "two"], "dimensions": 4});
    let floats = mock.post("/v1/openai/embeddings", &[], &body).await.ok();
    assert_eq!(floats["data"].as_array().unwrap().len(), 2);
    assert_ne!(floats["data"][0]["embedding"], floats["data"][1]["embedding"]);
    assert_eq!(floats["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
    let body = json!({"model": "e", "input": "one", "dimensions": 4, "encoding_format": "base64"});
    let encoded = mock.post("/v1/embeddings", &[], &body).await.ok();
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(encoded["data"][0]["embedding"].as_str().unwrap());
    let numbers: Vec<f32> = bytes
        .unwrap()
        .chunks(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let expected: Vec<f32> = serde_json::from_value(floats["data"][0]["embedding"].clone()).unwrap();
    assert_eq!(numbers, expected);
    assert_eq!(
        mock.post("/v1/embeddings", &[], &json!({"model": "e"}))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn completions_whole_and_streamed() {
    let mock = plain().await;
    let body = json!({"model": "m", "prompt": ["ping", "count to 3"], "max_tokens": 2});
    let answer = mock.post("/v1/completions", &[], &body).await.ok();
    assert_eq!(answer["choices"][0]["text"], "pong");
    assert_eq!(
        (
            &answer["choices"][1]["text"],
            &answer["choices"][1]["finish_reason"]
        ),
        (&json!("1 2"), &json!("length"))
    );
    let body = json!({"model": "m", "prompt": "count to 3", "stream": true});
    let events = mock.post("/v1/completions", &[], &body).await.events();
    let text: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["text"].as_str())
        .collect();
    assert_eq!(text, "1 2 3");
}

async fn respond(mock: &Server, body: &Value) -> Value {
    mock.post("/v1/responses", &[], body).await.ok()
}

#[tokio::test]
async fn responses_are_made_kept_and_deleted() {
    let mock = plain().await;
    let answer = respond(&mock, &json!({"model": "m", "input": "ping"})).await;
    assert_eq!(answer["output"][0]["content"][0]["text"], "pong");
    let path = format!("/v1/responses/{}", answer["id"].as_str().unwrap());
    assert_eq!(mock.get(&path).await.ok(), answer);
    assert_eq!(
        mock.send("DELETE", &path, &[], "").await.unwrap().ok()["deleted"],
        true
    );
    assert_eq!(mock.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn responses_continue_from_earlier_ones() {
    let mock = plain().await;
    let tools =
        json!([{"type": "function", "name": "get_time", "parameters": {"type": "object", "properties": {}}}]);
    let first = respond(&mock, &json!({"model": "m", "input": "get_time", "tools": tools})).await;
    let call = &first["output"][0];
    assert_eq!(
        (&call["type"], &call["name"]),
        (&json!("function_call"), &json!("get_time"))
    );
    let output = json!([{"type": "function_call_output", "call_id": call["call_id"], "output": "noon"}]);
    let body = json!({"model": "m", "input": output, "previous_response_id": first["id"], "tools": tools});
    assert_eq!(
        respond(&mock, &body).await["output"][0]["content"][0]["text"],
        "The tool said: noon"
    );
    let stray = mock
        .post("/v1/responses", &[], &json!({"model": "m", "input": output}))
        .await;
    assert!(stray.message().contains("No tool call found"), "{}", stray.text());
    let open = json!({"model": "m", "input": "hi", "previous_response_id": first["id"]});
    assert!(
        mock.post("/v1/responses", &[], &open)
            .await
            .message()
            .contains("No tool output found")
    );
}

#[tokio::test]
async fn responses_stream_typed_events() {
    let mock = plain().await;
    let body =
        json!({"model": "o4-mini", "input": "count to 3", "stream": true, "reasoning": {"summary": "auto"}});
    let answer = mock.post("/v1/responses", &[], &body).await;
    let events = answer.events();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], at);
        assert!(
            answer
                .text()
                .contains(&format!("event: {}\n", event["type"].as_str().unwrap()))
        );
    }
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"response.created"));
    assert_eq!(kinds.last(), Some(&"response.completed"));
    assert!(kinds.contains(&"response.reasoning_summary_text.delta"));
    let deltas = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta");
    assert_eq!(
        deltas
            .filter_map(|event| event["delta"].as_str())
            .collect::<String>(),
        "1 2 3"
    );
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["output"][1]["content"][0]["text"], "1 2 3");
    assert_eq!(last["usage"]["output_tokens_details"]["reasoning_tokens"], 32);
    let count = mock
        .post(
            "/v1/responses/input_tokens",
            &[],
            &json!({"model": "m", "input": "a b c"}),
        )
        .await
        .ok();
    assert_eq!(count["input_tokens"], 3);
}

fn form(fields: &[(&str, &str)], file: &str) -> (String, String) {
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += &format!(
        "--B\r\nContent-Disposition: form-data; name=\"{file}\"; filename=\"f.bin\"\r\nContent-Type: audio/mpeg\r\n\r\n12345\r\n--B--\r\n"
    );
    ("multipart/form-data; boundary=B".to_owned(), body)
}

#[tokio::test]
async fn forms_are_heard_and_edited() {
    let mock = plain().await;
    let (kind, body) = form(&[("model", "whisper-1")], "file");
    let send = |path: &'static str, kind: String, body: String| {
        let mock = &mock;
        async move {
            mock.send("POST", path, &[("content-type", &kind)], body)
                .await
                .unwrap()
        }
    };
    let answer = send("/v1/audio/transcriptions", kind.clone(), body.clone())
        .await
        .ok();
    assert_eq!(answer["text"], "Heard 5 bytes of f.bin");
    assert_eq!(
        send("/v1/audio/translations", kind, body).await.ok()["text"],
        "Translated 5 bytes of f.bin"
    );
    let (kind, body) = form(&[("model", "w"), ("response_format", "verbose_json")], "file");
    assert_eq!(
        send("/v1/audio/transcriptions", kind, body).await.ok()["segments"][0]["id"],
        0
    );
    let (kind, body) = form(&[("model", "w"), ("stream", "true")], "file");
    let events = send("/v1/audio/transcriptions", kind, body).await.events();
    assert_eq!(events.last().unwrap()["text"], "Heard 5 bytes of f.bin");
    let (kind, body) = form(&[("model", "w")], "wrong");
    assert_eq!(
        send("/v1/audio/transcriptions", kind, body).await.json()["error"]["param"],
        "file"
    );
    let (kind, body) = form(&[("model", "gpt-image-1"), ("prompt", "a cat")], "image");
    assert!(send("/v1/images/edits", kind, body).await.ok()["data"][0]["b64_json"].is_string());
    let recorded = mock.requests().await;
    assert_eq!(recorded[0]["body"]["multipart"][0]["value"], "whisper-1");
    assert_eq!(recorded[0]["body"]["multipart"][1]["size"], 5);
}

#[tokio::test]
async fn speech_images_moderations_rerank_tokenize_and_models() {
    let mock = plain().await;
    let answer = mock
        .post(
            "/v1/audio/speech",
            &[],
            &json!({"model": "tts-1", "input": "a b", "voice": "alloy"}),
        )
        .await;
    assert_eq!(answer.headers["content-type"], "audio/mpeg");
    assert_eq!(answer.body.len(), 2 * 417);
    let answer = mock
        .post(
            "/v1/images/generations",
            &[],
            &json!({"model": "dall-e-3", "prompt": "a", "n": 2}),
        )
        .await
        .ok();
    assert!(answer["data"][1]["url"].is_string());
    let answer = mock
        .post("/v1/moderations", &[], &json!({"input": ["peace", "violence"]}))
        .await
        .ok();
    assert_eq!(
        (&answer["results"][0]["flagged"], &answer["results"][1]["flagged"]),
        (&json!(false), &json!(true))
    );
    let body =
        json!({"model": "r", "query": "red fish", "documents": ["a bird", "one red fish"], "top_n": 1});
    let answer = mock.post("/v2/rerank", &[], &body).await.ok();
    assert_eq!(answer["results"], json!([{"index": 1, "relevance_score": 1.0}]));
    let answer = mock
        .post(
            "/v2/rerank",
            &[],
            &json!({"model": "r", "query": "q", "documents": []}),
        )
        .await;
    assert!(answer.json()["message"].is_string(), "{}", answer.text());
    let answer = mock
        .post("/tokenize", &[], &json!({"model": "m", "prompt": "a b c"}))
        .await
        .ok();
    assert_eq!(
        (&answer["count"], &answer["tokens"]),
        (&json!(3), &json!([1, 2, 3]))
    );
    assert!(
        mock.get("/v1/models").await.ok()["data"]
            .as_array()
            .unwrap()
            .len()
            > 3
    );
    assert_eq!(mock.get("/v1/models/org%2Fname").await.ok()["id"], "org/name");
    assert_eq!(mock.get("/v1/models/missing").await.status, StatusCode::NOT_FOUND);
}
