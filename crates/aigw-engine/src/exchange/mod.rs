//! The exchange: one client request from its head to its usage record.

mod answering;
mod closing;
mod dispatch;
mod failing;
mod intake;
mod prepare;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aigw_config::Snapshot;
use aigw_translate::answer::Answer;
use aigw_translate::operation::{ErrorShape, Operation};
use aigw_translate::request::Inbound;
use bytes::{Bytes, BytesMut};
use http::HeaderName;
use http::header::CONTENT_ENCODING;

use crate::attempt::Plan;
use crate::effect::{Effects, ResponseHead};
use crate::event::{Event, Inputs, RequestHead};
use crate::ledger::UsageRecord;
use crate::reply::Refusal;
use crate::route::Place;
use crate::shared::{Permit, Shared};

/// See [`Exchange::is_large`].
const LARGE: u64 = 1 << 20;

/// One client request from its head to its usage record.
#[derive(Debug)]
pub struct Exchange {
    snapshot: Arc<Snapshot>,
    shared: Arc<Shared>,
    phase: Phase,
    deadline: Option<Instant>,
    /// End of everything, for answers that are no streams and have a `request` timeout.
    hard_deadline: Option<Instant>,
    started: Option<Instant>,
    /// Seconds since 1970 at the start.
    created: u64,
    request: Option<Box<RequestHead>>,
    operation: Option<Operation>,
    shape: ErrorShape,
    path_id: Option<String>,
    key: Option<usize>,
    /// Headers that carried the client's key of this gateway.
    key_headers: Vec<HeaderName>,
    strict: bool,
    intake: Intake,
    inbound: Option<Inbound>,
    /// Model after aliases.
    model: Option<Arc<str>>,
    place: Option<Place>,
    plan: Option<Plan>,
    current: Option<Current>,
    /// Attempts asked for, renewed ones too: the next one's number.
    sent: u32,
    last_failure: Option<Refusal>,
    record: Option<Box<UsageRecord>>,
    permits: Permits,
}

/// Where an exchange is.
#[derive(Debug)]
enum Phase {
    /// Nothing happened yet.
    New,
    /// The client's body is being read.
    Body,
    /// A pause before an attempt at this candidate.
    Pausing(usize),
    /// An attempt was sent; its head is awaited.
    Head,
    /// The head came; the first byte is awaited before anything goes to the client.
    First(Box<ResponseHead>),
    /// The whole answer is collected before anything goes to the client.
    Collecting(Box<ResponseHead>),
    /// The client has the head; pieces go through.
    Flowing,
    /// Over.
    Done,
}

/// The client's body as it is read.
#[derive(Debug, Default)]
struct Intake {
    /// The only piece so far.
    first: Bytes,
    /// All pieces, once there were two.
    joined: BytesMut,
    length: u64,
    /// When it has to be whole.
    until: Option<Instant>,
}

/// The attempt that is going on.
#[derive(Debug)]
struct Current {
    candidate: usize,
    number: u32,
    /// It renews another.
    fresh: bool,
    started: Instant,
    translated: bool,
    forced_usage: bool,
    /// The client itself asked for usage in its stream.
    wants_usage: bool,
    request_losses: u32,
    dropped: Option<String>,
    answer: Option<Box<Answer>>,
    _permit: Option<Permit>,
}

/// What is held while the exchange lives.
#[derive(Debug, Default)]
struct Permits {
    _request: Option<Permit>,
    _rule: Option<Permit>,
    body: Option<Permit>,
    answer: Option<Permit>,
}

impl Exchange {
    /// An exchange that will be served by `snapshot` to its end.
    pub fn new(snapshot: Arc<Snapshot>, shared: Arc<Shared>) -> Self {
        Self {
            snapshot,
            shared,
            phase: Phase::New,
            deadline: None,
            hard_deadline: None,
            started: None,
            created: 0,
            request: None,
            operation: None,
            shape: ErrorShape::OpenAi,
            path_id: None,
            key: None,
            key_headers: Vec::new(),
            strict: false,
            intake: Intake::default(),
            inbound: None,
            model: None,
            place: None,
            plan: None,
            current: None,
            sent: 0,
            last_failure: None,
            record: None,
            permits: Permits::default(),
        }
    }

    /// Takes an event and appends what the host must do. Events that come too late (an attempt that was cancelled, anything
    /// after the record) are ignored.
    pub fn on(&mut self, event: Event, inputs: Inputs<'_>, effects: &mut Effects) {
        if matches!(self.phase, Phase::Done) {
            return;
        }
        match event {
            Event::Request(head) if matches!(self.phase, Phase::New) => {
                self.take_request(head, inputs, effects)
            }
            Event::Body(data) => self.take_body(data, inputs, effects),
            Event::BodyEnd => self.take_body_end(inputs, effects),
            Event::BodyFailed(message) => self.take_body_failure(&message, inputs, effects),
            Event::ClientGone => self.take_client_gone(inputs, effects),
            Event::UpstreamHead {
                attempt,
                status,
                headers,
            } if self.is_current(attempt) => {
                self.take_head(status, &headers, inputs, effects);
            }
            Event::UpstreamChunk { attempt, data } if self.is_current(attempt) => {
                self.take_chunk(data, inputs, effects)
            }
            Event::UpstreamEnd { attempt } if self.is_current(attempt) => self.take_end(inputs, effects),
            Event::UpstreamFailed { attempt, failure } if self.is_current(attempt) => {
                self.take_failure(failure, inputs, effects);
            }
            Event::Deadline => self.take_deadline(inputs, effects),
            Event::Request(_)
            | Event::UpstreamHead { .. }
            | Event::UpstreamChunk { .. }
            | Event::UpstreamEnd { .. }
            | Event::UpstreamFailed { .. } => {}
        }
    }

    /// When [`Event::Deadline`] is due, if nothing else happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match (self.deadline, self.hard_deadline) {
            (Some(soft), Some(hard)) => Some(soft.min(hard)),
            (soft, hard) => soft.or(hard),
        }
    }

    /// True once the record was made.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// The client asked for a stream.
    pub fn is_stream(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.stream)
    }

    /// The client's request head.
    pub fn request(&self) -> Option<&RequestHead> {
        self.request.as_deref()
    }

    /// What the record has so far; `None` before the request and after the end.
    pub fn progress(&self) -> Option<&UsageRecord> {
        self.record.as_deref()
    }

    /// Another attempt could follow a failure of the one that was asked for last.
    pub fn may_retry(&self) -> bool {
        self.plan.as_ref().is_some_and(Plan::has_more)
    }

    /// A body of at least a MiB is held, or one of unknown size once it is decoded: an event that makes something of it takes
    /// its time.
    pub fn is_large(&self) -> bool {
        let held = |permit: &Option<Permit>| permit.as_ref().map_or(0, Permit::amount);
        let is_packed = |request: &RequestHead| request.headers.contains_key(CONTENT_ENCODING);
        held(&self.permits.body).max(held(&self.permits.answer)) >= LARGE
            || (matches!(self.phase, Phase::Body) && self.request().is_some_and(is_packed))
    }

    /// The host has given the request away: no other attempt can be made, and what was kept for one is dropped.
    pub fn commit(&mut self) {
        self.plan = None;
        self.inbound = None;
        self.permits.body = None;
    }

    fn is_current(&self, attempt: u32) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.number == attempt)
    }

    fn wait(&mut self, inputs: Inputs<'_>, span: Duration) {
        self.deadline = inputs.now.checked_add(span);
    }
}
