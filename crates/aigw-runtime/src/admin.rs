//! The ports that show the process: the admin port with everything, on loopback, and the status port with what a cluster's
//! network may see.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::status::Status;

/// The admin port's routes: health, readiness, metrics, version, the configuration (redacted), Envoy's state, draining. Serve
/// them on loopback.
pub fn admin(status: Arc<Status>) -> Router {
    shown()
        .route("/config", get(config))
        .route("/envoy", get(envoy))
        .route("/drain", post(drain))
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "not found; try /health, /ready, /metrics, /config or /version\n",
            )
        })
        .with_state(status)
}

/// The status port's routes: health, readiness, metrics and version, for probes, scrapers and the operator. No secret, no
/// configuration, nothing that changes anything.
pub fn status(status: Arc<Status>) -> Router {
    shown()
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "not found; try /health, /ready, /metrics or /version\n",
            )
        })
        .with_state(status)
}

fn shown() -> Router<Arc<Status>> {
    Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
}

async fn ready(State(status): State<Arc<Status>>) -> Response {
    match status.readiness() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn metrics(State(status): State<Arc<Status>>) -> Response {
    let shared = status.gateway().map(|gateway| Arc::clone(&gateway.shared));
    let text = status.telemetry.metrics().text(&shared.unwrap_or_default());
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

async fn version(State(status): State<Arc<Status>>) -> Response {
    Json(status.report()).into_response()
}

async fn config(State(status): State<Arc<Status>>) -> Response {
    let Some(gateway) = status.gateway() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "there is no configuration yet\n").into_response();
    };
    let shown = serde_json::to_value(&gateway.load().snapshot.document);
    match shown {
        Ok(mut document) => {
            redact(&mut document);
            pretty(&document)
        }
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the configuration cannot be shown: {error}\n"),
        )
            .into_response(),
    }
}

async fn envoy(State(status): State<Arc<Status>>) -> Response {
    match status.page() {
        Some(page) => pretty(&page),
        None => (StatusCode::NOT_FOUND, "there is no Envoy before this process\n").into_response(),
    }
}

fn pretty(value: &Value) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        format!("{value:#}\n"),
    )
        .into_response()
}

#[derive(Deserialize)]
struct DrainQuery {
    /// Milliseconds.
    timeout: u64,
}

async fn drain(State(status): State<Arc<Status>>, Query(query): Query<DrainQuery>) -> Response {
    match status.drain(Duration::from_millis(query.timeout)).await {
        Ok(active) => Json(json!({"active": active})).into_response(),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response(),
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
