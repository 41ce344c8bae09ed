//! From the desk to an upstream: route, candidates, attempts.

use std::sync::Arc;
use std::time::Duration;

use aigw_config::{BackendAuth, Candidate, Rule};
use aigw_translate::host::{Service, service, upstream_path};
use aigw_translate::operation::Operation;
use aigw_translate::request::{Inbound, Outgoing, PrepareInputs};
use http::HeaderMap;
use http::header::{self, HeaderValue};

use super::intake::{host_of, unknown_model};
use super::{Current, Exchange, Phase};
use crate::attempt::{Next, Plan, Setback};
use crate::effect::{Attempt, AttemptBody, Effect, Effects};
use crate::event::Inputs;
use crate::headers;
use crate::ingress;
use crate::ledger::{AttemptRecord, ErrorClass, brief, shortened};
use crate::mutate;
use crate::reply::Refusal;
use crate::route::{self, Place, Question};

/// A ready attempt and what to remember of it.
struct Prepared {
    attempt: Box<Attempt>,
    translated: bool,
    forced_usage: bool,
    losses: u32,
    dropped: Option<String>,
    model: Arc<str>,
}

impl Exchange {
    /// Chooses route and candidates and makes the first attempt.
    pub(super) fn dispatch(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        match self.choose(inputs) {
            Err(refusal) => self.refuse(refusal, inputs, effects),
            Ok(plan) => {
                let next = plan.first();
                self.plan = Some(plan);
                self.follow(next, inputs, effects);
            }
        }
    }

    fn choose(&mut self, inputs: Inputs<'_>) -> Result<Plan, Refusal> {
        let snapshot = Arc::clone(&self.snapshot);
        let Some(operation) = self.operation else {
            return Err(internal("no operation"));
        };
        let asked = self.inbound.as_ref().map(Inbound::shared_model);
        let model = asked
            .as_ref()
            .map(|name| match snapshot.aliases.get(name.as_ref()) {
                Some(target) => Arc::from(target.as_str()),
                None => Arc::clone(name),
            });
        if let Some(record) = &mut self.record {
            record.model = asked.as_ref().map(brief);
            record.stream = self.inbound.as_ref().is_some_and(|inbound| inbound.stream());
        }
        if let (Some(asked), Some(model)) = (&asked, &model) {
            let key = ingress::owner(&snapshot, self.key);
            if !ingress::key_allows(key, asked, model) {
                let message = format!("This client key may not use the model `{}`.", brief(asked));
                return Err(
                    Refusal::new(403, "model_not_allowed", ErrorClass::Denied, message).param("model"),
                );
            }
        }
        let (place, order) = match &model {
            None => self.implied_backend(operation)?,
            Some(model) => self.by_model(
                operation,
                asked.as_deref().unwrap_or(model),
                model,
                inputs.entropy,
            )?,
        };
        self.model = model;
        self.place = Some(place);
        let (Some(route), Some(rule)) = (snapshot.routes.get(place.route), rule_at(&snapshot, place)) else {
            return Err(internal("the rule is gone"));
        };
        self.strict |= route.strict;
        if let Some(record) = &mut self.record {
            record.route = Some(Arc::clone(&route.name));
            record.rule = Some(Arc::clone(&rule.name));
        }
        if !self.record.as_ref().is_some_and(|record| record.stream) {
            self.hard_deadline = rule
                .timeouts
                .request
                .and_then(|span| self.started?.checked_add(span.duration()));
        }
        Ok(Plan::new(order, &rule.retry))
    }

    fn by_model(
        &self,
        operation: Operation,
        asked: &str,
        model: &str,
        entropy: u64,
    ) -> Result<(Place, Vec<usize>), Refusal> {
        let Some(request) = &self.request else {
            return Err(internal("no request"));
        };
        let host = host_of(&request.authority);
        let question = Question {
            listener: &request.listener,
            host: &host,
            model: Some(model),
            headers: &request.headers,
        };
        let place = route::find(&self.snapshot, question).ok_or_else(|| unknown_model(asked))?;
        self.check_refused(place)?;
        let rule = rule_at(&self.snapshot, place).ok_or_else(|| internal("the rule is gone"))?;
        let usable = |index: usize| {
            rule.candidates
                .get(index)
                .is_some_and(|c| service(c.backend.schema.name, operation).is_some())
        };
        let order = route::order(rule, entropy, usable);
        if order.is_empty() {
            return Err(unsupported(operation, model, rule));
        }
        Ok((place, order))
    }

