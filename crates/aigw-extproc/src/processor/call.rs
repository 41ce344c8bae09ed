//! One call of the processor: what Envoy says of one exchange goes to the engine, what the engine wants goes to Envoy.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use aigw_engine::{Attempt, Effect, Effects, Event, Failure, FailureKind, RequestHead, ResponseHead};
use aigw_proxy::{Hold, Parking};
use aigw_runtime::Drive;
use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpHeaders, ProcessingRequest, ProcessingResponse};
use envoy_types::pb::google::protobuf::Struct;
use http::header::HeaderMap;
use http::{HeaderValue, Method, StatusCode, Uri};

use super::answer::{self, Side};
use super::metadata::metadata;
use super::{flags, forward, headers};
use crate::{names, xds};

/// Largest piece of a body in one message to Envoy.
const PIECE: usize = 64 * 1024;

/// The call.
pub(super) struct Call {
    /// `None` once the exchange was parked.
    drive: Option<Drive>,
    listener: Arc<str>,
    peer: Option<IpAddr>,
    parking: Arc<Parking>,
    /// What Envoy can send to; everything, if it is not said.
    reach: Option<xds::Server>,
    effects: Effects,
    stage: Stage,
    request: Incoming,
    response: Incoming,
    /// The upstream's head as it came.
    upstream: Option<(StatusCode, HeaderMap)>,
    /// The engine's wish, until the client's body is over.
    attempt: Option<Box<Attempt>>,
    /// What is left of the attempt's body.
    outgoing: Bytes,
    /// The answer to the upstream's head is out.
    is_answered: bool,
    answers: VecDeque<ProcessingResponse>,
    metadata: Option<Struct>,
    hold: Option<Hold>,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Taking the client's request.
    Request,
    /// Envoy has the attempt of this number.
    Direct(u32),
    /// Nothing follows the answers.
    Done,
    /// The stream breaks off after the answers.
    Broken,
}

/// A message of HTTP as it comes in.
#[derive(Debug, Default)]
struct Incoming {
    has_begun: bool,
    is_over: bool,
    /// The head was all of it.
    is_bare: bool,
    trailers: Option<Vec<String>>,
}

impl Incoming {
    fn begin(&mut self, end_of_stream: bool) {
        self.has_begun = true;
        self.is_over = end_of_stream;
        self.is_bare = end_of_stream;
    }
}

/// What the engine wants at one time.
#[derive(Default)]
struct Wishes {
    attempt: Option<Box<Attempt>>,
    head: Option<Box<ResponseHead>>,
    writes: Vec<Bytes>,
    end: bool,
    abort: bool,
}

