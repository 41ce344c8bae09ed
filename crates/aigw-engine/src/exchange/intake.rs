//! Request head and body: from the door to the desk.

use std::sync::Arc;
use std::time::Duration;

use aigw_translate::operation::{BodyKind, lookup};
use bytes::Bytes;
use http::header::{self, HeaderValue};

use super::{Exchange, Intake, Phase};
use crate::effect::{Effect, Effects};
use crate::event::{Inputs, RequestHead};
use crate::ingress;
use crate::ledger::{ErrorClass, Outcome, UsageRecord, new_id};
use crate::models::{self, Viewer};
use crate::reply::{Refusal, Reply, json_headers};
use crate::shared::Permit;

impl Exchange {
    pub(super) fn take_request(&mut self, head: Box<RequestHead>, inputs: Inputs<'_>, effects: &mut Effects) {
        self.started = Some(inputs.now);
        self.created = inputs.wall / 1_000;
        let found = lookup(&head.method, head.uri.path());
        self.shape = ingress::shape(&head, found);
        let mut record = new_record(&head, inputs, Arc::clone(&self.snapshot.version));
        if let Some(operation) = ingress::operation(found) {
            record.operation = operation.label();
            record.dialect = operation.conversation().map_or("", |dialect| dialect.as_str());
        }
        self.record = Some(Box::new(record));
        self.strict = head
            .headers
            .get("x-aigw-strict")
            .is_some_and(|value| value == "true" || value == "1");
        let admitted = ingress::check_origin(&head, &self.snapshot)
            .and_then(|()| ingress::admit(&head, found, &self.snapshot, inputs.credentials));
        let preflight =
            ingress::is_preflight(&head) && ingress::allowed_origin(&head, &self.snapshot).is_some();
        self.request = Some(head);
        if preflight {
            return self.send_reply(preflight_reply(), inputs, effects);
        }
        match admitted {
            Err(refusal) => self.refuse_unread(refusal, inputs, effects),
            Ok(admitted) => {
                self.operation = Some(admitted.operation);
                self.path_id = admitted.id;
                if let Some(found) = admitted.key {
                    self.key = Some(found.index);
                    self.key_headers = found.headers;
                }
                let client = ingress::owner_name(&self.snapshot, self.key);
                if let Some(record) = &mut self.record {
                    record.client = client;
                }
                self.begin(admitted.announced, inputs, effects);
            }
        }
    }

    fn begin(&mut self, announced: Option<u64>, inputs: Inputs<'_>, effects: &mut Effects) {
        let Some(operation) = self.operation else { return };
        if operation.is_local() {
            let reply = self.model_list();
            return self.send_reply(reply, inputs, effects);
        }
        let limit = self.snapshot.limits.max_concurrent;
        match self.shared.request(limit) {
            Some(permit) => self.permits._request = Some(permit),
            None => {
                let refusal = Refusal::new(
                    503,
                    "gateway_busy",
                    ErrorClass::Denied,
                    "The gateway serves as many requests as it may (`limits.maxConcurrent`). Try again.",
                );
                return self.refuse_unread(refusal.retry_after(1), inputs, effects);
            }
        }
        if operation.body() == BodyKind::None {
            return self.dispatch(inputs, effects);
        }
        // What was announced is reserved before the first byte is read.
        if !self.reserve(announced.unwrap_or(0), effects, inputs) {
            return;
        }
        self.phase = Phase::Body;
        let most = self.snapshot.limits.request_received;
        self.intake.until = most.and_then(|most| inputs.now.checked_add(most.duration()));
        self.wait_for_body(inputs);
        effects.push(Effect::ReadBody);
    }

    /// Waits for the next piece of the body.
    fn wait_for_body(&mut self, inputs: Inputs<'_>) {
        self.wait(inputs, self.snapshot.limits.timeouts.idle.duration());
        if let Some(until) = self.intake.until {
            self.deadline = self.deadline.map_or(Some(until), |idle| Some(idle.min(until)));
        }
    }

