//! The desk: wrong requests, keys, limits, lists of models, mutations.

mod script;

use std::sync::Arc;

use aigw_engine::{ErrorClass, Event, Shared};
use bytes::Bytes;
use http::Method;
use script::{Script, anthropic_answer, chat, openai_answer, snapshot, two_backends};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

#[test]
fn wrong_requests_are_answered_in_the_clients_dialect() {
    let cases: [(&str, &str, u16, &str); 9] = [
        ("{", "invalid_json", 400, CHAT),
        ("[]", "invalid_json", 400, CHAT),
        ("{\"messages\":[]}", "missing_model", 400, CHAT),
        ("{\"model\":7}", "invalid_type", 400, CHAT),
        ("{\"model\":\"m\",\"stream\":\"yes\"}", "invalid_type", 400, CHAT),
        (
            "{\"model\":\"m\",\"mod\\u0065l\":\"n\"}",
            "invalid_json",
            400,
            CHAT,
        ),
        ("{\"model\":\"nobody\"}", "model_not_found", 404, CHAT),
        (
            "{\"model\":\"only-b\",\"input\":\"x\"}",
            "unsupported_operation",
            400,
            "/v1/embeddings",
        ),
        ("{}", "unknown_path", 404, "/v1/nothing"),
    ];
    let shared = snapshot(two_backends());
    for (body, code, status, path) in cases {
        let mut script = Script::new(&shared);
        script.post(path, body);
        assert_eq!(
            (script.status(), script.error_code()),
            (status, code),
            "{path} {body}: {}",
            script.text()
        );
        assert!(script.json()["error"]["message"].is_string(), "{}", script.text());
        assert_eq!(script.record().error_class, Some(ErrorClass::Caller));
        if path == CHAT {
            let mut script = Script::new(&shared);
            script.post(MESSAGES, body);
            assert_eq!((script.status(), script.error_code()), (status, code), "{body}");
            assert_eq!(script.json()["type"], "error", "{}", script.text());
        }
    }
}

#[test]
fn wrong_methods_say_which_is_right() {
    let mut script = Script::new(&snapshot(two_backends()));
    script.get(CHAT);
    assert_eq!(
        (script.status(), script.error_code()),
        (405, "method_not_allowed")
    );
    assert_eq!(script.client.headers.get("allow").unwrap(), "POST");
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let mut document = two_backends();
    document["limits"] = json!({"maxRequestBody": "1KiB"});
    let shared = snapshot(document);
    let mut script = Script::new(&shared);
    script.head(Method::POST, CHAT, &[("content-length", "2000")], false);
    assert_eq!(
        (script.status(), script.error_code(), script.wants_body),
        (413, "request_too_large", false)
    );
    assert!(script.client.close);
    let mut script = Script::new(&shared);
    script
        .head(Method::POST, CHAT, &[], false)
        .play(Event::Body(Bytes::from(vec![b' '; 1_025])));
    assert_eq!((script.status(), script.error_code()), (413, "request_too_large"));
}

#[test]
fn bodies_share_one_budget() {
    let mut document = two_backends();
    document["limits"] = json!({"bytesInFlight": 1_000, "maxRequestBody": 800});
    let (snapshot, shared) = (snapshot(document), Arc::new(Shared::default()));
    let mut first = Script::sharing(&snapshot, &shared);
    first.head(Method::POST, CHAT, &[("content-length", "600")], false);
    assert!(first.wants_body);
    let mut second = Script::sharing(&snapshot, &shared);
    second.head(Method::POST, CHAT, &[("content-length", "600")], false);
    assert_eq!(
        (second.status(), second.error_code()),
        (503, "gateway_out_of_memory")
    );
    assert!(second.client.headers.contains_key("retry-after"));
    drop(first);
    assert_eq!(shared.bytes_held(), 0);
    let mut third = Script::sharing(&snapshot, &shared);
    third.head(Method::POST, CHAT, &[("content-length", "600")], false);
    assert!(third.wants_body);
}

#[test]
fn concurrency_is_limited_overall_and_by_backend() {
    let mut document = two_backends();
    document["limits"] = json!({"maxConcurrent": 2});
    document["backends"][0]["maxConcurrent"] = json!(1);
    let (snapshot, shared) = (snapshot(document), Arc::new(Shared::default()));
    let mut first = Script::sharing(&snapshot, &shared);
    first.post(CHAT, &chat("only-a", false));
    let mut second = Script::sharing(&snapshot, &shared);
    second.post(CHAT, &chat("only-a", false));
    assert_eq!((second.status(), second.error_code()), (429, "backend_busy"));
    let mut third = Script::sharing(&snapshot, &shared);
    third.post(CHAT, &chat("m", false));
    assert_eq!(
        third.attempts[0].backend.name.as_ref(),
        "b",
        "a busy backend is passed over"
    );
    let mut fourth = Script::sharing(&snapshot, &shared);
    fourth.post(CHAT, &chat("m", false));
    assert_eq!((fourth.status(), fourth.error_code()), (503, "gateway_busy"));
    first.answer(200, &openai_answer("done"));
    drop(first);
    let mut fifth = Script::sharing(&snapshot, &shared);
    fifth.post(CHAT, &chat("only-a", false));
    assert_eq!(fifth.attempts.len(), 1);
}

