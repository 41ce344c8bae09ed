//! From the desk to an upstream: route, candidates, attempts.

use std::sync::Arc;
use std::time::Duration;

use aigw_config::{Rule, RuleLimit};
use aigw_translate::host::service;
use aigw_translate::operation::Operation;
use aigw_translate::request::Inbound;

use super::intake::{host_of, unknown_model};
use super::{Current, Exchange, Phase};
use crate::attempt::{Next, Plan, Setback};
use crate::effect::{Effect, Effects};
use crate::event::Inputs;
use crate::ingress;
use crate::ledger::{AttemptRecord, ErrorClass, brief, shortened};
use crate::reply::Refusal;
use crate::route::{self, Place, Question};

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
            Some(model) => self.by_model(operation, asked.as_deref().unwrap_or(model), model, inputs)?,
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
        if let Some(RuleLimit { key, limit }) = &rule.max_concurrent {
            let permit = self.shared.rule(key, *limit);
            self.permits._rule = Some(permit.ok_or_else(|| rule_busy(&rule.name, &route.name))?);
        }
        if !self.record.as_ref().is_some_and(|record| record.stream) {
            self.hard_deadline = rule
                .timeouts
                .request
                .and_then(|span| self.started?.checked_add(span.duration()));
        }
        Ok(Plan::new(order, &rule.retry, inputs.entropy))
    }

    fn by_model(
        &self,
        operation: Operation,
        asked: &str,
        model: &str,
        inputs: Inputs<'_>,
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
        let mut order = route::order(rule, inputs.entropy, usable);
        if order.is_empty() {
            return Err(unsupported(operation, model, rule));
        }
        let is_watched = rule.ejection.is_some() || rule.health_check.is_some();
        if is_watched && order.len() > 1 {
            self.shared.health.sift(rule, &mut order, inputs.now);
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
                Next::Try(candidate, _) => match self.attempt(candidate, false, inputs, effects) {
                    Ok(()) => return,
                    Err(refusal) => next = self.pass_over(refusal),
                },
            }
        }
    }

    /// What follows when a candidate is not asked.
    pub(super) fn pass_over(&mut self, refusal: Refusal) -> Next {
        // What an upstream said tells more than why the next one was not asked.
        let heard = self
            .record
            .as_ref()
            .is_some_and(|record| !record.attempts.is_empty());
        if !heard || self.last_failure.is_none() {
            self.last_failure = Some(refusal);
        }
        match &mut self.plan {
            Some(plan) => plan.advance(Setback::NotTried),
            None => Next::GiveUp,
        }
    }

    /// Sends an attempt to a candidate; see [`Attempt::fresh`](crate::Attempt::fresh). `Err`: nothing was sent.
    pub(super) fn attempt(
        &mut self,
        index: usize,
        fresh: bool,
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
        let number = self.sent;
        self.sent = self.sent.saturating_add(1);
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
            fresh,
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
        attempt.fresh = fresh;
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

fn rule_busy(rule: &str, route: &str) -> Refusal {
    Refusal::new(
        503,
        "rule_busy",
        ErrorClass::Denied,
        format!(
            "Rule `{rule}` of route `{route}` serves as many requests as it may (`maxConcurrent`). Try again."
        ),
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
