//! Retry and fallback: what is tried again, where, and what the client sees when nobody is left.

mod script;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aigw_engine::{FailureKind, Outcome, Shared};
use script::{Script, anthropic_answer, chat, openai_answer, snapshot, two_backends};
use serde_json::json;

const CHAT: &str = "/v1/chat/completions";

#[test]
fn every_retryable_failure_moves_to_the_next_backend() {
    type Play = fn(&mut Script);
    let failures: [(&str, Play); 8] = [
        ("429", |script| {
            script.upstream_head(429, &[]);
        }),
        ("500", |script| {
            script.upstream_head(500, &[]);
        }),
        ("408", |script| {
            script.upstream_head(408, &[]);
        }),
        ("401", |script| {
            script.upstream_head(401, &[]);
        }),
        ("404", |script| {
            script.upstream_head(404, &[]);
        }),
        ("reset", |script| {
            script.fail(FailureKind::Reset);
        }),
        ("head, then reset", |script| {
            script
                .upstream_head(200, &[("content-type", "application/json")])
                .fail(FailureKind::Reset);
        }),
        ("silence", |script| {
            assert_eq!(script.sleep_to_deadline(), Duration::from_secs(600));
        }),
    ];
    for (name, play) in failures {
        let mut script = Script::new(&snapshot(two_backends()));
        script.post(CHAT, &chat("m", false));
        assert_eq!(script.attempts.len(), 1, "{name}");
        play(&mut script);
        assert_eq!(script.attempts.len(), 2, "{name}");
        script.answer(200, &anthropic_answer("Hello"));
        assert_eq!(script.status(), 200, "{name}: {}", script.text());
        assert_eq!(
            script.json()["choices"][0]["message"]["content"],
            "Hello",
            "{name}"
        );
        let record = script.record();
        assert_eq!(record.outcome, Outcome::Success, "{name}");
        assert_eq!(record.attempts.len(), 2, "{name}");
        assert_eq!(record.attempts[0].backend.as_ref(), "a", "{name}");
        assert_eq!(record.backend.as_deref(), Some("b"), "{name}");
    }
}

#[test]
fn each_attempt_starts_from_the_original() {
    let mut script = Script::new(&snapshot(two_backends()));
    script.post_with(
        CHAT,
        &[("authorization", "Bearer client"), ("openai-organization", "org")],
        &chat("m", false),
    );
    script.upstream_head(500, &[]);
    let (first, second) = (script.body_of(0), script.body_of(1));
    assert_eq!(first["model"], "m");
    assert_eq!(second["model"], "claude");
    assert_eq!(second["messages"][0]["role"], "user");
    assert!(second["max_tokens"].is_number());
    assert_eq!(script.attempts[0].path, "/v1/chat/completions");
    assert_eq!(script.attempts[1].path, "/v1/messages");
    assert_eq!(script.header_of(0, "authorization"), Some("Bearer key-a"));
    assert_eq!(script.header_of(0, "openai-organization"), Some("org"));
    assert_eq!(
        script.header_of(1, "authorization"),
        None,
        "one provider's key never reaches another"
    );
    assert_eq!(script.header_of(1, "openai-organization"), None);
    assert_eq!(script.header_of(1, "x-api-key"), Some("key-b"));
    assert_eq!(script.header_of(1, "anthropic-version"), Some("2023-06-01"));
}

#[test]
fn a_refused_connection_is_tried_once_more_on_the_same_backend() {
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post(CHAT, &chat("only-a", false))
        .fail(FailureKind::Connect);
    assert_eq!(script.attempts.len(), 2);
    script.answer(200, &openai_answer("Hello"));
    assert_eq!(script.status(), 200);
    assert_eq!(script.record().attempts[0].failure, Some("connect"));
}

#[test]
fn the_last_upstream_error_reaches_the_client_in_its_own_dialect() {
    let mut script = Script::new(&snapshot(two_backends()));
    script.post(CHAT, &chat("m", false)).upstream_head(500, &[]);
    let body =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).to_string();
    script.answer(529, &body);
    assert_eq!(script.status(), 529);
    assert_eq!(script.json()["error"]["message"], "Overloaded");
    assert_eq!(script.record().attempts.len(), 2);
    assert_eq!(script.record().outcome, Outcome::Error);
}

#[test]
fn a_rejected_credential_is_the_gateways_fault() {
    for status in [401, 403] {
        let mut script = Script::new(&snapshot(two_backends()));
        script
            .post(CHAT, &chat("only-a", false))
            .upstream_head(status, &[]);
        assert_eq!(script.status(), 502);
        assert_eq!(script.error_code(), "upstream_credential_rejected");
        assert!(
            script.json()["error"]["message"]
                .as_str()
                .is_some_and(|text| text.contains("`a`")),
            "{}",
            script.text()
        );
    }
}

#[test]
fn other_client_errors_are_the_clients() {
    let mut script = Script::new(&snapshot(two_backends()));
    let body = json!({"error": {"message": "bad", "type": "invalid_request_error", "param": "messages", "code": null}}).to_string();
    script.post(CHAT, &chat("m", false)).answer(400, &body);
    assert_eq!((script.status(), script.text()), (400, body));
    assert_eq!(script.attempts.len(), 1);
}

