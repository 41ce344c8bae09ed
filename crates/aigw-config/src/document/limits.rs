//! Sizes, timeouts and concurrency.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Origin;
use crate::quantity::{Millis, Size};

/// Timeouts. An absent one is inherited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimeoutsSpec {
    /// To open a connection to the upstream (default 10s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Millis>,
    /// From the request to the first byte of a non-streaming answer (default 600s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Millis>,
    /// From the request to the first byte of a streaming answer (default 120s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_stream: Option<Millis>,
    /// Longest silence inside an answer or a request (default 300s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Millis>,
    /// From the request's start to its end for answers that are not streams. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Millis>,
}

/// Sizes, timeouts and concurrency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitsSpec {
    /// Largest request body (default 32MiB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_request_body: Option<Size>,
    /// Bytes of bodies held in the process at one time (default 1GiB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_in_flight: Option<Size>,
    /// Requests in flight at most; more are answered 503. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Timeouts.
    pub timeouts: TimeoutsSpec,
    /// From a request's head to the end of its body; later ones are answered 408. Default: none, `timeouts.idle` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_received: Option<Millis>,
    /// How long a client's connection may be without a request (default 30s; 5min with Envoy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_idle: Option<Millis>,
    /// Values of `Origin` that browsers may send; empty refuses every browser request from another site.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Origin,
}