    /// For operations that name no model: the one backend that could be meant.
    fn implied_backend(&self, operation: Operation) -> Result<(Place, Vec<usize>), Refusal> {
        let Some(request) = &self.request else {
            return Err(internal("no request"));
        };
        let host = host_of(&request.authority);
        let mut found: Option<(Place, usize, &Arc<str>)> = None;
        for (route_index, route) in self.snapshot.routes.iter().enumerate() {
            if route::serves(route, &request.listener, &host).is_none() {
                continue;
            }
            for (rule_index, rule) in route.rules.iter().enumerate() {
                for (index, candidate) in rule.candidates.iter().enumerate() {
                    if candidate.weight == 0 || service(candidate.backend.schema.name, operation).is_none() {
                        continue;
                    }
                    match found {
                        Some((_, _, name)) if *name != candidate.backend.name => return Err(ambiguous()),
                        Some(_) => {}
                        None => {
                            let place = Place {
                                route: route_index,
                                rule: rule_index,
                            };
                            found = Some((place, index, &candidate.backend.name));
                        }
                    }
                }
            }
        }
        let (place, index, _) = found.ok_or_else(ambiguous)?;
        self.check_refused(place)?;
        Ok((place, vec![index]))
    }

    fn check_refused(&self, place: Place) -> Result<(), Refusal> {
        let route = self.snapshot.routes.get(place.route);
        let by_route = route.and_then(|route| route.refuse.as_ref());
        let by_rule = rule_at(&self.snapshot, place).and_then(|rule| rule.refuse.as_ref());
        match by_route.or(by_rule) {
            Some(reason) => Err(Refusal::new(
                503,
                "route_not_served",
                ErrorClass::Config,
                reason.clone(),
            )),
            None => Ok(()),
        }
    }

    /// Does what the plan says next.
    pub(super) fn follow(&mut self, mut next: Next, inputs: Inputs<'_>, effects: &mut Effects) {
        loop {
            match next {
                Next::GiveUp => return self.give_up(inputs, effects),
                Next::Try(candidate, pause) if pause > Duration::ZERO => {
                    self.phase = Phase::Pausing(candidate);
                    return self.wait(inputs, pause);
                }
                Next::Try(candidate, _) => match self.attempt(candidate, inputs, effects) {
                    Ok(()) => return,
                    Err(refusal) => {
                        // What an upstream said tells more than why the next one was not asked.
                        let heard = self
                            .record
                            .as_ref()
                            .is_some_and(|record| !record.attempts.is_empty());
                        if !heard || self.last_failure.is_none() {
                            self.last_failure = Some(refusal);
                        }
                        next = match &mut self.plan {
                            Some(plan) => plan.advance(Setback::NotTried),
                            None => Next::GiveUp,
                        };
                    }
                },
            }
        }
    }

