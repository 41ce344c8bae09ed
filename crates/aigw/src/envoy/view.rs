//! Envoy, seen from outside.

use std::path::PathBuf;
use std::sync::Arc;

use aigw_extproc::{requests_under_way, send_away};
use aigw_runtime::{EnvoyReport, Host};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::publisher::Publisher;

/// What is known of it, and its own administration.
pub(super) struct View {
    pub publisher: Arc<Publisher>,
    pub admin: PathBuf,
}

impl Host for View {
    fn envoy(&self) -> Option<EnvoyReport> {
        let state = self.publisher.state();
        Some(EnvoyReport {
            connected: state.connected,
            acknowledged: state.acknowledged,
        })
    }

    fn page(&self) -> Option<Value> {
        Some(json!(self.publisher.status()))
    }

    fn send_away(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { send_away(&self.admin).await.map_err(|error| unreachable(&error)) })
    }

    fn active(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(async {
            requests_under_way(&self.admin)
                .await
                .map_err(|error| unreachable(&error))
        })
    }
}

fn unreachable(error: &std::io::Error) -> String {
    format!("Envoy's administration cannot be asked: {error}")
}
