//! From the upstream to the client: heads, pieces and ends of answers.

use std::time::Duration;

use aigw_config::{BackendAuth, Candidate};
use aigw_translate::answer::{Answer, AnswerInputs, Delivery};
use aigw_translate::dialect::ReplyContext;
use aigw_translate::host::{Service, service};
use aigw_translate::operation::ErrorShape;
use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::dispatch::rule_at;
use super::failing::{credential_rejected, status_refusal};
use super::intake::out_of_memory;
use super::{Exchange, Phase};
use crate::attempt::{Next, PATIENCE, Setback};
use crate::effect::{Effect, Effects, ResponseHead};
use crate::event::Inputs;
use crate::headers;
use crate::health::Health;
use crate::ingress;
use crate::ledger::{ErrorClass, Outcome};

impl Exchange {
    /// Runs `read` with the candidate of the current attempt.
    fn with_candidate<T>(&self, read: impl FnOnce(&Candidate) -> T) -> Option<T> {
        let index = self.current.as_ref()?.candidate;
        let rule = rule_at(&self.snapshot, self.place?)?;
        rule.candidates.get(index).map(read)
    }

    pub(super) fn take_head(
        &mut self,
        status: StatusCode,
        upstream: &HeaderMap,
        inputs: Inputs<'_>,
        effects: &mut Effects,
    ) {
        if !matches!(self.phase, Phase::Head) || status.is_informational() {
            return;
        }
        if let Some(attempt) = self.record.as_mut().and_then(|record| record.attempts.last_mut()) {
            attempt.status = Some(status.as_u16());
        }
        if status.as_u16() >= 500 {
            self.note_health(Health::Status(status.as_u16()), inputs);
        }
        let passthrough = self
            .with_candidate(|c| c.backend.auth == BackendAuth::Passthrough)
            .unwrap_or(false);
        if let Some(setback) = self.setback_of(status, upstream, passthrough) {
            let next = self.plan.as_ref().map_or(Next::GiveUp, |plan| plan.peek(setback));
            if matches!(next, Next::Try(..)) {
                self.note_answered(inputs);
                self.cancel(None, inputs, effects);
                self.last_failure = Some(status_refusal(status, retry_after(upstream)));
                let next = self
                    .plan
                    .as_mut()
                    .map_or(Next::GiveUp, |plan| plan.advance(setback));
                return self.follow(next, inputs, effects);
            }
            let is_key_fault = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            if setback == Setback::Misconfigured && is_key_fault {
                self.note_answered(inputs);
                self.cancel(None, inputs, effects);
                return self.refuse(credential_rejected(status, self.backend_name()), inputs, effects);
            }
        }
        self.open_answer(status, upstream, inputs);
    }

    /// Counts what became of the current attempt, where the rule leaves out backends that fail.
    pub(super) fn note_health(&self, health: Health, inputs: Inputs<'_>) {
        let rule = self.place.and_then(|place| rule_at(&self.snapshot, place));
        let Some((rule, ejection)) = rule.and_then(|rule| Some((rule, rule.ejection.as_ref()?))) else {
            return;
        };
        let index = self.current.as_ref().map(|current| current.candidate);
        if let Some(candidate) = index.and_then(|index| rule.candidates.get(index)) {
            let name = &candidate.backend.name;
            self.shared.health.note(ejection, name, health, inputs.now);
        }
    }

    /// The same for an attempt that was answered; a status of 500 or more was counted with its head.
    fn note_answered(&self, inputs: Inputs<'_>) {
        if self.attempt_status().is_some_and(|status| status < 500) {
            self.note_health(Health::Good, inputs);
        }
    }

    /// The status that the last attempt was answered with.
    pub(super) fn attempt_status(&self) -> Option<u16> {
        self.record.as_ref()?.attempts.last()?.status
    }

    pub(super) fn backend_name(&self) -> String {
        self.record
            .as_ref()
            .and_then(|record| record.backend.as_deref())
            .unwrap_or_default()
            .to_owned()
    }

    /// What a status means for the plan; `None`: it is the client's.
    fn setback_of(&self, status: StatusCode, upstream: &HeaderMap, passthrough: bool) -> Option<Setback> {
        let configured = self
            .place
            .and_then(|place| rule_at(&self.snapshot, place))
            .is_some_and(|rule| rule.retry.statuses.contains(&status.as_u16()));
        match status.as_u16() {
            401 | 403 if passthrough => None,
            401 | 403 | 404 => Some(Setback::Misconfigured),
            408 | 429 | 500..=599 => Some(Setback::Status(retry_after(upstream))),
            _ if configured => Some(Setback::Status(retry_after(upstream))),
            _ => None,
        }
    }