    /// Sends an attempt to a candidate. `Err`: nothing was sent.
    pub(super) fn attempt(
        &mut self,
        index: usize,
        inputs: Inputs<'_>,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let snapshot = Arc::clone(&self.snapshot);
        let candidate = self
            .place
            .and_then(|place| rule_at(&snapshot, place))
            .and_then(|rule| rule.candidates.get(index))
            .ok_or_else(|| internal("the candidate is gone"))?;
        let permit = match candidate.backend.max_concurrent {
            None => None,
            Some(limit) => Some(
                self.shared
                    .backend(&candidate.backend.name, limit)
                    .ok_or_else(|| backend_busy(&candidate.backend.name))?,
            ),
        };
        let prepared = self.prepare(candidate, inputs)?;
        let number = self.record.as_ref().map_or(0, |record| {
            u32::try_from(record.attempts.len()).unwrap_or(u32::MAX)
        });
        let timeouts = candidate.timeouts;
        if let Some(record) = &mut self.record {
            record.backend = Some(Arc::clone(&candidate.backend.name));
            record.provider = Some(Arc::clone(&candidate.backend.provider));
            record.upstream_model = Some(Arc::clone(&prepared.model));
            record.attempts.push(AttemptRecord {
                backend: Arc::clone(&candidate.backend.name),
                provider: Arc::clone(&candidate.backend.provider),
                model: prepared.model,
                status: None,
                failure: None,
                started: self.started.map_or(Duration::ZERO, |start| {
                    inputs.now.saturating_duration_since(start)
                }),
                duration: Duration::ZERO,
            });
        }
        if let Some(plan) = &mut self.plan {
            plan.started();
        }
        self.current = Some(Current {
            candidate: index,
            number,
            started: inputs.now,
            translated: prepared.translated,
            forced_usage: prepared.forced_usage,
            wants_usage: self.inbound.as_ref().is_some_and(Inbound::wants_usage),
            request_losses: prepared.losses,
            dropped: prepared.dropped,
            answer: None,
            _permit: permit,
        });
        let mut attempt = prepared.attempt;
        attempt.attempt = number;
        self.phase = Phase::Head;
        let stream = self.record.as_ref().is_some_and(|record| record.stream);
        self.wait(
            inputs,
            if stream {
                timeouts.first_byte_stream
            } else {
                timeouts.first_byte
            }
            .duration(),
        );
        effects.push(Effect::Attempt(attempt));
        Ok(())
    }

