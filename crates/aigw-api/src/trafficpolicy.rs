//! The parts of Envoy Gateway's policies that have a counterpart in aigw,
//! <https://gateway.envoyproxy.io/docs/api/extension_types/>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    pub per_retry: Option<Value>,
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
