//! The parts of Envoy Gateway's policies that have a counterpart in aigw,
//! <https://gateway.envoyproxy.io/docs/api/extension_types/>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::healthcheck::HealthCheck;
use crate::meta::{Resource, TargetReference};

/// How requests to backends behave.
pub type BackendTrafficPolicy = Resource<BackendTrafficPolicySpec>;

/// What a BackendTrafficPolicy wants, as far as aigw reads it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendTrafficPolicySpec {
    /// One target, the older form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<TargetReference>,
    /// Targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<TargetReference>,
    /// Retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Timeouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<PolicyTimeouts>,
    /// How much may be under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Which backends are well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
}

/// How much may be under way to the backends of a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitBreaker {
    /// Requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel_requests: Option<u64>,
    /// Connections.
    #[serde(skip_serializing_if = "Unasked::is_asked")]
    pub max_connections: Unasked<1024>,
    /// Requests that wait for a connection.
    #[serde(skip_serializing_if = "Unasked::is_asked")]
    pub max_pending_requests: Unasked<1024>,
    /// Retries.
    #[serde(skip_serializing_if = "Unasked::is_asked")]
    pub max_parallel_retries: Unasked<1024>,
}

/// A number that is not honoured. An API server fills in `FILLED` where nobody asked for one, and that alone is written again:
/// so only what somebody asked for counts as a field without effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unasked<const FILLED: u64>(Option<u64>);

impl<const FILLED: u64> Unasked<FILLED> {
    pub(crate) fn is_asked(&self) -> bool {
        self.0 != Some(FILLED)
    }
}

/// Retries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryPolicy {
    /// Attempts after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_retries: Option<u32>,
    /// Attempts on one priority before the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_attempts_per_priority: Option<u32>,
    /// What is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<RetryOn>,
    /// Timeout and pauses of attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_retry: Option<PerRetry>,
}

/// Timeout and pauses of attempts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PerRetry {
    /// Of each attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Pauses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_off: Option<BackOff>,
}

/// Pauses between attempts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackOff {
    /// What they grow from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_interval: Option<String>,
    /// The longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<String>,
}

/// What is tried again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryOn {
    /// Statuses.
    pub http_status_codes: Vec<u16>,
    /// Conditions by Envoy's names.
    pub triggers: Vec<String>,
}

/// Timeouts of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyTimeouts {
    /// Of connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpTimeouts>,
    /// Of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpTimeouts>,
}

/// Timeouts of connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpTimeouts {
    /// To open one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<String>,
}

/// Timeouts of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpTimeouts {
    /// The whole request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_timeout: Option<String>,
    /// Silence within one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_idle_timeout: Option<String>,
    /// An unused connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_idle_timeout: Option<String>,
    /// A connection's life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connection_duration: Option<String>,
}

/// How clients are served.
pub type ClientTrafficPolicy = Resource<ClientTrafficPolicySpec>;

/// What a ClientTrafficPolicy wants, as far as aigw reads it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientTrafficPolicySpec {
    /// One target, the older form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<TargetReference>,
    /// Targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<TargetReference>,
    /// Connections of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ClientConnection>,
    /// How long clients may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<ClientTimeout>,
}

/// How long clients may take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientTimeout {
    /// Over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<ClientHttpTimeout>,
}

/// How long clients may take over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientHttpTimeout {
    /// From a request's beginning to the end of its body; `0s`: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_received_timeout: Option<String>,
    /// How long a connection may be without a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<String>,
    /// Longest silence within a request or its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_idle_timeout: Option<String>,
}

/// Connections of clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientConnection {
    /// Bytes that Envoy would hold of a request: the largest body that is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_limit: Option<String>,
}

/// Who may ask what.
pub type SecurityPolicy = Resource<SecurityPolicySpec>;

/// What a SecurityPolicy applies to. What it demands is not read: it is not supported, and so nothing that it applies to is
/// served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecurityPolicySpec {
    /// One target, the older form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<TargetReference>,
    /// Targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<TargetReference>,
    /// Targets by label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_selectors: Option<Value>,
}