    fn prepare(&self, candidate: &Candidate, inputs: Inputs<'_>) -> Result<Prepared, Refusal> {
        let backend = &candidate.backend;
        let (Some(operation), Some(request)) = (self.operation, &self.request) else {
            return Err(internal("no request"));
        };
        let how = service(backend.schema.name, operation)
            .ok_or_else(|| internal("the backend cannot serve the operation"))?;
        let translated = matches!(how, Service::Translate(_));
        let passthrough = backend.auth == BackendAuth::Passthrough;
        let mut headers = headers::request(&request.headers, backend.schema.name, translated, passthrough);
        let model = candidate
            .model
            .as_ref()
            .or(self.model.as_ref())
            .cloned()
            .unwrap_or_default();
        let stream = self.inbound.as_ref().is_some_and(|inbound| inbound.stream());
        let outgoing = match &self.inbound {
            None => Outgoing::default(),
            Some(inbound) => inbound
                .prepare(PrepareInputs {
                    service: how,
                    model: &model,
                    quirks: backend.quirks,
                })
                .map_err(|error| Refusal {
                    error,
                    class: ErrorClass::Caller,
                    retry_after: None,
                    allow: None,
                })?,
        };
        if self.strict && !outgoing.losses.is_empty() {
            return Err(strict_refusal(&outgoing, &backend.name));
        }
        let is_json = self.inbound.as_ref().is_some_and(|inbound| inbound.is_json());
        if let Some(kind) = &outgoing.content_type {
            headers.insert(header::CONTENT_TYPE, kind.clone());
        } else if is_json && !headers.contains_key(header::CONTENT_TYPE) {
            // What was read as JSON is JSON, though the client did not say so.
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        accept_encoding(&mut headers, request, translated || stream);
        headers::complete(&mut headers, backend.schema.name, stream);
        // The key that opened this gateway is not for the provider.
        for name in &self.key_headers {
            headers.remove(name);
        }
        mutate::headers(candidate, &mut headers);
        let body = match (outgoing.body, is_json) {
            (Some(body), true) => AttemptBody::Whole(mutate::body(candidate, body).map_err(|detail| {
                internal(&format!(
                    "the body mutation of backend {} failed: {detail}",
                    backend.name
                ))
            })?),
            (Some(body), false) => AttemptBody::Whole(body),
            (None, _) => AttemptBody::None,
        };
        aigw_sign::sign(&backend.auth, inputs.credentials, &mut headers).map_err(|error| {
            let message = format!("The backend `{}` cannot be authenticated: {error}.", backend.name);
            Refusal::new(503, "credential_unavailable", ErrorClass::Credential, message)
        })?;
        let path = upstream_path(&backend.schema, operation, self.path_id.as_deref())
            .ok_or_else(|| internal("the backend has no path for the operation"))?;
        Ok(Prepared {
            attempt: Box::new(Attempt {
                attempt: 0,
                backend: Arc::clone(backend),
                method: request.method.clone(),
                path: with_query(path, request.uri.query(), translated),
                headers,
                body,
                timeouts: candidate.timeouts,
            }),
            translated,
            forced_usage: outgoing.forced_usage,
            losses: u32::try_from(outgoing.losses.pointers().len()).unwrap_or(u32::MAX),
            dropped: (!outgoing.losses.is_empty()).then(|| outgoing.losses.header()),
            model: brief(&model),
        })
    }

    /// Nobody is left to try: the last failure becomes the answer.
    pub(super) fn give_up(&mut self, inputs: Inputs<'_>, effects: &mut Effects) {
        let refusal = self.last_failure.take().unwrap_or_else(|| {
            Refusal::new(
                503,
                "no_backend",
                ErrorClass::Config,
                "The route has no backend with a weight above 0.",
            )
        });
        self.refuse(refusal, inputs, effects);
    }
}

pub(super) fn rule_at(snapshot: &aigw_config::Snapshot, place: Place) -> Option<&Rule> {
    snapshot.routes.get(place.route)?.rules.get(place.rule)
}

/// Dialect-neutral query parameters go along; a translated request has its own path and none.
fn with_query(path: String, query: Option<&str>, translated: bool) -> String {
    match query {
        // `beta=true` and the like are the client vendor's own.
        Some(query) if !translated && !query.is_empty() => format!("{path}?{query}"),
        _ => path,
    }
}

/// What the gateway reads or edits must not come compressed; what it only watches may, in the client's own encodings.
fn accept_encoding(headers: &mut HeaderMap, request: &crate::event::RequestHead, plain: bool) {
    if plain {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        return;
    }
    for value in request.headers.get_all(header::ACCEPT_ENCODING) {
        headers.append(header::ACCEPT_ENCODING, value.clone());
    }
}

pub(super) fn internal(detail: &str) -> Refusal {
    Refusal::new(
        500,
        "internal_error",
        ErrorClass::Internal,
        format!("The gateway failed: {detail}. Please report this."),
    )
}

fn backend_busy(name: &str) -> Refusal {
    Refusal::new(
        429,
        "backend_busy",
        ErrorClass::Denied,
        format!("The backend `{name}` serves as many requests as it may (`maxConcurrent`). Try again."),
    )
    .retry_after(1)
}

fn ambiguous() -> Refusal {
    Refusal::new(
        400,
        "ambiguous_backend",
        ErrorClass::Caller,
        "The request names no model, and not exactly one backend of this gateway could be meant. Ask the provider directly.",
    )
}

fn unsupported(operation: Operation, model: &str, rule: &Rule) -> Refusal {
    let mut schemas: Vec<&str> = rule
        .candidates
        .iter()
        .map(|c| c.backend.schema.name.as_str())
        .collect();
    schemas.dedup();
    Refusal::new(
        400,
        "unsupported_operation",
        ErrorClass::Caller,
        format!(
            "The backends of model `{}` ({}) do not serve {}. `aigw providers` shows what each schema serves.",
            shortened(model).unwrap_or(model),
            schemas.join(", "),
            operation.label(),
        ),
    )
}

fn strict_refusal(outgoing: &Outgoing, backend: &str) -> Refusal {
    Refusal::new(
        400,
        "lossy_translation",
        ErrorClass::Caller,
        format!(
            "The backend `{backend}` cannot express: {}. Leave these out, or turn strict mode off.",
            outgoing.losses.header()
        ),
    )
}
