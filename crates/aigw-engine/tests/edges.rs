//! The corners: what must not leak, what a client sees when several backends fail, limits of what is kept and logged.

mod script;

use std::sync::Arc;
use std::time::Duration;

use aigw_engine::{Event, Outcome, Shared};
use bytes::Bytes;
use http::Method;
use script::{Script, anthropic_answer, chat, openai_answer, snapshot, two_backends};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const EVENTS: [(&str, &str); 1] = [("content-type", "text/event-stream")];

/// One OpenAI backend `a` for the model `m`, changed by `edit`.
fn one_backend(edit: impl FnOnce(&mut Value)) -> Value {
    let mut document = json!({
        "backends": [{"name": "a", "schema": {"name": "OpenAI"}, "url": "http://a.test"}],
        "routes": [{"name": "r", "rules": [{"name": "rule", "models": ["m"], "backends": [{"name": "a"}]}]}]
    });
    edit(&mut document);
    document
}

#[test]
fn an_id_in_a_path_cannot_climb_out_of_it() {
    let shared = snapshot(two_backends());
    for (path, upstream) in [
        ("/v1/responses/..%2ffiles%2ff", "/v1/responses/..%2Ffiles%2Ff"),
        (
            "/v1/responses/a%3fb=c?include=x",
            "/v1/responses/a%3Fb%3Dc?include=x",
        ),
    ] {
        let mut script = Script::new(&shared);
        script.head(Method::DELETE, path, &[], true);
        assert_eq!(script.attempts[0].path, upstream);
    }
    for path in ["/v1/responses/..", "/v1/responses/%2e%2E"] {
        let mut script = Script::new(&shared);
        script.get(path);
        assert_eq!(
            (script.status(), script.error_code()),
            (404, "unknown_path"),
            "{path}"
        );
    }
}

#[test]
fn the_gateways_own_key_never_goes_along_with_the_clients_other_credentials() {
    let document = one_backend(|d| {
        d["backends"][0]["auth"] = json!({"type": "passthrough"});
        d["clientKeys"] = json!([{"name": "alice", "key": "alice-key"}]);
    });
    let shared = snapshot(document);
    for (headers, stays) in [
        (vec![("authorization", "Bearer alice-key")], None),
        (
            vec![("authorization", "Bearer alice-key"), ("x-api-key", "alice-key")],
            None,
        ),
        (
            vec![("authorization", "Basic abc"), ("x-api-key", "alice-key")],
            Some("Basic abc"),
        ),
        (
            vec![("authorization", "Bearer sk-own"), ("x-api-key", "alice-key")],
            Some("Bearer sk-own"),
        ),
        (
            vec![("authorization", "Bearer sk-own"), ("api-key", "alice-key")],
            Some("Bearer sk-own"),
        ),
    ] {
        let mut script = Script::new(&shared);
        script.post_with(CHAT, &headers, &chat("m", false));
        assert_eq!(script.attempts.len(), 1, "{headers:?}: {}", script.text());
        assert_eq!(script.header_of(0, "authorization"), stays, "{headers:?}");
        for value in script.attempts[0].headers.values() {
            assert!(
                !value.to_str().unwrap().contains("alice-key"),
                "{headers:?}: {value:?}"
            );
        }
    }
}

#[test]
fn a_second_request_in_one_exchange_changes_nothing() {
    let mut script = Script::new(&snapshot(two_backends()));
    script.post(CHAT, &chat("only-a", false));
    script.get("/v1/models");
    assert_eq!(script.client.status, None);
    script.answer(200, &openai_answer("Hello"));
    assert_eq!((script.status(), script.record().operation), (200, "chat"));
}

#[test]
fn the_last_upstream_error_wins_over_why_the_next_backend_was_not_asked() {
    let mut document = two_backends();
    document["backends"][1]["maxConcurrent"] = json!(1);
    let (snapshot, shared) = (snapshot(document), Arc::new(Shared::default()));
    let mut busy = Script::sharing(&snapshot, &shared);
    busy.post(CHAT, &chat("only-b", false));
    let mut script = Script::sharing(&snapshot, &shared);
    script
        .post(CHAT, &chat("m", false))
        .upstream_head(429, &[("retry-after", "30")]);
    assert_eq!(
        (script.status(), script.error_code()),
        (429, "upstream_error"),
        "{}",
        script.text()
    );
    assert_eq!(script.client.headers.get("retry-after").unwrap(), "30");
    assert_eq!(script.record().attempts.len(), 1);
    // Nobody was asked: then it is said why.
    let mut script = Script::sharing(&snapshot, &shared);
    script.post(CHAT, &chat("only-b", false));
    assert_eq!((script.status(), script.error_code()), (429, "backend_busy"));
}

