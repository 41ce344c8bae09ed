//! What the host must do.

use std::sync::Arc;

use aigw_config::{Backend, Timeouts};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::ledger::UsageRecord;

/// Effects of one event, in order.
pub type Effects = Vec<Effect>;

/// An effect. One event gives a bounded number of them, and the host reads no more input until they are flushed.
#[derive(Debug)]
pub enum Effect {
    /// Go on reading the client's body. Without it the host reads nothing more of it.
    ReadBody,
    /// Send a request to an upstream.
    Attempt(Box<Attempt>),
    /// Drop an attempt: close its stream, ignore what it still says.
    Cancel {
        /// Attempt.
        attempt: u32,
    },
    /// The client's response head.
    Head(Box<ResponseHead>),
    /// A piece of the client's body.
    Write(Bytes),
    /// The client's body is complete.
    End,
    /// Break the client's body off, so that it cannot be mistaken for a complete one.
    Abort,
    /// The exchange is over; exactly once, as its last effect.
    Record(Box<UsageRecord>),
}

/// One try at one backend.
#[derive(Debug)]
pub struct Attempt {
    /// Number, from 0.
    pub attempt: u32,
    /// Where to.
    pub backend: Arc<Backend>,
    /// Method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Headers, complete but for `host` and `content-length`, which the host derives from `backend` and `body`.
    pub headers: HeaderMap,
    /// Body.
    pub body: AttemptBody,
    /// Only a connection that carried no request yet will do.
    pub fresh: bool,
    /// Timeouts; the host applies `connect`, the engine the others.
    pub timeouts: Timeouts,
}

/// Body of an attempt.
#[derive(Clone, Debug)]
pub enum AttemptBody {
    /// No body and no `content-length`.
    None,
    /// A whole body.
    Whole(Bytes),
}

/// The client's response head.
#[derive(Debug)]
pub struct ResponseHead {
    /// Status.
    pub status: StatusCode,
    /// Headers, `content-length` included where the length is known.
    pub headers: HeaderMap,
    /// The host may close the client's connection after this answer (the request's body was not read to its end).
    pub close: bool,
}