    /// Grows the reservation of body bytes to `total`; answers 503 and returns false when the budget is used up.
    fn reserve(&mut self, total: u64, effects: &mut Effects, inputs: Inputs<'_>) -> bool {
        let limit = self.snapshot.limits.bytes_in_flight;
        let held = match &mut self.permits.body {
            Some(permit) if permit.amount() >= total => true,
            Some(permit) => permit.grow(total - permit.amount(), limit),
            slot => {
                *slot = self.shared.bytes(total, limit);
                slot.is_some()
            }
        };
        if !held {
            self.refuse_unread(out_of_memory(), inputs, effects);
        }
        held
    }

    pub(super) fn take_body(&mut self, data: Bytes, inputs: Inputs<'_>, effects: &mut Effects) {
        if !matches!(self.phase, Phase::Body) {
            return;
        }
        let total = self.intake.length.saturating_add(data.len() as u64);
        let limit = self.snapshot.limits.max_request_body;
        if total > limit {
            return self.refuse_unread(ingress::too_large(limit), inputs, effects);
        }
        if !self.reserve(total, effects, inputs) {
            return;
        }
        self.intake.length = total;
        let expected = self.permits.body.as_ref().map_or(total, Permit::amount);
        self.intake.take(data, expected);
        self.wait_for_body(inputs);
        effects.push(Effect::ReadBody);
    }

    pub(super) fn take_body_end(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        if !matches!(self.phase, Phase::Body) {
            return;
        }
        self.deadline = None;
        let (Some(operation), Some(head)) = (self.operation, &self.request) else {
            return;
        };
        let body = std::mem::take(&mut self.intake).whole();
        if let Some(record) = &mut self.record {
            record.request_bytes = body.len() as u64;
        }
        let held = body.len() as u64;
        match ingress::read(
            operation,
            &head.headers,
            body,
            self.snapshot.limits.max_request_body,
        ) {
            Err(refusal) => self.refuse(refusal, inputs, effects),
            Ok(inbound) => {
                // A compressed body counts decoded.
                let decoded = inbound.len() as u64;
                if decoded > held && !self.reserve(decoded, effects, inputs) {
                    return;
                }
                self.inbound = Some(inbound);
                self.dispatch(inputs, effects);
            }
        }
    }

    pub(super) fn take_body_failure(&mut self, message: &str, inputs: Inputs<'_>, effects: &mut Effects) {
        if matches!(self.phase, Phase::Body) {
            let refusal = Refusal::new(
                400,
                "broken_body",
                ErrorClass::Caller,
                format!("The request body broke off: {message}."),
            );
            self.refuse_unread(refusal, inputs, effects);
        }
    }

    pub(super) fn take_body_timeout(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        let refusal = Refusal::new(
            408,
            "request_timeout",
            ErrorClass::Caller,
            match self.intake.until.is_some_and(|until| until <= inputs.now) {
                true => "The request body did not come to its end in time (`limits.requestReceived`).",
                false => {
                    "No more of the request body arrived within the idle timeout (`limits.timeouts.idle`)."
                }
            },
        );
        self.refuse_unread(refusal, inputs, effects);
    }

    fn model_list(&self) -> Reply {
        let snapshot = Arc::clone(&self.snapshot);
        let (listener, host, anthropic) = match &self.request {
            Some(head) => (
                head.listener.as_ref(),
                host_of(&head.authority),
                ingress::wants_anthropic(head),
            ),
            None => ("", String::new(), false),
        };
        let key = ingress::owner(&snapshot, self.key);
        let allowed = |name: &str| {
            let model = snapshot.aliases.get(name).map_or(name, String::as_str);
            ingress::key_allows(key, name, model)
        };
        let viewer = Viewer {
            listener,
            host: &host,
            anthropic,
            allowed: &allowed,
        };
        let value = match &self.path_id {
            None => Some(models::list(&snapshot, viewer)),
            Some(id) => models::one(&snapshot, viewer, id),
        };
        match value {
            Some(value) => Reply {
                status: http::StatusCode::OK,
                headers: json_headers(),
                body: Bytes::from(value.to_string()),
                error: None,
                close: false,
            },
            None => unknown_model(self.path_id.as_deref().unwrap_or_default())
                .reply(self.shape, self.request_id()),
        }
    }

