//! Every way out: replies, cancellation, and the one record.

use aigw_config::Snapshot;
use aigw_translate::answer::Answer;
use http::header::{self, HeaderValue};

use super::{Current, Exchange, Permits, Phase};
use crate::cost;
use crate::effect::{Effect, Effects, ResponseHead};
use crate::event::Inputs;
use crate::ledger::{ErrorClass, Outcome, shortened};
use crate::reply::{Refusal, Reply};

impl Exchange {
    /// Answers with an error after the client's body was read.
    pub(super) fn refuse(&mut self, refusal: Refusal, inputs: Inputs<'_>, effects: &mut Effects) {
        let reply = refusal.reply(self.shape, self.request_id());
        self.send_reply(reply, inputs, effects);
    }

    /// The same while the client may still be sending: the connection cannot be used again.
    pub(super) fn refuse_unread(&mut self, refusal: Refusal, inputs: Inputs<'_>, effects: &mut Effects) {
        let mut reply = refusal.reply(self.shape, self.request_id());
        reply.close = self.request.as_ref().is_some_and(|head| !head.no_body);
        self.send_reply(reply, inputs, effects);
    }

    pub(super) fn send_reply(&mut self, reply: Reply, inputs: Inputs<'_>, effects: &mut Effects) {
        let Reply {
            status,
            mut headers,
            body,
            error,
            close,
        } = reply;
        if status != http::StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len() as u64));
        }
        self.mark_head(&mut headers);
        if let Some(record) = &mut self.record {
            record.status = status.as_u16();
        }
        effects.push(Effect::Head(Box::new(ResponseHead {
            status,
            headers,
            close,
        })));
        self.write(vec![body], effects);
        effects.push(Effect::End);
        let outcome = if error.is_some() {
            Outcome::Error
        } else {
            Outcome::Success
        };
        self.close(outcome, error, inputs, effects);
    }

    pub(super) fn take_client_gone(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        self.cancel(Some("cancelled"), inputs, effects);
        self.close(
            Outcome::ClientGone,
            Some(("client_gone".to_owned(), ErrorClass::Caller)),
            inputs,
            effects,
        );
    }

    /// Drops the current attempt, if any.
    pub(super) fn cancel(
        &mut self,
        failure: Option<&'static str>,
        inputs: Inputs<'_>,
        effects: &mut Effects,
    ) {
        self.close_attempt(failure, inputs);
        if let Some(current) = &self.current {
            effects.push(Effect::Cancel {
                attempt: current.number,
            });
        }
        if failure.is_none() {
            self.current = None;
        }
    }

    /// Completes the record of the current attempt, once.
    pub(super) fn close_attempt(&mut self, failure: Option<&'static str>, inputs: Inputs<'_>) {
        let Some(started) = self.current.as_ref().map(|current| current.started) else {
            return;
        };
        if let Some(attempt) = self.record.as_mut().and_then(|record| record.attempts.last_mut())
            && attempt.failure.is_none()
        {
            attempt.failure = failure;
            attempt.duration = inputs.now.saturating_duration_since(started);
        }
    }

    /// Makes the record; nothing happens after it.
    pub(super) fn close(
        &mut self,
        outcome: Outcome,
        error: Option<(String, ErrorClass)>,
        inputs: Inputs<'_>,
        effects: &mut Effects,
    ) {
        self.phase = Phase::Done;
        self.deadline = None;
        self.hard_deadline = None;
        let current = self.current.take();
        self.inbound = None;
        self.permits = Permits::default();
        let Some(mut record) = self.record.take() else {
            return;
        };
        record.outcome = outcome;
        if let Some((code, class)) = error {
            record.error_code = Some(code);
            record.error_class = Some(class);
        }
        if let Some(started) = self.started {
            record.duration = inputs.now.saturating_duration_since(started);
        }
        if let Some(Current {
            answer: Some(answer),
            request_losses,
            ..
        }) = current
        {
            absorb(&mut record, &answer, request_losses);
        }
        if let Some(route) = self.place.and_then(|place| self.snapshot.routes.get(place.route)) {
            cost::charge(&mut record, &route.costs);
        }
        effects.push(Effect::Record(record));
    }

    /// The snapshot that serves this exchange.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// What the answer's observer learnt goes into the record, however the answer ended.
fn absorb(record: &mut crate::ledger::UsageRecord, answer: &Answer, request_losses: u32) {
    let observation = answer.observation();
    record.usage = observation.usage;
    let text = |text: &Option<String>| {
        text.as_deref()
            .map(|text| shortened(text).unwrap_or(text).to_owned())
    };
    record.response_model = text(&observation.model);
    record.finish_reason = text(&observation.finish);
    record.losses = request_losses.saturating_add(answer.losses());
}
