//! The operator's admin port: `/health`, `/ready`, `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::caches::Caches;
use crate::metrics::Metrics;

/// The routes. An operator that does not lead is ready too: it could.
pub(crate) fn admin(caches: Arc<Caches>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(async move || ready(&caches)))
        .route("/metrics", get(async move || text(&metrics)))
        .fallback(async || {
            let hint = "not found; try /health, /ready or /metrics\n";
            (StatusCode::NOT_FOUND, hint)
        })
}

fn ready(caches: &Caches) -> Response {
    let missing = caches.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    let text = format!("not ready: has not seen {} yet\n", missing.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

fn text(metrics: &Metrics) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.text()).into_response()
}
