//! Routes and their rules.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::report::{Report, unknown};
use super::{candidate, cost, ejection, limits, listener, model, mutation};
use crate::cost::Cost;
use crate::diagnostic::Diagnostics;
use crate::document::{
    BackendSpec, Document, HeaderMatchSpec, HeaderValueMatch, HealthCheckSpec, MatchSpec, RouteSpec, RuleSpec,
};
use crate::health::HealthCheck;
use crate::pattern::{ModelPattern, ValuePattern};
use crate::snapshot::{Backend, HeaderMatcher, Match, Route, Rule, RuleLimit, Timeouts};

/// What routes may refer to.
pub(super) struct Targets<'a> {
    /// Backends as written.
    pub(super) specs: HashMap<&'a str, &'a BackendSpec>,
    /// Backends that compiled.
    pub(super) backends: &'a HashMap<String, Arc<Backend>>,
    /// Names of listeners.
    pub(super) listeners: HashSet<&'a str>,
    /// The limits' timeouts.
    pub(super) timeouts: Timeouts,
    /// The document's costs.
    pub(super) costs: &'a [Arc<Cost>],
}

pub(super) fn routes(document: &Document, targets: &Targets<'_>, findings: &mut Diagnostics) -> Vec<Route> {
    let mut seen = HashMap::new();
    let mut out = Vec::new();
    for (index, spec) in document.routes.iter().enumerate() {
        let place = format!("routes[{index}]");
        let mut report = Report::new(findings, &spec.origin, "route", &spec.name, place);
        report.check_name(&spec.name, &mut seen);
        out.push(route(spec, targets, &mut report));
    }
    out
}

fn route(spec: &RouteSpec, targets: &Targets<'_>, report: &mut Report<'_>) -> Route {
    for (index, name) in spec.listeners.iter().enumerate() {
        if !targets.listeners.contains(name.as_str()) {
            let message = unknown("listener", name, targets.listeners.iter().copied());
            report.error(format!("listeners[{index}]"), message);
        }
    }
    if spec.rules.is_empty() && spec.refuse.is_none() {
        report.warn("rules", "there is none, so the route serves nothing");
    }
    let mut rules: Vec<Rule> = Vec::new();
    for (index, rule_spec) in spec.rules.iter().enumerate() {
        let compiled = rule(rule_spec, index, &spec.name, targets, report);
        if rules.iter().any(|earlier| earlier.name == compiled.name) {
            let message = format!("`{}` is the name of two rules; rename one", compiled.name);
            report.error(format!("rules[{index}].name"), message);
        }
        if let Some(earlier) = rules.iter().position(takes_everything) {
            let message =
                format!("is never reached: rules[{earlier}] before it takes every request; move it up");
            report.warn(format!("rules[{index}]"), message);
        }
        rules.push(compiled);
    }
    Route {
        name: spec.name.as_str().into(),
        listeners: spec.listeners.clone(),
        hostnames: listener::hostnames(&spec.hostnames, report),
        strict: spec.strict,
        rules,
        costs: cost::of_route(&spec.costs, targets.costs, report),
        refuse: spec.refuse.clone(),
    }
}

fn takes_everything(rule: &Rule) -> bool {
    rule.models.is_empty() && rule.matches.is_empty()
}

fn rule(spec: &RuleSpec, index: usize, route: &str, targets: &Targets<'_>, report: &mut Report<'_>) -> Rule {
    let field = format!("rules[{index}]");
    if let Some(timeouts) = &spec.timeouts {
        limits::check_timeouts(timeouts, &format!("{field}.timeouts"), report);
    }
    let timeouts = limits::overlay(targets.timeouts, spec.timeouts.as_ref());
    limits::concurrency(spec.max_concurrent, &format!("{field}.maxConcurrent"), report);
    let candidates = candidate::candidates(spec, targets, timeouts, &field, report);
    let taking = candidates.iter().filter(|c| c.weight > 0).count();
    let retry = limits::retry(spec.retry.as_ref(), taking, &format!("{field}.retry"), report);
    let models = spec
        .models
        .iter()
        .enumerate()
        .filter_map(|(at, one)| report.check(&format!("{field}.models[{at}]"), model::pattern(one)))
        .collect();
    let matches = spec
        .matches
        .iter()
        .enumerate()
        .map(|(at, one)| conditions(one, &format!("{field}.matches[{at}]"), report))
        .collect();
    let name: Arc<str> = spec
        .name
        .as_deref()
        .map_or_else(|| index.to_string().into(), Arc::from);
    // What is counted of the rule is counted over all snapshots.
    let key: Arc<str> = format!("{route} {name}").into();
    let max_concurrent = spec.max_concurrent.map(|limit| RuleLimit {
        key: Arc::clone(&key),
        limit,
    });
    let ejection = spec.ejection.as_ref().and_then(|spec| {
        let field = format!("{field}.ejection");
        ejection::ejection(spec, Arc::clone(&key), &candidates, &field, report)
    });
    let health_check = spec
        .health_check
        .as_ref()
        .and_then(|spec| health_check(spec, &format!("{field}.healthCheck"), report));
    Rule {
        name,
        key,
        models,
        matches,
        candidates,
        retry,
        timeouts,
        max_concurrent,
        ejection,
        health_check,
        refuse: spec.refuse.clone(),
    }
}

/// `None` after its errors were noted.
fn health_check(spec: &HealthCheckSpec, field: &str, report: &mut Report<'_>) -> Option<Arc<HealthCheck>> {
    let faults = match spec.check() {
        Ok(check) => return Some(Arc::new(check)),
        Err(faults) => faults,
    };
    for (part, message) in faults {
        let field = match part.as_str() {
            "" => field.to_owned(),
            part => format!("{field}.{part}"),
        };
        report.error(field, message);
    }
    None
}

fn conditions(spec: &MatchSpec, field: &str, report: &mut Report<'_>) -> Match {
    let model_field = format!("{field}.model");
    let mut model = spec
        .model
        .as_ref()
        .and_then(|one| report.check(&model_field, model::pattern(one)));
    let mut headers: Vec<HeaderMatcher> = Vec::new();
    for (index, one) in spec.headers.iter().enumerate() {
        let field = format!("{field}.headers[{index}]");
        if one.name.eq_ignore_ascii_case("x-ai-eg-model") {
            let pattern = report.check(&format!("{field}.value"), model_by_header(one));
            if model.is_some() {
                report.error(field, "the model has a condition already in this match; keep one");
            }
            model = pattern;
            continue;
        }
        let name = report.check(&format!("{field}.name"), mutation::header_name(&one.name));
        let value = report.check(&format!("{field}.value"), value(one));
        let (Some(name), Some(value)) = (name, value) else {
            continue;
        };
        if headers.iter().any(|earlier| earlier.name == name) {
            report.error(
                format!("{field}.name"),
                format!("`{name}` has a condition already in this match; keep one"),
            );
        }
        headers.push(HeaderMatcher { name, value });
    }
    Match { model, headers }
}

fn model_by_header(spec: &HeaderMatchSpec) -> Result<ModelPattern, String> {
    match spec.kind {
        HeaderValueMatch::Exact => Ok(ModelPattern::Exact(spec.value.clone())),
        HeaderValueMatch::RegularExpression => ModelPattern::regex(&spec.value),
    }
}

fn value(spec: &HeaderMatchSpec) -> Result<ValuePattern, String> {
    match spec.kind {
        HeaderValueMatch::Exact => Ok(ValuePattern::Exact(spec.value.clone())),
        HeaderValueMatch::RegularExpression => ValuePattern::regex(&spec.value),
    }
}
