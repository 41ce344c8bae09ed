//! One call of the processor: what Envoy says of one exchange goes to the engine.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use aigw_engine::{Attempt, Effects, Event, Failure, FailureKind, RequestHead};
use aigw_proxy::Hold;
use aigw_runtime::{Drive, FAILED};
use bytes::Bytes;
use envoy_types::pb::google::protobuf::Struct;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{HeaderValue, Method, StatusCode, Uri};

use super::answer::{self, Side};
use super::headers::Listed;
use super::metadata::metadata;
use super::service::Settings;
use super::wire::{Answer, Event as Said, Head, HeaderMutation, Word};
use super::{flags, headers};
use crate::names;

/// Largest piece of a body in one message to Envoy.
const PIECE: usize = 64 * 1024;

/// The call.
pub(super) struct Call {
    /// `None` once the exchange was parked.
    pub(super) drive: Option<Drive>,
    listener: Arc<str>,
    peer: Option<IpAddr>,
    pub(super) settings: Arc<Settings>,
    pub(super) effects: Effects,
    pub(super) stage: Stage,
    pub(super) request: Incoming,
    pub(super) response: Incoming,
    /// The client's headers as they came, until the request goes on.
    pub(super) headers: Listed,
    /// The upstream's head as it came, until it goes on.
    pub(super) upstream: Option<(StatusCode, Listed)>,
    /// The engine's wish, until the client's body is over.
    pub(super) attempt: Option<Box<Attempt>>,
    /// What is left of the attempt's body.
    pub(super) outgoing: Bytes,
    /// The answer to the upstream's head is out.
    pub(super) is_answered: bool,
    pub(super) answers: VecDeque<Answer>,
    pub(super) metadata: Option<Struct>,
    /// A parked exchange.
    pub(super) hold: Option<Hold>,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Taking the client's request.
    Request,
    /// Envoy has the attempt of this number.
    Direct(u32),
    /// Envoy takes the exchange to the native host. Once it is there this call ends, so that the answer passes it by.
    Parked,
    /// Envoy's own answer passes to the client as it is.
    Passing,
    /// Nothing follows the answers.
    Done,
    /// The stream breaks off after the answers.
    Broken,
}

/// A message of HTTP as it comes in.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    pub(super) has_begun: bool,
    pub(super) is_over: bool,
    /// The head was all of it.
    pub(super) is_bare: bool,
    /// Bytes that are still to come, where the head says how many.
    left: Option<u64>,
    pub(super) trailers: Option<Vec<Bytes>>,
}

impl Incoming {
    fn begin(&mut self, end_of_stream: bool) {
        self.has_begun = true;
        self.is_over = end_of_stream;
        self.is_bare = end_of_stream;
    }

    fn count(&mut self, length: usize) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(length as u64);
        }
    }
}

impl Call {
    /// A call for an exchange at `listener` with the client at `peer`.
    pub(super) fn new(settings: Arc<Settings>, listener: &str, peer: Option<&str>) -> Self {
        Self {
            drive: Some(Drive::new(Arc::clone(&settings.gateway))),
            settings,
            listener: listener.into(),
            peer: peer.and_then(address),
            effects: Effects::new(),
            stage: Stage::Request,
            request: Incoming::default(),
            response: Incoming::default(),
            headers: Listed::default(),
            upstream: None,
            attempt: None,
            outgoing: Bytes::new(),
            is_answered: false,
            answers: VecDeque::new(),
            metadata: None,
            hold: None,
        }
    }