    /// Decides what happens to the answer's body, and builds the client's head.
    fn open_answer(&mut self, status: StatusCode, upstream: &HeaderMap, inputs: Inputs<'_>) {
        let Some(operation) = self.operation else { return };
        let Some(how) = self
            .with_candidate(|c| service(c.backend.schema.name, operation))
            .flatten()
        else {
            return;
        };
        let record = self.record.as_ref();
        let model = record.and_then(|record| record.model.clone());
        let stream = record.is_some_and(|record| record.stream);
        let Some(current) = self.current.as_mut() else {
            return;
        };
        // Only encoders need it.
        let context = match how {
            Service::PassThrough => ReplyContext::default(),
            Service::Translate(_) => ReplyContext {
                model: model.as_deref().unwrap_or_default().to_owned(),
                id: format!("{:012x}{:016x}", inputs.wall, inputs.entropy),
                created: self.created,
                stream_usage: current.wants_usage,
            },
        };
        let answer = Answer::new(AnswerInputs {
            operation,
            service: how,
            status: status.as_u16(),
            stream,
            forced_usage: current.forced_usage,
            content_type: text(upstream, header::CONTENT_TYPE),
            content_encoding: text(upstream, header::CONTENT_ENCODING),
            context,
        });
        let delivery = answer.delivery();
        let mut headers = headers::response(upstream, current.translated);
        if let Some(kind) = answer.content_type() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if delivery == Delivery::Untouched {
            if let Some(length) = upstream.get(header::CONTENT_LENGTH) {
                headers.insert(header::CONTENT_LENGTH, length.clone());
            }
        } else {
            headers.remove(header::CONTENT_ENCODING);
        }
        if let Some(value) = current
            .dropped
            .as_deref()
            .and_then(|dropped| HeaderValue::try_from(dropped).ok())
        {
            headers.insert(HeaderName::from_static("x-aigw-dropped"), value);
        }
        current.answer = Some(Box::new(answer));
        self.mark_head(&mut headers);
        let head = Box::new(ResponseHead {
            status,
            headers,
            close: false,
        });
        // The wait for the first byte goes on.
        self.phase = if delivery == Delivery::Collected {
            Phase::Collecting(head)
        } else {
            Phase::First(head)
        };
    }