impl Call {
    pub(super) fn new(
        drive: Drive,
        listener: Arc<str>,
        peer: Option<IpAddr>,
        parking: Arc<Parking>,
        reach: Option<xds::Server>,
    ) -> Self {
        Self {
            drive: Some(drive),
            listener,
            peer,
            parking,
            reach,
            effects: Effects::new(),
            stage: Stage::Request,
            request: Incoming::default(),
            response: Incoming::default(),
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

    /// What holds the answer of a parked exchange back. Envoy must have taken notice of the end of this call before: what of an
    /// answer it has sent here by then is lost.
    pub(super) fn take_hold(&mut self) -> Option<Hold> {
        self.hold.take()
    }

    /// The next message to Envoy.
    pub(super) fn next_answer(&mut self) -> Option<ProcessingResponse> {
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
        Some(answer::body(Side::Request, Vec::from(piece), is_end))
    }

    /// Takes a message of Envoy's.
    pub(super) fn take(&mut self, message: ProcessingRequest) {
        match message.request {
            Some(Request::RequestHeaders(head)) => self.take_request(head),
            Some(Request::RequestBody(body)) => {
                if !body.body.is_empty() {
                    self.on(Event::Body(Bytes::from(body.body)));
                }
                if body.end_of_stream {
                    self.take_request_end(None);
                }
            }
            Some(Request::RequestTrailers(trailers)) => {
                self.take_request_end(Some(headers::names(trailers.trailers)));
            }
            Some(Request::ResponseHeaders(head)) => self.take_response(head),
            Some(Request::ResponseBody(body)) => {
                if !body.body.is_empty() {
                    self.on_upstream(|attempt| Event::UpstreamChunk {
                        attempt,
                        data: Bytes::from(body.body),
                    });
                }
                if body.end_of_stream {
                    self.take_response_end(None);
                }
            }
            Some(Request::ResponseTrailers(trailers)) => {
                self.take_response_end(Some(headers::names(trailers.trailers)));
            }
            None => {}
        }
        self.act();
    }

    fn take_request(&mut self, message: HttpHeaders) {
        if self.request.has_begun {
            return;
        }
        self.request.begin(message.end_of_stream);
        let head = headers::head(message.headers);
        let (Ok(method), Ok(uri)) = (
            Method::from_bytes(head.method.as_bytes()),
            Uri::try_from(head.path),
        ) else {
            // No exchange begins with what is no HTTP.
            return self.answer_whole(StatusCode::BAD_REQUEST, &HeaderMap::new(), Vec::new());
        };
        self.on(Event::Request(Box::new(RequestHead {
            method,
            uri,
            headers: head.headers,
            authority: head.authority,
            listener: Arc::clone(&self.listener),
            peer: self.peer,
            no_body: message.end_of_stream,
        })));
    }

    fn take_request_end(&mut self, trailers: Option<Vec<String>>) {
        self.request.is_over = true;
        self.request.trailers = trailers;
        self.on(Event::BodyEnd);
    }

    fn take_response(&mut self, message: HttpHeaders) {
        self.commit();
        self.response.begin(message.end_of_stream);
        let head = headers::head(message.headers);
        let status = StatusCode::from_bytes(head.status.as_bytes()).unwrap_or(StatusCode::BAD_GATEWAY);
        if let Some(flags) = head.headers.get(names::LOCAL_REPLY_HEADER) {
            let failure = flags::failure(flags.to_str().unwrap_or_default());
            return self.on_upstream(|attempt| Event::UpstreamFailed { attempt, failure });
        }
        self.upstream = Some((status, head.headers.clone()));
        self.on_upstream(|attempt| Event::UpstreamHead {
            attempt,
            status,
            headers: head.headers,
        });
        if message.end_of_stream {
            self.on_upstream(|attempt| Event::UpstreamEnd { attempt });
        }
    }

    fn take_response_end(&mut self, trailers: Option<Vec<String>>) {
        self.response.is_over = true;
        self.response.trailers = trailers;
        self.on_upstream(|attempt| Event::UpstreamEnd { attempt });
    }

    /// The engine's deadline has passed.
    pub(super) fn take_deadline(&mut self) {
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
        self.stage = Stage::Done;
    }

    /// Ready when [`Call::take_deadline`] is due.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.drive {
            Some(drive) => drive.poll_deadline(cx),
            None => Poll::Pending,
        }
    }

    /// The exchange panicked: it is dropped, which leaves its record, and the client is told where it still can be.
    pub(super) fn fail(&mut self) {
        const TEXT: &str = r#"{"error":{"message":"The gateway failed on this request; its log says why.","type":"server_error","code":"internal"}}"#;
        self.drive = None;
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
        let body = Bytes::from_static(TEXT.as_bytes());
        self.answer_whole(StatusCode::INTERNAL_SERVER_ERROR, &head, vec![body]);
    }

    fn on(&mut self, event: Event) {
        if let Some(drive) = &mut self.drive {
            let slot = &mut self.metadata;
            drive.on_watched(event, &mut self.effects, |record| *slot = Some(metadata(record)));
        }
    }

    fn on_upstream(&mut self, event: impl FnOnce(u32) -> Event) {
        if let Stage::Direct(attempt) = self.stage {
            self.on(event(attempt));
        }
    }

    /// The attempt is out of our hands.
    fn commit(&mut self) {
        if let (Stage::Direct(_), Some(drive)) = (self.stage, &mut self.drive) {
            drive.commit();
        }
    }