#[test]
fn a_backend_of_weight_0_is_not_implied() {
    let document = json!({
        "backends": [
            {"name": "a", "schema": {"name": "OpenAI"}, "url": "http://a.test"},
            {"name": "b", "schema": {"name": "OpenAI"}, "url": "http://b.test"}
        ],
        "routes": [{"name": "r", "rules": [{"models": ["m"], "backends": [{"name": "a"}, {"name": "b", "weight": 0}]}]}]
    });
    let mut script = Script::new(&snapshot(document));
    script.get("/v1/responses/resp_1");
    assert_eq!(script.attempts[0].backend.name.as_ref(), "a");
}

#[test]
fn as_long_as_nothing_reached_the_client_another_attempt_is_made() {
    let mut document = two_backends();
    document["routes"][0]["rules"][0]["backends"] = json!([{"name": "b"}, {"name": "a", "priority": 1}]);
    let shared = snapshot(document);
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("m", true)).upstream_head(200, &EVENTS);
    script.pass(Duration::from_secs(30)).chunk(b": thinking\n\n");
    assert_eq!(script.client.status, None);
    assert_eq!(
        script.sleep_to_deadline(),
        Duration::from_secs(90),
        "a comment is no first token"
    );
    assert_eq!(script.attempts[1].backend.name.as_ref(), "a");
}

#[test]
fn a_collected_answer_has_as_long_for_its_first_byte_as_any_other() {
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post(CHAT, &chat("only-b", false))
        .upstream_head(200, &[("content-type", "application/json")]);
    assert_eq!(script.sleep_to_deadline(), Duration::from_secs(600));
}

#[test]
fn what_is_kept_of_answers_counts_against_the_budget() {
    let mut document = two_backends();
    document["limits"] = json!({"bytesInFlight": 1_000, "maxRequestBody": 800});
    let shared = Arc::new(Shared::default());
    // Passed through: the client gets it all the same, only its usage stays unknown.
    let small = snapshot(document);
    let mut script = Script::sharing(&small, &shared);
    let answer = openai_answer(&"x".repeat(2_000));
    script.post(CHAT, &chat("only-a", false)).answer(200, &answer);
    assert_eq!((script.status(), script.text()), (200, answer.clone()));
    assert_eq!(script.record().usage.output, None);
    assert_eq!(shared.bytes_held(), 0);
    // Translated: there is no answer without holding it.
    let mut script = Script::sharing(&small, &shared);
    script
        .post(CHAT, &chat("only-b", false))
        .answer(200, &anthropic_answer(&"x".repeat(2_000)));
    assert_eq!(
        (script.status(), script.error_code()),
        (503, "gateway_out_of_memory")
    );
    // What a failed attempt held is given back before the next one.
    let mut cut = anthropic_answer(&"x".repeat(2_000));
    cut.pop();
    let mut order = two_backends();
    order["limits"] = json!({"bytesInFlight": 3_000, "maxRequestBody": 800});
    order["routes"][0]["rules"][0]["backends"] = json!([{"name": "b"}, {"name": "a", "priority": 1}]);
    let mut retried = Script::sharing(&snapshot(order), &shared);
    retried.post(CHAT, &chat("m", false)).answer(200, &cut);
    assert_eq!(retried.attempts.len(), 2);
    retried.answer(200, &answer);
    assert_eq!((retried.status(), retried.record().usage.output), (200, Some(7)));
}

#[test]
fn a_stream_of_responses_that_ends_early_or_fails_is_no_success() {
    let shared = snapshot(two_backends());
    let body = r#"{"model":"only-a","stream":true,"input":"Hi"}"#;
    let begin = "event: response.created\ndata: {\"type\":\"response.created\"}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"H\"}\n\n";
    let ends = [
        ("", Outcome::UpstreamCut),
        (
            "event: response.failed\ndata: {\"type\":\"response.failed\"}\n\n",
            Outcome::Error,
        ),
        (
            "event: response.completed\ndata: {\"type\":\"response.completed\"}\n\n",
            Outcome::Success,
        ),
        ("data: {\"type\":\"response.incomplete\"}\n\n", Outcome::Success),
    ];
    for (end, outcome) in ends {
        let mut script = Script::new(&shared);
        script
            .post("/v1/responses", body)
            .stream([begin.as_bytes(), end.as_bytes()]);
        assert_eq!(script.record().outcome, outcome, "{end}");
        assert!(script.record().first_token.is_some());
        assert_eq!(
            script.text().contains("upstream_cut"),
            outcome == Outcome::UpstreamCut
        );
    }
}

#[test]
fn names_in_records_are_short_whatever_the_client_sends() {
    let document = one_backend(|d| d["routes"][0]["rules"][0]["models"] = json!(["*"]));
    let long = "ü".repeat(10_000);
    let mut script = Script::new(&snapshot(document));
    script.post(CHAT, &chat(&long, false));
    assert_eq!(script.body_of(0)["model"], *long, "the upstream gets it whole");
    script.answer(200, &openai_answer("Hi").replace("m-2026", &long));
    let record = script.record();
    let names = [
        record.model.as_deref(),
        record.upstream_model.as_deref(),
        record.response_model.as_deref(),
    ];
    for name in names {
        assert_eq!(name.map(|name| name.chars().count()), Some(256));
    }
}

