//! What a rule's configuration says: retries, timeouts, weights, host names.

mod script;

use std::time::Duration;

use aigw_engine::{FailureKind, Outcome};
use script::{Script, chat, openai_answer, snapshot};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

/// OpenAI backends `a`, `b` and `c`; the rule for `m` is edited.
fn document(edit: impl FnOnce(&mut Value)) -> Value {
    let backends: Vec<Value> = ["a", "b", "c"]
        .map(|name| json!({"name": name, "schema": {"name": "OpenAI"}, "url": format!("http://{name}.test")}))
        .to_vec();
    let mut rule = json!({"models": ["m"], "backends": [
        {"name": "a"}, {"name": "b", "priority": 1}, {"name": "c", "priority": 2}
    ]});
    edit(&mut rule);
    json!({"backends": backends, "routes": [{"name": "r", "rules": [rule]}]})
}

fn tried(script: &Script) -> Vec<&str> {
    script
        .attempts
        .iter()
        .map(|attempt| attempt.backend.name.as_ref())
        .collect()
}

#[test]
fn configured_statuses_are_tried_again_and_others_are_not() {
    let shared = snapshot(document(|rule| rule["retry"] = json!({"statuses": [418]})));
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("m", false)).upstream_head(418, &[]);
    assert_eq!(tried(&script), ["a", "b"]);
    script.answer(422, "{}");
    assert_eq!((script.status(), script.attempts.len()), (422, 2));
}

#[test]
fn on_error_return_hands_every_failure_to_the_client() {
    let shared = snapshot(document(|rule| rule["retry"] = json!({"onError": "return"})));
    for status in [429, 500, 404] {
        let mut script = Script::new(&shared);
        script
            .post(CHAT, &chat("m", false))
            .answer(status, "{\"error\":{\"message\":\"mine\"}}");
        assert_eq!((script.status(), tried(&script)), (status, vec!["a"]));
        assert!(script.text().contains("mine"));
    }
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("m", false)).fail(FailureKind::Connect);
    assert_eq!(
        (script.status(), script.error_code()),
        (502, "upstream_unreachable")
    );
    assert_eq!(script.attempts.len(), 1);
}

#[test]
fn attempts_on_one_backend_wait_as_they_were_asked_and_give_its_place_back() {
    let shared = snapshot(document(|rule| {
        rule["retry"] = json!({"attempts": 4, "attemptsPerBackend": 2});
    }));
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("m", false))
        .upstream_head(429, &[("retry-after-ms", "700")]);
    assert_eq!(tried(&script), ["a"], "it waits first");
    assert_eq!(script.sleep_to_deadline(), Duration::from_millis(700));
    script.fail(FailureKind::Reset);
    assert_eq!(tried(&script), ["a", "a", "b"]);
    script.upstream_head(500, &[]);
    assert!(
        script.sleep_to_deadline() < Duration::from_secs(1),
        "a pause without a wish is short"
    );
    script
        .upstream_head(503, &[("retry-after", "60")])
        .chunk(b"busy")
        .end();
    assert_eq!(tried(&script), ["a", "a", "b", "b"], "four attempts in all");
    assert_eq!(script.status(), 503);
    assert_eq!(script.client.headers.get("retry-after").unwrap(), "60");
    let started: Vec<Duration> = script
        .record()
        .attempts
        .iter()
        .map(|attempt| attempt.started)
        .collect();
    assert_eq!(started[1], Duration::from_millis(700));
}

#[test]
fn by_default_three_attempts_are_made() {
    let mut document = document(|rule| {
        rule["backends"] = json!([{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]);
    });
    let fourth = json!({"name": "d", "schema": {"name": "OpenAI"}, "url": "http://d.test"});
    document["backends"].as_array_mut().unwrap().push(fourth);
    let mut script = Script::new(&snapshot(document));
    script.post(CHAT, &chat("m", false));
    for _ in 0..2 {
        script.upstream_head(500, &[]);
    }
    script.answer(500, "{}");
    assert_eq!((script.attempts.len(), script.status()), (3, 500));
}

#[test]
fn a_request_timeout_ends_everything_but_streams() {
    let shared = snapshot(document(|rule| {
        rule["timeouts"] = json!({"request": "10s", "firstByte": "6s", "firstByteStream": "6s"});
    }));
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("m", false));
    assert_eq!(script.sleep_to_deadline(), Duration::from_secs(6));
    assert_eq!(tried(&script), ["a", "b"]);
    assert_eq!(
        script.sleep_to_deadline(),
        Duration::from_secs(4),
        "what is left of the whole"
    );
    assert_eq!((script.status(), script.error_code()), (504, "upstream_timeout"));
    assert_eq!(tried(&script), ["a", "b"], "nobody is asked after it");
    assert_eq!(script.cancelled, [0, 1]);
    // Within an answer that has begun, it breaks it off.
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("m", false))
        .upstream_head(200, &[("content-type", "application/json")]);
    script.chunk(b"{\"id\":");
    assert_eq!(script.sleep_to_deadline(), Duration::from_secs(10));
    assert!(script.client.aborted);
    assert_eq!(script.record().outcome, Outcome::UpstreamCut);
    // A stream has no end of its own.
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("m", true))
        .upstream_head(200, &[("content-type", "text/event-stream")]);
    script
        .pass(Duration::from_secs(5))
        .chunk(b": working\n\n")
        .pass(Duration::from_secs(5));
    script.chunk(b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n");
    assert_eq!(script.sleep_to_deadline(), Duration::from_secs(300));
}

#[test]
fn a_deadline_that_comes_early_changes_nothing() {
    let mut script = Script::new(&snapshot(document(|_| {})));
    script
        .post(CHAT, &chat("m", false))
        .pass(Duration::from_secs(599))
        .play(aigw_engine::Event::Deadline);
    assert_eq!((script.attempts.len(), script.cancelled.len()), (1, 0));
}

#[test]
fn a_client_that_leaves_during_a_pause_gets_nothing_more() {
    let shared = snapshot(document(|rule| {
        rule["retry"] = json!({"attempts": 2, "attemptsPerBackend": 2})
    }));
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("m", false)).upstream_head(500, &[]);
    script.play(aigw_engine::Event::ClientGone);
    assert_eq!((script.attempts.len(), script.exchange.deadline()), (1, None));
    assert_eq!(script.record().outcome, Outcome::ClientGone);
}

#[test]
fn the_most_specific_host_name_takes_the_request() {
    let route = |name: &str, hosts: Value, backend: &str| json!({"name": name, "hostnames": hosts, "rules": [{"models": ["m"], "backends": [{"name": backend}]}]});
    let mut document = document(|_| {});
    document["routes"] = json!([
        route("any", json!([]), "a"),
        route("below", json!(["*.test"]), "b"),
        route("exact", json!(["gateway.test"]), "c"),
    ]);
    let mut script = Script::new(&snapshot(document.clone()));
    script.post(CHAT, &chat("m", false));
    assert_eq!(tried(&script), ["c"]);
    document["routes"][2]["hostnames"] = json!(["other.test"]);
    let mut script = Script::new(&snapshot(document.clone()));
    script.post(CHAT, &chat("m", false));
    assert_eq!(tried(&script), ["b"]);
    document["routes"][1]["hostnames"] = json!(["*.gateway.test"]);
    let mut script = Script::new(&snapshot(document));
    script
        .post(CHAT, &chat("m", false))
        .answer(200, &openai_answer("Hi"));
    assert_eq!(
        (tried(&script), script.record().route.as_deref()),
        (vec!["a"], Some("any"))
    );
}