    /// Does what the engine wants.
    fn act(&mut self) {
        let mut wishes = Wishes::default();
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Attempt(attempt) => wishes.attempt = Some(attempt),
                Effect::Head(head) => wishes.head = Some(head),
                Effect::Write(data) => wishes.writes.push(data),
                Effect::End => wishes.end = true,
                Effect::Abort => wishes.abort = true,
                // More of the body comes anyway; an attempt ends with the answer in its place; the record is written.
                Effect::ReadBody | Effect::Cancel { .. } | Effect::Record(_) => {}
            }
        }
        if wishes.attempt.is_some() {
            self.attempt = wishes.attempt.take();
        }
        if wishes.head.is_some() || wishes.end || wishes.abort || !wishes.writes.is_empty() {
            self.attempt = None;
            self.answer_client(wishes);
        } else if self.request.is_over
            && let Some(attempt) = self.attempt.take()
        {
            self.give_away(attempt);
        }
        if self.metadata.is_some()
            && let Some(last) = self.answers.back_mut()
        {
            last.dynamic_metadata = self.metadata.take();
        }
    }

    /// Has an attempt sent: by Envoy, if nothing but its answer can follow, else by the native host.
    fn give_away(&mut self, attempt: Box<Attempt>) {
        let (Stage::Request, Some(drive)) = (self.stage, self.drive.take()) else {
            return self.fail();
        };
        let exchange = drive.exchange();
        let endpoint = &attempt.backend.endpoint;
        let is_reached = self.reach.as_ref().is_none_or(|xds| xds.reaches(endpoint));
        let mutation = if exchange.may_retry() || exchange.is_stream() || !is_reached {
            let told = exchange.progress().map(metadata);
            let Some((id, hold)) = self.parking.park(drive, attempt) else {
                return self.fail();
            };
            self.hold = Some(hold);
            self.stage = Stage::Done;
            self.metadata = told;
            forward::parked(&id)
        } else {
            let mutation = exchange
                .request()
                .map(|request| forward::direct(request, &attempt, self.request.is_bare));
            self.stage = Stage::Direct(attempt.attempt);
            self.drive = Some(drive);
            self.outgoing = forward::body(attempt.body);
            mutation.unwrap_or_default()
        };
        self.answers.push_back(answer::head(Side::Request, mutation));
        if self.outgoing.is_empty() {
            self.commit();
            if let Some(names) = self.request.trailers.take() {
                self.answers.push_back(answer::trailers(Side::Request, names));
            } else if !self.request.is_bare {
                self.answers
                    .push_back(answer::body(Side::Request, Vec::new(), true));
            }
        }
    }

    fn answer_client(&mut self, wishes: Wishes) {
        if let Some(head) = wishes.head {
            let has_room = !self.response.is_bare || wishes.writes.is_empty();
            let upstream = match &self.upstream {
                Some(upstream) if !wishes.end || (self.response.is_over && has_room) => upstream,
                _ => return self.answer_whole(head.status, &head.headers, wishes.writes),
            };
            let mutation = forward::response(upstream, &head);
            self.answers.push_back(answer::head(Side::Response, mutation));
            self.is_answered = true;
        }
        let count = wishes.writes.len();
        let ends = wishes.end && self.response.trailers.is_none();
        for (index, data) in wishes.writes.into_iter().enumerate() {
            let is_end = ends && index + 1 == count;
            self.answers
                .push_back(answer::body(Side::Response, Vec::from(data), is_end));
        }
        if wishes.end {
            if let Some(names) = self.response.trailers.take() {
                self.answers.push_back(answer::trailers(Side::Response, names));
            } else if count == 0 && !self.response.is_bare {
                self.answers
                    .push_back(answer::body(Side::Response, Vec::new(), true));
            }
            self.stage = Stage::Done;
        } else if wishes.abort {
            self.stage = Stage::Broken;
        }
    }

    /// Answers in place of whatever Envoy is doing.
    fn answer_whole(&mut self, status: StatusCode, head: &HeaderMap, pieces: Vec<Bytes>) {
        self.outgoing.clear();
        self.answers.push_back(answer::immediate(status, head, pieces));
        self.stage = Stage::Done;
    }
}