#[test]
fn a_rule_takes_so_many_requests_at_a_time_whatever_the_snapshot() {
    let mut document = two_backends();
    for rule in document["routes"][0]["rules"].as_array_mut().unwrap() {
        rule["maxConcurrent"] = json!(1);
    }
    let (first_snapshot, shared) = (snapshot(document.clone()), Arc::new(Shared::default()));
    let mut first = Script::sharing(&first_snapshot, &shared);
    first.post(CHAT, &chat("m", false));
    document["backends"][0]["maxConcurrent"] = json!(9);
    let reloaded = snapshot(document);
    let mut second = Script::sharing(&reloaded, &shared);
    second.post(CHAT, &chat("m", false));
    assert_eq!((second.status(), second.error_code()), (503, "rule_busy"));
    assert_eq!(second.client.headers.get("retry-after").unwrap(), "1");
    assert!(second.attempts.is_empty());
    let mut other = Script::sharing(&reloaded, &shared);
    other.post(CHAT, &chat("only-a", false));
    assert_eq!(other.attempts.len(), 1, "another rule has its own");
    first.answer(200, &openai_answer("done"));
    // Given back at the end of the exchange, before it is dropped, and once.
    let mut third = Script::sharing(&reloaded, &shared);
    third.post(CHAT, &chat("m", false));
    assert_eq!(third.attempts.len(), 1);
    drop(first);
    let mut fourth = Script::sharing(&reloaded, &shared);
    fourth.post(CHAT, &chat("m", false));
    assert_eq!(fourth.error_code(), "rule_busy");
    drop(third);
    let mut fifth = Script::sharing(&reloaded, &shared);
    fifth.post(CHAT, &chat("m", false));
    assert_eq!(fifth.attempts.len(), 1);
}

fn with_keys() -> Value {
    let mut document = two_backends();
    document["clientKeys"] = json!([{"name": "alice", "key": "alice-key", "models": ["only-*"]}]);
    document
}

#[test]
fn client_keys_open_the_gateway_and_never_go_upstream() {
    let shared = snapshot(with_keys());
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("only-a", false));
    assert_eq!(
        (script.status(), script.error_code()),
        (401, "missing_client_key")
    );
    let mut script = Script::new(&shared);
    script.post_with(CHAT, &[("authorization", "Bearer wrong")], &chat("only-a", false));
    assert_eq!(
        (script.status(), script.error_code()),
        (401, "invalid_client_key")
    );
    let mut script = Script::new(&shared);
    script.post_with(CHAT, &[("authorization", "Bearer alice-key")], &chat("m", false));
    assert_eq!((script.status(), script.error_code()), (403, "model_not_allowed"));
    let mut script = Script::new(&shared);
    script.post_with(MESSAGES, &[("x-api-key", "alice-key")], &chat("only-a", false));
    assert_eq!(script.header_of(0, "authorization"), Some("Bearer key-a"));
    assert_eq!(script.header_of(0, "x-api-key"), None);
    script.answer(200, &openai_answer("Hello"));
    assert_eq!(script.record().client.as_deref(), Some("alice"));
}

#[test]
fn strange_web_pages_are_refused() {
    let mut document = two_backends();
    document["limits"] = json!({"allowedOrigins": ["https://good.example"]});
    let shared = snapshot(document);
    let mut script = Script::new(&shared);
    script.post_with(CHAT, &[("origin", "https://evil.example")], &chat("m", false));
    assert_eq!(
        (script.status(), script.error_code()),
        (403, "origin_not_allowed")
    );
    let mut script = Script::new(&shared);
    script.post_with(
        CHAT,
        &[("origin", "https://good.example")],
        &chat("only-a", false),
    );
    script.answer(200, &openai_answer("Hello"));
    assert_eq!(
        script.client.headers.get("access-control-allow-origin").unwrap(),
        "https://good.example"
    );
    let ask = |origin| [("origin", origin), ("access-control-request-method", "POST")];
    let mut script = Script::new(&shared);
    script.head(Method::OPTIONS, CHAT, &ask("https://good.example"), true);
    assert_eq!(script.status(), 204);
    let mut script = Script::new(&shared);
    script.head(Method::OPTIONS, CHAT, &ask("https://evil.example"), true);
    assert_eq!(
        (
            script.status(),
            script.client.headers.contains_key("access-control-allow-origin")
        ),
        (403, false)
    );
}