    pub(super) fn request_id(&self) -> &str {
        self.record
            .as_ref()
            .map_or("", |record| record.request_id.as_str())
    }
}

/// 503 when the budget of bytes held is used up.
pub(super) fn out_of_memory() -> Refusal {
    Refusal::new(
        503,
        "gateway_out_of_memory",
        ErrorClass::Denied,
        "The gateway holds as many bytes of requests and answers as it may (`limits.bytesInFlight`). Try again.",
    )
    .retry_after(1)
}

/// A listed page may ask for everything; the browser may remember that for an hour.
fn preflight_reply() -> Reply {
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*, authorization"),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Reply {
        status: http::StatusCode::NO_CONTENT,
        headers,
        body: Bytes::new(),
        error: None,
        close: false,
    }
}

/// 404 for a model that no rule takes.
pub(super) fn unknown_model(model: &str) -> Refusal {
    let shown: String = model.chars().take(200).collect();
    Refusal::new(
        404,
        "model_not_found",
        ErrorClass::Caller,
        format!("No route serves the model `{shown}`. GET /v1/models lists what this gateway serves."),
    )
    .param("model")
}

/// Host name without port, lower case.
pub(super) fn host_of(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.to_ascii_lowercase()
}

impl Intake {
    /// One piece stays as it is; more are copied together as they come, so that a body in many small pieces costs no more
    /// memory than its bytes.
    fn take(&mut self, data: Bytes, expected: u64) {
        if self.joined.is_empty() {
            if self.first.is_empty() {
                self.first = data;
                return;
            }
            self.joined.reserve(usize::try_from(expected).unwrap_or(0));
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&data);
    }

    fn whole(self) -> Bytes {
        if self.joined.is_empty() {
            self.first
        } else {
            self.joined.freeze()
        }
    }
}

/// What the record keeps of a path; clients choose them.
fn shortened(path: &str) -> String {
    const LIMIT: usize = 256;
    if path.len() <= LIMIT {
        path.to_owned()
    } else {
        path.chars().take(LIMIT).collect()
    }
}

fn new_record(head: &RequestHead, inputs: Inputs<'_>, version: Arc<str>) -> UsageRecord {
    let given = head
        .headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok());
    let request_id = match given {
        Some(id) if !id.is_empty() && id.len() <= 128 => id.to_owned(),
        _ => new_id(inputs.wall, inputs.entropy),
    };
    UsageRecord {
        request_id,
        started: inputs.wall,
        duration: Duration::ZERO,
        listener: Arc::clone(&head.listener),
        method: head.method.clone(),
        path: shortened(head.uri.path()),
        operation: "",
        dialect: "",
        stream: false,
        snapshot: version,
        route: None,
        rule: None,
        client: None,
        model: None,
        response_model: None,
        backend: None,
        provider: None,
        upstream_model: None,
        attempts: Vec::new(),
        status: 0,
        outcome: Outcome::Error,
        error_code: None,
        error_class: None,
        usage: aigw_translate::ir::Usage::default(),
        costs: Vec::new(),
        cost_failures: Vec::new(),
        finish_reason: None,
        first_token: None,
        request_bytes: 0,
        response_bytes: 0,
        losses: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_whole_however_they_come() {
        let text = b"abcdefgh";
        for size in [1, 3, 8] {
            let mut intake = Intake::default();
            for piece in text.chunks(size) {
                intake.take(Bytes::copy_from_slice(piece), 0);
            }
            assert_eq!(intake.whole(), &text[..], "in pieces of {size}");
        }
        let only = Bytes::from_static(text);
        let mut intake = Intake::default();
        intake.take(only.clone(), 8);
        assert_eq!(
            intake.whole().as_ptr(),
            only.as_ptr(),
            "a body in one piece is not copied"
        );
    }
}
