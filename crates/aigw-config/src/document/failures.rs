//! What happens when a backend fails: another attempt, a pause, a backend left out.

use serde::{Deserialize, Serialize};

use crate::quantity::Millis;

/// How often and for what a request is tried again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetrySpec {
    /// Attempts in all, over all candidates. Default: one a candidate, at most three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Attempts on the same backend before the next one is tried. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_per_backend: Option<u32>,
    /// Statuses that are tried again besides 408, 429 and 5xx.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// What happens to a failure that would be tried again.
    pub on_error: OnError,
    /// From an attempt's start to its first byte; a shorter `firstByte` goes before it. An attempt that it ends may be made
    /// again on the same backend. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// Pauses before further attempts. Default: short ones before another attempt on the same backend only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffSpec>,
}

/// When a rule leaves a backend out, and for how long. The last one is never left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EjectionSpec {
    /// Failures in a row: statuses of 500 and more, and attempts without an answer (default 5; 0: these are not counted).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<u32>,
    /// The same of 502, 503, 504 and attempts without an answer alone (default 0: these are not counted).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_errors: Option<u32>,
    /// For how long, times how often it happened before (default 30s); at most 5 minutes or this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Millis>,
    /// After so long without a further ejection one that happened before is forgotten (default 3s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Millis>,
    /// How many of the rule's backends may be out, in percent, rounded down (default 100; the last one stays).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_percent: Option<u32>,
    /// One may be out whatever `maxPercent` comes to.
    pub always_one: bool,
}

/// Pauses before further attempts: the one before retry N is drawn between 0 and (2^N - 1) times `base`, and at most `max`. A wait
/// that a backend asked for goes before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackoffSpec {
    /// What the pauses grow from.
    pub base: Millis,
    /// The longest pause. Default: ten times `base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Millis>,
}

/// What happens to a failure that may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnError {
    /// The next attempt is made.
    #[default]
    Retry,
    /// The failure reaches the client.
    Return,
}