#[test]
fn a_long_retry_after_moves_on_or_reaches_the_client() {
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post(CHAT, &chat("m", false))
        .upstream_head(429, &[("retry-after", "30")]);
    assert_eq!(script.attempts.len(), 2);
    let mut script = Script::new(&snapshot(two_backends()));
    script.post(CHAT, &chat("only-a", false));
    script.upstream_head(
        429,
        &[("retry-after", "30"), ("content-type", "application/json")],
    );
    script.chunk(br#"{"error":{"message":"slow down"}}"#).end();
    assert_eq!(script.status(), 429);
    assert_eq!(script.client.headers.get("retry-after").unwrap(), "30");
}

#[test]
fn a_first_token_that_does_not_come_is_tried_elsewhere() {
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post(CHAT, &chat("m", true))
        .upstream_head(200, &[("content-type", "text/event-stream")]);
    assert_eq!(
        script.client.status, None,
        "nothing reaches the client before the first byte"
    );
    assert_eq!(script.sleep_to_deadline(), Duration::from_secs(120));
    assert_eq!(script.cancelled, [0]);
    assert_eq!(script.attempts.len(), 2);
    assert_eq!(script.attempts[1].backend.name.as_ref(), "b");
}

#[test]
fn with_nobody_left_a_timeout_is_a_504() {
    let mut script = Script::new(&snapshot(two_backends()));
    script.post(CHAT, &chat("only-a", false));
    script.sleep_to_deadline();
    assert_eq!((script.status(), script.error_code()), (504, "upstream_timeout"));
    assert_eq!(script.record().attempts[0].failure, Some("timeout"));
}

#[test]
fn a_kept_connection_that_had_been_closed_leaves_no_trace() {
    let mut script = Script::new(&snapshot(two_backends()));
    script.post(CHAT, &chat("m", false));
    assert!(!script.attempts[0].fresh);
    script.fail(FailureKind::Stale);
    assert_eq!(script.attempts.len(), 2);
    let again = &script.attempts[1];
    assert!(again.fresh);
    assert_eq!(again.backend.name.as_ref(), "a");
    assert_eq!(again.path, script.attempts[0].path);
    script.answer(200, &openai_answer("Hello"));
    assert_eq!(script.json()["choices"][0]["message"]["content"], "Hello");
    let record = script.record();
    assert_eq!(record.attempts.len(), 1, "what was never tried is no attempt");
    assert_eq!(record.outcome, Outcome::Success);
}

#[test]
fn a_backend_that_fails_in_a_row_is_left_out_for_a_while() {
    let mut document = two_backends();
    document["routes"][0]["rules"][0]["ejection"] = json!({"errors": 3, "time": "10s"});
    document["routes"][0]["rules"][1]["ejection"] = json!({"errors": 1});
    let (before, shared) = (snapshot(document.clone()), Arc::new(Shared::default()));
    let first = |snapshot, model: &str| {
        let mut script = Script::sharing(snapshot, &shared);
        script.post(CHAT, &chat(model, false));
        let backend = script.attempts[0].backend.name.to_string();
        (script, backend)
    };
    type Play = fn(&mut Script);
    // An answer in between, whatever a client did wrong in it, begins the count anew.
    let plays: [Play; 7] = [
        |script| {
            script.upstream_head(500, &[]);
        },
        |script| {
            script.fail(FailureKind::Reset);
        },
        |script| {
            script.answer(400, "{}");
        },
        |script| {
            script.sleep_to_deadline();
        },
        |script| {
            script.upstream_head(503, &[]);
        },
        |script| {
            script.upstream_head(429, &[]);
        },
        |script| {
            script
                .upstream_head(200, &[("content-type", "application/json")])
                .fail(FailureKind::Reset);
        },
    ];
    for play in plays {
        let (mut script, backend) = first(&before, "m");
        assert_eq!(backend, "a");
        play(&mut script);
    }
    for _ in 0..2 {
        let (mut script, backend) = first(&before, "m");
        assert_eq!(backend, "a");
        script.upstream_head(500, &[]);
    }
    // A new snapshot remembers; another rule does not care, and the last backend of one always serves.
    document["backends"][0]["maxConcurrent"] = json!(9);
    let after = snapshot(document);
    let (mut script, backend) = first(&after, "m");
    assert_eq!((backend.as_str(), script.attempts.len()), ("b", 1));
    script.answer(500, "{}");
    assert_eq!(
        script.record().attempts.len(),
        1,
        "the one left out is no fallback either"
    );
    for _ in 0..2 {
        let (mut script, backend) = first(&after, "only-a");
        assert_eq!(backend, "a");
        script.answer(500, "{}");
    }
    let list = shared.ejected(Instant::now());
    assert_eq!(list.len(), 1);
    assert_eq!(
        (
            list[0].rule.as_ref(),
            list[0].backend.as_ref(),
            list[0].is_out,
            list[0].times
        ),
        ("r 0", "a", true, 1)
    );
}
