//! The admin port: health, readiness, metrics, the configuration (redacted) and the version.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::live::Gateway;
use crate::telemetry::Telemetry;

#[derive(Clone)]
struct Admin {
    gateway: Arc<Gateway>,
    telemetry: Arc<Telemetry>,
}

/// The admin port's routes. Serve them on a listener of their own, loopback unless told otherwise.
pub fn admin(gateway: Arc<Gateway>, telemetry: Arc<Telemetry>) -> Router {
    Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/config", get(config))
        .route("/version", get(version))
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "not found; try /health, /ready, /metrics, /config or /version\n",
            )
        })
        .with_state(Admin { gateway, telemetry })
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.gateway.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    "ready\n".into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let text = admin.telemetry.metrics().text(&admin.gateway.shared);
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

async fn config(State(admin): State<Admin>) -> Response {
    let live = admin.gateway.load();
    let shown = serde_json::to_value(&live.snapshot.document).and_then(|mut document| {
        redact(&mut document);
        serde_json::to_string_pretty(&document)
    });
    match shown {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the configuration cannot be shown: {error}\n"),
        )
            .into_response(),
    }
}

/// Secrets redact themselves; values of edits are the operator's own text, and some of them are keys too.
fn redact(value: &mut Value) {
    let named = |name: &str| {
        let name = name.to_ascii_lowercase();
        [
            "auth",
            "key",
            "token",
            "secret",
            "cookie",
            "password",
            "credential",
        ]
        .iter()
        .any(|word| name.contains(word))
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(members) => {
            let is_secret = ["name", "path"]
                .iter()
                .filter_map(|member| members.get(*member)?.as_str())
                .any(named);
            for (name, member) in members.iter_mut() {
                if name == "value" && is_secret && member.is_string() {
                    *member = Value::from("[redacted]");
                } else {
                    redact(member);
                }
            }
        }
        _ => {}
    }
}

async fn version(State(admin): State<Admin>) -> Response {
    let live = admin.gateway.load();
    axum::Json(json!({"version": env!("CARGO_PKG_VERSION"), "config": live.snapshot.version})).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_edits_are_not_shown() {
        let mut document = json!({"backends": [{
            "headerMutation": {"set": [{"name": "X-Api-Key", "value": "sk-1"}, {"name": "x-team", "value": "red"}]},
            "bodyMutation": {"set": [{"path": "auth_token", "value": "\"sk-2\""}]}
        }]});
        redact(&mut document);
        let text = document.to_string();
        assert!(
            !text.contains("sk-") && text.contains("red\"") && text.contains("[redacted]"),
            "{text}"
        );
    }
}
