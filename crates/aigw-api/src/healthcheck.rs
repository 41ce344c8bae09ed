//! Which backends are well, as a BackendTrafficPolicy has it,
//! <https://gateway.envoyproxy.io/docs/api/extension_types/#healthcheck>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::trafficpolicy::Unasked;

/// Which backends are well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// By asking them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<Box<ActiveHealthCheck>>,
    /// By what becomes of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passive: Option<PassiveHealthCheck>,
}

/// Asks by and by, and leaves out what gives no good answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActiveHealthCheck {
    /// `HTTP`, `TCP` or `GRPC`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of each check. Default 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Between checks. Default 3s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// The first check is made within this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_jitter: Option<String>,
    /// Failed checks in a row until a backend is left out. Default 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_threshold: Option<u32>,
    /// Good checks in a row until it is back. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_threshold: Option<u32>,
    /// What is asked over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpHealthCheck>,
    /// Another port to ask at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Value>,
}

/// What is asked over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpHealthCheck {
    /// Path.
    pub path: String,
    /// Method. Default GET.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The `host` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Statuses of a backend that is well. Default 200.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected_statuses: Vec<u16>,
}

/// Leaves out what fails too often in a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PassiveHealthCheck {
    /// Statuses of 500 and more, and attempts without an answer. Default 5.
    #[serde(rename = "consecutive5XxErrors", skip_serializing_if = "Option::is_none")]
    pub consecutive_5xx_errors: Option<u32>,
    /// Statuses 502, 503 and 504, and attempts without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_gateway_errors: Option<u32>,
    /// Attempts without an answer, where they are counted apart.
    #[serde(skip_serializing_if = "Unasked::is_asked")]
    pub consecutive_local_origin_failures: Unasked<5>,
    /// Count them apart.
    #[serde(skip_serializing_if = "is_set")]
    pub split_external_local_origin_errors: bool,
    /// How often it is looked whether all is well. Default 3s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// For how long, the first time. Default 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_ejection_time: Option<String>,
    /// How many may be left out, in percent. Default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ejection_percent: Option<u32>,
    /// One may be left out whatever that comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always_eject_one_endpoint: Option<bool>,
}

/// For flags that are not honoured: an API server fills in `false`, and that alone is written again.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_set(flag: &bool) -> bool {
    *flag
}
