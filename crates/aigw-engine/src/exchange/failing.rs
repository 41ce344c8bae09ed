//! When an attempt comes to nothing: failures, deadlines, answers that break off, and the errors that tell of them.

use std::time::Duration;

use http::StatusCode;

use super::{Exchange, Phase};
use crate::attempt::{Next, Setback};
use crate::effect::{Effect, Effects};
use crate::event::{Failure, FailureKind, Inputs};
use crate::health::Health;
use crate::ledger::{ErrorClass, Outcome};
use crate::reply::Refusal;

impl Exchange {
    pub(super) fn take_failure(&mut self, failure: Failure, inputs: Inputs<'_>, effects: &mut Effects) {
        let kind = match failure.kind {
            FailureKind::Stale if self.may_renew() => return self.renew(inputs, effects),
            FailureKind::Stale => FailureKind::Reset,
            kind => kind,
        };
        let backend = self.backend_name();
        let (setback, label, refusal) = match kind {
            FailureKind::Connect => (
                Setback::Connect,
                "connect",
                upstream_error(
                    502,
                    "upstream_unreachable",
                    format!("The backend `{backend}` cannot be reached: {}.", failure.message),
                ),
            ),
            FailureKind::Reset | FailureKind::Stale => (
                Setback::Broken,
                "reset",
                upstream_error(
                    502,
                    "upstream_reset",
                    format!(
                        "The backend `{backend}` broke the connection: {}.",
                        failure.message
                    ),
                ),
            ),
            FailureKind::Protocol => (
                Setback::Broken,
                "protocol",
                upstream_error(
                    502,
                    "upstream_malformed",
                    format!("The backend `{backend}` broke HTTP: {}.", failure.message),
                ),
            ),
        };
        self.fail_attempt(setback, label, refusal, &failure.message, inputs, effects);
    }

    /// The attempt once more, as if it had not been made.
    fn renew(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        let Some(candidate) = self.current.take().map(|current| current.candidate) else {
            return;
        };
        if let Some(record) = &mut self.record {
            record.attempts.pop();
        }
        if let Some(plan) = &mut self.plan {
            plan.renewed();
        }
        if let Err(refusal) = self.attempt(candidate, true, inputs, effects) {
            let next = self.pass_over(refusal);
            self.follow(next, inputs, effects);
        }
    }

    fn may_renew(&self) -> bool {
        let is_fresh = self.current.as_ref().is_some_and(|current| current.fresh);
        matches!(self.phase, Phase::Head) && self.plan.is_some() && !is_fresh
    }

    /// An answer that makes no sense, found while its attempt still runs.
    pub(super) fn break_answer(
        &mut self,
        code: &str,
        detail: &str,
        label: &'static str,
        inputs: Inputs<'_>,
        effects: &mut Effects,
    ) {
        if let Some(current) = &self.current {
            effects.push(Effect::Cancel {
                attempt: current.number,
            });
        }
        let message = format!(
            "The answer of backend `{}` cannot be used: {detail}.",
            self.backend_name()
        );
        self.fail_attempt(
            Setback::Broken,
            label,
            upstream_error(502, code, message),
            detail,
            inputs,
            effects,
        );
    }

    /// Ends the current attempt as failed; tries again where nothing has reached the client, else ends the client's answer.
    fn fail_attempt(
        &mut self,
        setback: Setback,
        label: &'static str,
        refusal: Refusal,
        detail: &str,
        inputs: Inputs<'_>,
        effects: &mut Effects,
    ) {
        // Counted once: one of 500 or more was counted with its head.
        if self.attempt_status().is_none_or(|status| status < 500) {
            self.note_health(Health::Broken, inputs);
        }
        self.close_attempt(Some(label), inputs);
        if matches!(self.phase, Phase::Flowing) {
            return self.cut(detail, inputs, effects);
        }
        self.current = None;
        self.permits.answer = None;
        self.last_failure = Some(refusal);
        let next = self
            .plan
            .as_mut()
            .map_or(Next::GiveUp, |plan| plan.advance(setback));
        self.follow(next, inputs, effects);
    }

    pub(super) fn take_deadline(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        if self.deadline().is_none_or(|deadline| inputs.now < deadline) {
            return;
        }
        let over = self.hard_deadline.is_some_and(|hard| inputs.now >= hard);
        self.deadline = None;
        match self.phase {
            Phase::Body => self.take_body_timeout(inputs, effects),
            Phase::Pausing(candidate) if !over => {
                self.follow(Next::Try(candidate, Duration::ZERO), inputs, effects)
            }
            Phase::Head | Phase::First(_) | Phase::Collecting(_) | Phase::Flowing | Phase::Pausing(_) => {
                if let Some(current) = &self.current {
                    effects.push(Effect::Cancel {
                        attempt: current.number,
                    });
                }
                let message = format!("The backend `{}` did not answer in time.", self.backend_name());
                let refusal = upstream_error(504, "upstream_timeout", message);
                if over {
                    self.hard_deadline = None;
                    self.plan = None;
                }
                self.fail_attempt(
                    Setback::Timeout,
                    "timeout",
                    refusal,
                    "the upstream fell silent",
                    inputs,
                    effects,
                );
            }
            Phase::New | Phase::Done => {}
        }
    }

    /// The answer broke off after its head: the client is told in its own dialect where the format can say it.
    pub(super) fn cut(&mut self, detail: &str, inputs: Inputs<'_>, effects: &mut Effects) {
        self.close_attempt(Some("cut"), inputs);
        let message = format!("The answer broke off: {detail}.");
        let error = aigw_translate::ir::Error::gateway(502, "upstream_cut", message);
        let mut out = Vec::new();
        let said = match self.current.as_mut().and_then(|current| current.answer.as_mut()) {
            Some(answer) => answer.fail(&error, &mut out),
            None => false,
        };
        self.write(out, effects);
        effects.push(if said { Effect::End } else { Effect::Abort });
        self.close(
            Outcome::UpstreamCut,
            Some(("upstream_cut".to_owned(), ErrorClass::Upstream)),
            inputs,
            effects,
        );
    }
}

fn upstream_error(status: u16, code: &str, message: String) -> Refusal {
    Refusal::new(status, code, ErrorClass::Upstream, message)
}

/// Stands for an answer whose body was not read because another attempt followed.
pub(super) fn status_refusal(status: StatusCode, wait: Option<Duration>) -> Refusal {
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return credential_rejected(status, String::new());
    }
    let refusal = upstream_error(
        status.as_u16(),
        "upstream_error",
        format!("The last backend that answered said {status}, and no other could be tried."),
    );
    match wait {
        // Whole seconds, rounded up: too early a try would be refused again.
        Some(wait) => refusal.retry_after(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
        None => refusal,
    }
}

pub(super) fn credential_rejected(status: StatusCode, backend: String) -> Refusal {
    let which = if backend.is_empty() {
        "a backend".to_owned()
    } else {
        format!("the backend `{backend}`")
    };
    Refusal::new(
        502,
        "upstream_credential_rejected",
        ErrorClass::Credential,
        format!(
            "The provider of {which} rejected the gateway's credential with status {}. Check the key and its permissions.",
            status.as_u16()
        ),
    )
}
