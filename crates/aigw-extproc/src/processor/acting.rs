//! What the engine wants of a call goes to Envoy.

use aigw_engine::{Attempt, Effect, ResponseHead};
use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;

use super::answer::{self, Side};
use super::call::{Call, Stage};
use super::forward;
use super::metadata::metadata;

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
    /// Does what the engine wants.
    pub(super) fn act(&mut self) {
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
        let cluster = match exchange.may_retry() || exchange.is_stream() {
            true => None,
            false => self.settings.cluster(&attempt.backend.endpoint),
        };
        let mutation = if let Some(cluster) = cluster {
            let listed = std::mem::take(&mut self.headers);
            let mutation = exchange
                .request()
                .map(|request| forward::direct(request, listed, &attempt, &cluster, self.request.is_bare));
            self.stage = Stage::Direct(attempt.attempt);
            self.drive = Some(drive);
            self.outgoing = forward::body(attempt.body);
            mutation.unwrap_or_default()
        } else {
            let told = exchange.progress().filter(|_| self.settings.tells).map(metadata);
            let Some((id, hold)) = self.settings.parking.park(drive, attempt) else {
                return self.fail();
            };
            self.hold = Some(hold);
            self.stage = Stage::Parked;
            self.metadata = told;
            forward::parked(&id)
        };
        self.answers.push_back(answer::head(Side::Request, mutation));
        if self.outgoing.is_empty() {
            self.commit();
            if let Some(names) = self.request.trailers.take() {
                self.answers.push_back(answer::trailers(Side::Request, names));
            } else if !self.request.is_bare {
                self.answers
                    .push_back(answer::body(Side::Request, Bytes::new(), true));
            }
        }
    }

    fn answer_client(&mut self, wishes: Wishes) {
        if let Some(head) = wishes.head {
            let has_room = !self.response.is_bare || wishes.writes.is_empty();
            let (status, listed) = match self.upstream.take() {
                Some(upstream) if !wishes.end || (self.response.is_over && has_room) => upstream,
                _ => return self.answer_whole(head.status, &head.headers, wishes.writes),
            };
            let mutation = forward::response(status, listed, &head);
            self.answers.push_back(answer::head(Side::Response, mutation));
            self.is_answered = true;
        }
        let count = wishes.writes.len();
        let ends = wishes.end && self.response.trailers.is_none();
        for (index, data) in wishes.writes.into_iter().enumerate() {
            let is_end = ends && index + 1 == count;
            self.answers.push_back(answer::body(Side::Response, data, is_end));
        }
        if wishes.end {
            if let Some(names) = self.response.trailers.take() {
                self.answers.push_back(answer::trailers(Side::Response, names));
            } else if count == 0 && !self.response.is_bare {
                self.answers
                    .push_back(answer::body(Side::Response, Bytes::new(), true));
            }
            // An upstream may answer before it has all of the request.
            self.outgoing.clear();
            self.stage = Stage::Done;
        } else if wishes.abort {
            self.outgoing.clear();
            self.stage = Stage::Broken;
        }
    }

    /// Answers in place of whatever Envoy is doing.
    pub(super) fn answer_whole(&mut self, status: StatusCode, head: &HeaderMap, pieces: Vec<Bytes>) {
        self.outgoing.clear();
        self.answers.push_back(answer::immediate(status, head, pieces));
        self.stage = Stage::Done;
    }
}