#[test]
fn models_are_listed_in_both_shapes() {
    let shared = snapshot(two_backends());
    let mut script = Script::new(&shared);
    script.get("/v1/models");
    let names = |list: &Value| {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&script.json()), ["m", "only-a", "only-b"]);
    assert_eq!(script.json()["object"], "list");
    let mut script = Script::new(&shared);
    script.head(
        Method::GET,
        "/v1/models",
        &[("anthropic-version", "2023-06-01")],
        true,
    );
    assert_eq!(names(&script.json()), ["m", "only-a", "only-b"]);
    assert_eq!(script.json()["has_more"], false);
    assert_eq!(script.json()["data"][0]["type"], "model");
    let mut script = Script::new(&shared);
    script.get("/v1/models/only-a");
    assert_eq!(script.json()["id"], "only-a");
    let mut script = Script::new(&shared);
    script.get("/v1/models/nobody");
    assert_eq!((script.status(), script.error_code()), (404, "model_not_found"));
}

#[test]
fn aliases_and_overrides_rename_the_model_in_place() {
    let mut document = two_backends();
    document["models"] = json!([{"name": "fast", "model": "only-a"}]);
    document["routes"][0]["rules"][1]["backends"][0]["modelNameOverride"] = json!("real");
    let mut script = Script::new(&snapshot(document));
    let body = "{ \"messages\" : [], \"model\":\"fast\" , \"x\":1.50 }";
    script.post(CHAT, body);
    let aigw_engine::AttemptBody::Whole(sent) = &script.attempts[0].body else {
        panic!("no body")
    };
    assert_eq!(sent, &body.replace("fast", "real"), "every other byte stays");
}

#[test]
fn mutations_are_applied_last() {
    let mut document = two_backends();
    document["backends"][0]["headerMutation"] =
        json!({"set": [{"name": "x-team", "value": "a"}], "remove": ["x-drop"]});
    document["backends"][0]["bodyMutation"] = json!({"set": [{"path": "temperature", "value": "0.5"}, {"path": "user", "value": "me"}], "remove": ["seed"]});
    let mut script = Script::new(&snapshot(document));
    let body = "{\"model\":\"only-a\",\"seed\":1,\"messages\":[]}";
    script.post_with(CHAT, &[("x-drop", "1"), ("x-keep", "1")], body);
    assert_eq!(
        script.body_of(0),
        json!({"model": "only-a", "messages": [], "temperature": 0.5, "user": "me"})
    );
    assert_eq!(script.header_of(0, "x-team"), Some("a"));
    assert_eq!(
        (script.header_of(0, "x-drop"), script.header_of(0, "x-keep")),
        (None, Some("1"))
    );
}

#[test]
fn losses_are_reported_and_strict_mode_refuses_them() {
    let body =
        json!({"model": "only-b", "seed": 1, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let shared = snapshot(two_backends());
    let mut script = Script::new(&shared);
    script.post(CHAT, &body).answer(200, &anthropic_answer("Hello"));
    assert_eq!(script.client.headers.get("x-aigw-dropped").unwrap(), "/seed");
    assert_eq!(script.record().losses, 1);
    let mut script = Script::new(&shared);
    script.post_with(CHAT, &[("x-aigw-strict", "true")], &body);
    assert_eq!((script.status(), script.error_code()), (400, "lossy_translation"));
    assert!(script.text().contains("/seed"));
}

#[test]
fn a_route_whose_guard_is_not_supported_is_closed() {
    let mut document = two_backends();
    document["routes"][0]["refuse"] = json!("The SecurityPolicy `x` is not supported.");
    let mut script = Script::new(&snapshot(document));
    script.post(CHAT, &chat("m", false));
    assert_eq!((script.status(), script.error_code()), (503, "route_not_served"));
}

#[test]
fn an_operation_without_a_model_goes_where_only_one_backend_can_be_meant() {
    let mut script = Script::new(&snapshot(two_backends()));
    script.get("/v1/responses/resp_1");
    assert_eq!(script.attempts[0].path, "/v1/responses/resp_1");
    assert_eq!(script.attempts[0].backend.name.as_ref(), "a");
    let mut document = two_backends();
    document["backends"][1]["schema"] = json!({"name": "OpenAI"});
    let mut script = Script::new(&snapshot(document));
    script.get("/v1/responses/resp_1");
    assert_eq!((script.status(), script.error_code()), (400, "ambiguous_backend"));
}
