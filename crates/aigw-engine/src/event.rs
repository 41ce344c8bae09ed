//! What can happen to an exchange, and what the host tells with it.

use std::net::IpAddr;
use std::time::Instant;

use aigw_config::Credentials;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};

/// What the engine may look at while it takes an event; never fetched by the engine itself.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Monotonic time.
    pub now: Instant,
    /// Milliseconds since 1970.
    pub wall: u64,
    /// Fresh randomness, for weights and ids.
    pub entropy: u64,
    /// Credentials as they are now.
    pub credentials: &'a Credentials,
}

/// An event.
#[derive(Debug)]
pub enum Event {
    /// The client's request head. First event, once.
    Request(Box<RequestHead>),
    /// A piece of the client's body; only after [`super::Effect::ReadBody`].
    Body(Bytes),
    /// The client's body is complete.
    BodyEnd,
    /// The client's body broke off or broke a rule of HTTP.
    BodyFailed(String),
    /// The client has gone away. Last event.
    ClientGone,
    /// The upstream's response head for an attempt.
    UpstreamHead {
        /// Attempt.
        attempt: u32,
        /// Status.
        status: StatusCode,
        /// Headers.
        headers: HeaderMap,
    },
    /// A piece of the upstream's body.
    UpstreamChunk {
        /// Attempt.
        attempt: u32,
        /// The piece.
        data: Bytes,
    },
    /// The upstream's body is complete.
    UpstreamEnd {
        /// Attempt.
        attempt: u32,
    },
    /// An attempt failed, before or inside the answer.
    UpstreamFailed {
        /// Attempt.
        attempt: u32,
        /// How.
        failure: Failure,
    },
    /// [`super::Exchange::deadline`] has passed.
    Deadline,
}

/// The client's request head.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// Method.
    pub method: Method,
    /// Request target; only path and query are used.
    pub uri: Uri,
    /// Headers.
    pub headers: HeaderMap,
    /// Host name that was asked for (`host` or `:authority`), with its port if it had one.
    pub authority: String,
    /// Name of the listener.
    pub listener: std::sync::Arc<str>,
    /// The client's address.
    pub peer: Option<IpAddr>,
    /// No body follows (the head ended the stream): the host sends no [`Event::BodyEnd`] then.
    pub no_body: bool,
}

/// How an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kind.
    pub kind: FailureKind,
    /// For people; never a secret.
    pub message: String,
}

/// Kind of failure of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection came about (name, address, refusal, TLS, proxy, time): nothing of the request was sent.
    Connect,
    /// A kept connection turned out to have been closed by the peer when the request was put on it: the peer did nothing about
    /// it. The engine asks for the same attempt once more, [`super::Attempt::fresh`], and keeps no record of this.
    Stale,
    /// The connection broke before or inside the answer.
    Reset,
    /// The answer breaks a rule of HTTP.
    Protocol,
}
