//! What is known of the Envoys that are served, for the admin port.

use std::collections::BTreeMap;

use serde::Serialize;

/// What is served, and what Envoy says to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Streams that are open.
    pub connected: usize,
    /// Version of the snapshot that is served.
    pub served: Option<String>,
    /// Version of the last snapshot that every connected Envoy has taken over whole.
    pub acknowledged: Option<String>,
    /// By kind of resource.
    pub kinds: BTreeMap<&'static str, KindState>,
}

/// One kind of resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindState {
    /// Last version that was accepted.
    pub acknowledged: Option<String>,
    /// How often something was accepted.
    pub accepted: u64,
    /// How often something was refused.
    pub rejected: u64,
    /// The last refusal; it stays after something else was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rejection: Option<Rejection>,
}

/// A refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Version that was refused.
    pub version: String,
    /// Envoy's words.
    pub detail: String,
}