#[test]
fn refused_requests_are_counted_under_their_operation() {
    let document = one_backend(|d| d["clientKeys"] = json!([{"name": "alice", "key": "alice-key"}]));
    let mut script = Script::new(&snapshot(document));
    script.post(MESSAGES, &chat("m", false));
    assert_eq!(script.status(), 401);
    assert_eq!(
        (script.record().operation, script.record().dialect),
        ("messages", "anthropic_messages")
    );
}

#[test]
fn what_came_before_a_broken_event_reaches_the_client() {
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post(CHAT, &chat("only-b", true))
        .upstream_head(200, &EVENTS);
    let text = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"LAST\"}}\n\n";
    script.chunk(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"c\",\"content\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
    script.chunk(format!("{text}event: content_block_delta\ndata: {{nonsense\n\n").as_bytes());
    assert!(
        script.text().contains("LAST") && script.text().contains("\"error\""),
        "{}",
        script.text()
    );
    assert_eq!(script.record().outcome, Outcome::UpstreamCut);
}

#[test]
fn a_body_that_was_read_as_json_goes_as_json() {
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .head(Method::POST, CHAT, &[], false)
        .play(Event::Body(Bytes::from(chat("only-a", false))))
        .play(Event::BodyEnd);
    assert_eq!(script.header_of(0, "content-type"), Some("application/json"));
}

#[test]
fn an_answer_without_a_body_is_whole() {
    for status in [204, 304] {
        let mut script = Script::new(&snapshot(two_backends()));
        script
            .head(Method::DELETE, "/v1/responses/resp_1", &[], true)
            .upstream_head(status, &[]);
        script.end();
        assert_eq!((script.status(), script.client.ended), (status, true));
        assert_eq!(script.record().outcome, Outcome::Success);
    }
    // Informational heads come before the answer.
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post(CHAT, &chat("only-a", false))
        .upstream_head(103, &[("link", "</a>")]);
    script.answer(200, &openai_answer("Hi"));
    assert_eq!(
        (script.status(), script.client.headers.contains_key("link")),
        (200, false)
    );
}

#[test]
fn nulls_stand_for_nothing() {
    let mut script = Script::new(&snapshot(two_backends()));
    script.post(
        CHAT,
        r#"{"model":"only-a","stream":true,"stream_options":null,"messages":[]}"#,
    );
    assert_eq!(
        script.body_of(0)["stream_options"],
        json!({"include_usage": true})
    );
}

#[test]
fn answers_of_the_wrong_kind() {
    let shared = snapshot(two_backends());
    // An error that claims to be a stream.
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("only-b", true))
        .upstream_head(400, &EVENTS);
    script.chunk(b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"bad\"}}\n\n").end();
    assert_eq!(script.status(), 400);
    assert!(script.json()["error"]["message"].is_string(), "{}", script.text());
    assert_eq!(
        script.client.headers.get("content-type").unwrap(),
        "application/json"
    );
    // A whole answer to a client that wants a stream.
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("only-b", true))
        .answer(200, &anthropic_answer("Hello"));
    assert!(
        script.text().contains("Hello") && script.text().ends_with("data: [DONE]\n\n"),
        "{}",
        script.text()
    );
    assert!(script.record().first_token.is_some());
    // A stream to a client that wants none cannot be said; another backend is asked.
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("only-b", false))
        .stream([b"event: ping\ndata: {}\n\n".as_slice()]);
    assert_eq!(
        (script.status(), script.error_code()),
        (502, "upstream_malformed")
    );
    // Nothing at all.
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("only-b", false))
        .upstream_head(200, &[("content-type", "application/json")]);
    script.end();
    assert_eq!(
        (script.status(), script.error_code()),
        (502, "upstream_malformed")
    );
}

#[test]
fn a_body_has_to_be_whole_in_time_however_steadily_it_comes() {
    let with = |most: Value| {
        let document =
            one_backend(|d| d["limits"] = json!({"requestReceived": most, "timeouts": {"idle": "5s"}}));
        snapshot(document)
    };
    let shared = with(json!("12s"));
    let mut script = Script::new(&shared);
    script.head(Method::POST, CHAT, &[("content-type", "application/json")], false);
    for _ in 0..3 {
        script
            .pass(Duration::from_secs(4))
            .play(Event::Body(Bytes::from_static(b" ")));
    }
    assert_eq!(script.sleep_to_deadline(), Duration::ZERO);
    assert_eq!(script.status(), 408);
    assert!(
        script.text().contains("limits.requestReceived"),
        "{}",
        script.text()
    );

    // Silence is another reason, and a whole body has all the time it wants for its answer.
    let mut script = Script::new(&shared);
    script.head(Method::POST, CHAT, &[("content-type", "application/json")], false);
    assert_eq!(script.sleep_to_deadline(), Duration::from_secs(5));
    assert!(
        script.text().contains("limits.timeouts.idle"),
        "{}",
        script.text()
    );
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("m", false)).pass(Duration::from_secs(60));
    script.answer(200, &openai_answer("late"));
    assert_eq!(script.status(), 200);
}