    /// Nothing follows the answers that are there.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Done | Stage::Broken)
    }

    /// The client's answer must be broken off.
    pub(super) fn is_broken(&self) -> bool {
        self.stage == Stage::Broken
    }

    /// A step of it may take long.
    pub(super) fn is_large(&self) -> bool {
        self.drive
            .as_ref()
            .is_some_and(|drive| drive.exchange().is_large())
    }

    /// What holds the answer of a parked exchange back. Envoy must have taken notice of the end of this call before: what of an
    /// answer it has sent here by then is lost.
    pub(super) fn take_hold(&mut self) -> Option<Hold> {
        self.hold.take()
    }

    /// The next message to Envoy.
    pub(super) fn next_answer(&mut self) -> Option<Answer> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        if self.outgoing.is_empty() {
            return None;
        }
        let piece = self.outgoing.split_to(self.outgoing.len().min(PIECE));
        let mut is_end = false;
        if self.outgoing.is_empty() {
            self.commit();
            match self.request.trailers.take() {
                Some(names) => self.answers.push_back(answer::trailers(Side::Request, names)),
                None => is_end = true,
            }
        }
        Some(answer::body(Side::Request, piece, is_end))
    }

    /// Takes a message of Envoy's.
    pub(super) fn take(&mut self, message: Word) {
        match message.event {
            Some(Said::RequestHead(head)) => self.take_request(head),
            Some(Said::RequestBody(body)) => {
                if !body.body.is_empty() {
                    self.on(Event::Body(body.body));
                }
                if body.end_of_stream {
                    self.take_request_end(None);
                }
            }
            Some(Said::RequestTrailers(trailers)) => {
                self.take_request_end(Some(headers::names(trailers.trailers)));
            }
            Some(Said::ResponseHead(head)) => self.take_response(head),
            Some(Said::ResponseBody(body)) if self.stage == Stage::Passing => {
                if body.end_of_stream {
                    self.stage = Stage::Done;
                }
                let passed = answer::body(Side::Response, body.body, body.end_of_stream);
                self.answers.push_back(passed);
            }
            Some(Said::ResponseBody(body)) => {
                self.response.count(body.body.len());
                if !body.body.is_empty() {
                    self.on_upstream(|attempt| Event::UpstreamChunk {
                        attempt,
                        data: body.body,
                    });
                }
                if body.end_of_stream {
                    self.take_response_end(None);
                }
            }
            Some(Said::ResponseTrailers(_)) if self.stage == Stage::Passing => {
                self.answers
                    .push_back(answer::trailers(Side::Response, Vec::new()));
                self.stage = Stage::Done;
            }
            Some(Said::ResponseTrailers(trailers)) => {
                self.take_response_end(Some(headers::names(trailers.trailers)));
            }
            None => {}
        }
        // The end is in a message of its own, and comes just behind: both are answered together.
        if self.response.left != Some(0) || self.response.is_over {
            self.act();
        }
    }

    fn take_request(&mut self, mut message: Head) {
        if self.request.has_begun {
            return;
        }
        self.request.begin(message.end_of_stream);
        if self.settings.reach.is_some() {
            let mut said = |name| headers::take(message.headers.as_mut()?, name);
            self.listener = said(names::LISTENER_HEADER).unwrap_or_default().into();
            self.peer = said(names::PEER_HEADER).as_deref().and_then(address);
        }
        let head = headers::head(message.headers);
        let (Ok(method), Ok(uri)) = (
            Method::from_bytes(&head.method),
            Uri::from_maybe_shared(head.path),
        ) else {
            // No exchange begins with what is no HTTP.
            return self.answer_whole(StatusCode::BAD_REQUEST, &HeaderMap::new(), Vec::new());
        };
        self.headers = head.listed;
        self.on(Event::Request(Box::new(RequestHead {
            method,
            uri,
            headers: head.headers,
            authority: headers::text(head.authority),
            listener: Arc::clone(&self.listener),
            peer: self.peer,
            no_body: message.end_of_stream,
        })));
    }

    fn take_request_end(&mut self, trailers: Option<Vec<Bytes>>) {
        self.request.is_over = true;
        self.request.trailers = trailers;
        self.on(Event::BodyEnd);
    }

    fn take_response(&mut self, message: Head) {
        if !matches!(self.stage, Stage::Direct(_)) {
            // Envoy's own answer to what it did not take for a request, or because it does not reach the native host. The call goes on
            // to its end: what Envoy had sent here after an earlier one would be lost, and the client would wait for it.
            self.drive = None;
            self.hold = None;
            let mut mutation = HeaderMutation::default();
            mutation
                .remove_headers
                .push(Bytes::from_static(names::LOCAL_REPLY_HEADER.as_bytes()));
            self.answers.push_back(answer::head(Side::Response, mutation));
            self.is_answered = true;
            self.stage = match message.end_of_stream {
                true => Stage::Done,
                false => Stage::Passing,
            };
            return;
        }
        self.commit();
        self.response.begin(message.end_of_stream);
        let head = headers::head(message.headers);
        let status = StatusCode::from_bytes(&head.status).unwrap_or(StatusCode::BAD_GATEWAY);
        if let Some(flags) = head.headers.get(names::LOCAL_REPLY_HEADER) {
            let failure = flags::failure(flags.to_str().unwrap_or_default());
            return self.on_upstream(|attempt| Event::UpstreamFailed { attempt, failure });
        }
        let length = head.headers.get(CONTENT_LENGTH);
        self.response.left = length.and_then(|length| length.to_str().ok()?.parse().ok());
        self.upstream = Some((status, head.listed));
        self.on_upstream(|attempt| Event::UpstreamHead {
            attempt,
            status,
            headers: head.headers,
        });
        if message.end_of_stream {
            self.on_upstream(|attempt| Event::UpstreamEnd { attempt });
        }
    }

    fn take_response_end(&mut self, trailers: Option<Vec<Bytes>>) {
        self.response.is_over = true;
        self.response.trailers = trailers;
        self.on_upstream(|attempt| Event::UpstreamEnd { attempt });
    }

    /// The engine's deadline has passed, or a parked exchange is in the native host's hands.
    pub(super) fn take_turn(&mut self) {
        if self.stage == Stage::Parked {
            self.stage = Stage::Done;
            return;
        }
        self.commit();
        self.on(Event::Deadline);
        self.act();
    }

    /// Envoy has gone. Within an answer it does not say whether the client or the upstream left it alone; clients rarely leave
    /// just then.
    pub(super) fn take_leave(&mut self) {
        if self.response.has_begun && !self.response.is_over {
            let failure = Failure {
                kind: FailureKind::Reset,
                message: "the answer broke off".to_owned(),
            };
            self.on_upstream(|attempt| Event::UpstreamFailed { attempt, failure });
        }
        self.drive = None;
        self.hold = None;
        self.stage = Stage::Done;
    }

    /// Ready when [`Call::take_turn`] is due.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match (&mut self.drive, &mut self.hold) {
            (Some(drive), _) => drive.poll_deadline(cx),
            (None, Some(hold)) => hold.poll_taken(cx),
            (None, None) => Poll::Pending,
        }
    }

    /// The exchange panicked: it is dropped, which leaves its record, and the client is told where it still can be.
    pub(super) fn fail(&mut self) {
        self.drive = None;
        self.hold = None;
        self.outgoing.clear();
        self.answers.clear();
        if self.is_answered {
            self.stage = Stage::Broken;
            return;
        }
        let mut head = HeaderMap::new();
        head.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        head.insert("x-aigw-error", HeaderValue::from_static("internal"));
        let body = Bytes::from_static(FAILED.as_bytes());
        self.answer_whole(StatusCode::INTERNAL_SERVER_ERROR, &head, vec![body]);
    }

    fn on(&mut self, event: Event) {
        if let Some(drive) = &mut self.drive {
            let (slot, tells) = (&mut self.metadata, self.settings.tells);
            drive.on_watched(event, &mut self.effects, |record| {
                if tells || !record.costs.is_empty() {
                    *slot = Some(metadata(record));
                }
            });
        }
    }

    fn on_upstream(&mut self, event: impl FnOnce(u32) -> Event) {
        if let Stage::Direct(attempt) = self.stage {
            self.on(event(attempt));
        }
    }

    /// The attempt is out of our hands.
    pub(super) fn commit(&mut self) {
        if let (Stage::Direct(_), Some(drive)) = (self.stage, &mut self.drive) {
            drive.commit();
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}