    /// Every answer carries the request's id, in the header that the client's dialect has for it too, and what a listed web
    /// page's browser needs to let the page read it.
    pub(super) fn mark_head(&self, headers: &mut HeaderMap) {
        let name = HeaderName::from_static("x-request-id");
        if !headers.contains_key(&name)
            && let Ok(value) = HeaderValue::try_from(self.request_id())
        {
            headers.insert(name.clone(), value);
        }
        let own = HeaderName::from_static("request-id");
        if self.shape == ErrorShape::Anthropic
            && !headers.contains_key(&own)
            && let Some(value) = headers.get(&name).cloned()
        {
            headers.insert(own, value);
        }
        let origin = self
            .request
            .as_ref()
            .and_then(|head| ingress::allowed_origin(head, &self.snapshot));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("*"),
            );
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
    }

    pub(super) fn take_chunk(&mut self, data: Bytes, inputs: Inputs<'_>, effects: &mut Effects) {
        if data.is_empty() {
            return;
        }
        let Some(answer) = self.current.as_mut().and_then(|current| current.answer.as_mut()) else {
            return;
        };
        let mut out = Vec::with_capacity(1);
        let pushed = answer.push(data, &mut out);
        let (saw_content, held) = (answer.saw_content(), answer.held());
        if let Err(detail) = pushed {
            if matches!(self.phase, Phase::Flowing) {
                self.write(out, effects);
            }
            return self.break_answer("upstream_malformed", &detail, "protocol", inputs, effects);
        }
        if saw_content {
            self.note_first_token(inputs);
        }
        if !self.hold_answer(held) {
            if matches!(self.phase, Phase::Collecting(_)) {
                self.cancel(Some("cancelled"), inputs, effects);
                return self.refuse(out_of_memory(), inputs, effects);
            }
            self.unwatch();
        }
        if matches!(self.phase, Phase::First(_)) {
            if out.is_empty() {
                // Nothing for the client yet: another attempt can still be made, and the first token is still awaited.
                return;
            }
            let Phase::First(head) = std::mem::replace(&mut self.phase, Phase::Flowing) else {
                return;
            };
            self.send_head(head, effects);
        }
        self.stay_alive(inputs);
        self.write(out, effects);
    }

    /// What is kept of an answer counts against the budget of bytes held, as requests do. False when there is no room.
    fn hold_answer(&mut self, total: u64) -> bool {
        let limit = self.snapshot.limits.bytes_in_flight;
        match &mut self.permits.answer {
            slot if total == 0 => {
                *slot = None;
                true
            }
            Some(permit) => permit.grow(total.saturating_sub(permit.amount()), limit),
            slot => {
                *slot = self.shared.bytes(total, limit);
                slot.is_some()
            }
        }
    }

    /// An answer that the client gets anyway goes on unread.
    fn unwatch(&mut self) {
        self.permits.answer = None;
        if let Some(answer) = self.current.as_mut().and_then(|current| current.answer.as_mut()) {
            answer.unwatch();
        }
    }

    fn stay_alive(&mut self, inputs: Inputs<'_>) {
        if let Some(idle) = self.with_candidate(|c| c.timeouts.idle.duration()) {
            self.wait(inputs, idle);
        }
    }

    fn note_first_token(&mut self, inputs: Inputs<'_>) {
        let started = self.started;
        if let Some(record) = &mut self.record
            && record.stream
            && record.first_token.is_none()
        {
            record.first_token = started.map(|start| inputs.now.saturating_duration_since(start));
        }
    }

    fn send_head(&mut self, head: Box<ResponseHead>, effects: &mut Effects) {
        if let Some(record) = &mut self.record {
            record.status = head.status.as_u16();
        }
        // From here on no other attempt can be made: the original is not needed any more.
        self.inbound = None;
        self.permits.body = None;
        effects.push(Effect::Head(head));
    }

    pub(super) fn write(&mut self, pieces: Vec<Bytes>, effects: &mut Effects) {
        for piece in pieces {
            if piece.is_empty() {
                continue;
            }
            if let Some(record) = &mut self.record {
                record.response_bytes = record.response_bytes.saturating_add(piece.len() as u64);
            }
            effects.push(Effect::Write(piece));
        }
    }

    pub(super) fn take_end(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        let Some(answer) = self.current.as_mut().and_then(|current| current.answer.as_mut()) else {
            return;
        };
        let mut out = Vec::new();
        let ended = answer.finish(&mut out);
        if answer.saw_content() {
            self.note_first_token(inputs);
        }
        let complete = match ended {
            Ok(complete) => complete,
            Err(detail) => {
                return self.break_answer("upstream_malformed", &detail, "protocol", inputs, effects);
            }
        };
        match std::mem::replace(&mut self.phase, Phase::Flowing) {
            Phase::Collecting(mut head) => {
                let length: usize = out.iter().map(Bytes::len).sum();
                head.headers
                    .insert(header::CONTENT_LENGTH, HeaderValue::from(length as u64));
                self.send_head(head, effects);
            }
            Phase::First(head) if complete => self.send_head(head, effects),
            first @ Phase::First(_) => {
                self.phase = first;
                return self.break_answer("upstream_cut", "the stream was empty", "cut", inputs, effects);
            }
            _ => {}
        }
        self.write(out, effects);
        if complete {
            self.succeed(inputs, effects)
        } else {
            self.cut("the stream ended before it was complete", inputs, effects)
        }
    }

    /// A complete answer went to the client.
    fn succeed(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        self.note_answered(inputs);
        self.close_attempt(None, inputs);
        effects.push(Effect::End);
        let status = self.record.as_ref().map_or(0, |record| record.status);
        let in_stream = self
            .current
            .as_ref()
            .and_then(|current| current.answer.as_ref())
            .is_some_and(|answer| answer.observation().error.is_some());
        let (outcome, error) = match status {
            400..=599 => (
                Outcome::Error,
                Some((format!("upstream_{status}"), blame(status))),
            ),
            _ if in_stream => (
                Outcome::Error,
                Some(("upstream_stream_error".to_owned(), ErrorClass::Upstream)),
            ),
            _ => (Outcome::Success, None),
        };
        self.close(outcome, error, inputs, effects);
    }
}

fn blame(status: u16) -> ErrorClass {
    if status < 500 && status != 429 {
        ErrorClass::Caller
    } else {
        ErrorClass::Upstream
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `retry-after-ms`, else `retry-after` in seconds. A date means a long wait.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis =
        text(headers, HeaderName::from_static("retry-after-ms")).and_then(|value| value.trim().parse().ok());
    if let Some(millis) = millis {
        return Some(Duration::from_millis(millis));
    }
    let value = text(headers, header::RETRY_AFTER)?.trim();
    Some(
        value
            .parse::<f64>()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or(PATIENCE * 2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_in_both_forms() {
        let with = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
        };
        assert_eq!(
            retry_after(&with("retry-after", "1")),
            Some(Duration::from_secs(1))
        );
        assert_eq!(
            retry_after(&with("retry-after", "0.5")),
            Some(Duration::from_millis(500))
        );
        assert_eq!(
            retry_after(&with("retry-after-ms", "250")),
            Some(Duration::from_millis(250))
        );
        assert!(
            retry_after(&with("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"))
                .is_some_and(|wait| wait > PATIENCE)
        );
        assert!(retry_after(&with("retry-after", "-3")).is_some_and(|wait| wait > PATIENCE));
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
