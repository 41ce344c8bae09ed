//! Health checks of rules: what is made of them, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use aigw_config::{HealthCheck, Millis, Probe};
use serde_json::{Value, json};
use support::{compiled, refused};

/// A document whose one rule has this check.
fn checking(check: &Value) -> Value {
    json!({
        "backends": [{"name": "local", "schema": {"name": "OpenAI"}, "url": "http://127.0.0.1:8000"}],
        "routes": [{"name": "all", "rules": [{"backends": [{"name": "local"}], "healthCheck": check}]}],
    })
}

fn read(check: &Value) -> HealthCheck {
    let (snapshot, warnings) = compiled(checking(check));
    assert_eq!(warnings, "");
    let rule = &snapshot.routes[0].rules[0];
    assert_eq!(rule.key.as_ref(), "all 0");
    HealthCheck::clone(rule.health_check.as_ref().unwrap())
}

#[test]
fn what_is_not_said_has_a_default() {
    let http = Probe::Http {
        method: http::Method::GET,
        path: "/health".to_owned(),
        host: None,
        statuses: std::iter::once(200..201).collect(),
    };
    let expected = HealthCheck {
        probe: http,
        interval: Millis(3_000),
        timeout: Millis(1_000),
        initial_jitter: Millis(0),
        unhealthy: 3,
        healthy: 1,
    };
    assert_eq!(read(&json!({"path": "/health"})), expected);
    let connection = HealthCheck {
        probe: Probe::Connection,
        ..expected
    };
    assert_eq!(read(&json!({"tcp": true})), connection);
}

#[test]
fn what_is_said_holds() {
    let check = read(&json!({
        "path": "/up?deep=1", "method": "HEAD", "host": "models.test:8080", "statuses": [204, {"start": 200, "end": 203}],
        "interval": "5s", "timeout": "500ms", "initialJitter": "2s", "unhealthy": 2, "healthy": 4,
    }));
    let http = Probe::Http {
        method: http::Method::HEAD,
        path: "/up?deep=1".to_owned(),
        host: Some("models.test:8080".parse().unwrap()),
        statuses: vec![204..205, 200..203],
    };
    let expected = HealthCheck {
        probe: http,
        interval: Millis(5_000),
        timeout: Millis(500),
        initial_jitter: Millis(2_000),
        unhealthy: 2,
        healthy: 4,
    };
    assert_eq!(check, expected);
    for (status, is_good) in [(200, true), (202, true), (203, false), (204, true), (500, false)] {
        assert_eq!(check.probe.accepts(status), is_good, "{status}");
    }
}

#[test]
fn a_health_check_that_cannot_work_is_refused() {
    let rows = [
        (
            json!({"interval": "5s"}),
            "",
            "needs `path`, such as /health, or `tcp: true` for a connection alone",
        ),
        (
            json!({"path": "health"}),
            ".path",
            "`health` is not a path; write it like /health",
        ),
        (
            json!({"path": "/a b"}),
            ".path",
            "`/a b` is not a path; write it like /health",
        ),
        (
            json!({"path": "/", "interval": "0s"}),
            ".interval",
            "must be more than 0s; leave it out for the default",
        ),
        (
            json!({"tcp": true, "timeout": "0s"}),
            ".timeout",
            "must be more than 0s; leave it out for the default",
        ),
        (
            json!({"path": "/", "unhealthy": 0}),
            ".unhealthy",
            "must be at least 1; leave it out for the default",
        ),
        (
            json!({"path": "/", "healthy": 0}),
            ".healthy",
            "must be at least 1; leave it out for the default",
        ),
        (
            json!({"path": "/", "method": "CONNECT"}),
            ".method",
            "`CONNECT` cannot be asked with; use one of GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH",
        ),
        (
            json!({"path": "/", "host": "me@a"}),
            ".host",
            "`me@a` is not a host; write it like models.example.com",
        ),
        (
            json!({"path": "/", "statuses": []}),
            ".statuses",
            "is empty, so no answer would be good; leave it out for 200",
        ),
        (
            json!({"path": "/", "statuses": [200, {"start": 300, "end": 300}]}),
            ".statuses[1]",
            "`end` is the status after the last, so there is none from 300 on; raise it",
        ),
        (
            json!({"path": "/", "statuses": [{"start": 500, "end": 601}]}),
            ".statuses[0]",
            "statuses are 100 to 599",
        ),
        (
            json!({"tcp": true, "path": "/"}),
            ".path",
            "has no effect on a check with `tcp`; keep one of the two",
        ),
    ];
    for (value, field, message) in rows {
        let expected = format!("aigw.yaml:31: error: route \"all\": rules[0].healthCheck{field}: {message}");
        assert_eq!(refused(checking(&value)), expected);
    }
}
