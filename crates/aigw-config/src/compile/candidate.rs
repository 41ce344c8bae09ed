//! A backend as one rule uses it: weight, priority, the rule's edits over the backend's.

use std::sync::Arc;

use super::limits::{bounded, overlay};
use super::mutation::{merge_body, merge_headers};
use super::report::{Report, unknown};
use super::route::Targets;
use crate::document::{BackendRef, RuleSpec};
use crate::snapshot::{Candidate, Timeouts};

/// The candidates of a rule by priority, in the order they were written within one.
pub(super) fn candidates(
    rule: &RuleSpec,
    targets: &Targets<'_>,
    timeouts: Timeouts,
    field: &str,
    report: &mut Report<'_>,
) -> Vec<Candidate> {
    if rule.backends.is_empty() {
        if rule.refuse.is_none() {
            report.error(format!("{field}.backends"), "name at least one backend");
        }
        return Vec::new();
    }
    let attempt = rule.retry.as_ref().and_then(|retry| retry.timeout);
    let mut out: Vec<Candidate> = rule
        .backends
        .iter()
        .enumerate()
        .filter_map(|(index, spec)| {
            candidate(
                spec,
                targets,
                timeouts,
                &format!("{field}.backends[{index}]"),
                report,
            )
            .map(|one| Candidate {
                timeouts: bounded(one.timeouts, attempt),
                ..one
            })
        })
        .collect();
    out.sort_by_key(|candidate| candidate.priority);
    if rule.refuse.is_none() && rule.backends.iter().all(|spec| spec.weight == 0) {
        report.error(
            format!("{field}.backends"),
            "every weight is 0, so no backend takes requests; give one a weight",
        );
    }
    out
}

fn candidate(
    spec: &BackendRef,
    targets: &Targets<'_>,
    timeouts: Timeouts,
    field: &str,
    report: &mut Report<'_>,
) -> Option<Candidate> {
    let prefix = format!("{field}.");
    super::mutation::check(&spec.header_mutation, &spec.body_mutation, &prefix, report);
    if spec.model_name_override.as_deref() == Some("") {
        report.error(
            format!("{field}.modelNameOverride"),
            "is empty; leave it out to keep the client's model name",
        );
    }
    let Some(source) = targets.specs.get(spec.name.as_str()) else {
        let message = unknown("backend", &spec.name, targets.specs.keys().copied());
        report.error(format!("{field}.name"), message);
        return None;
    };
    // Absent when the backend itself has an error, which is noted there.
    let backend = targets.backends.get(&spec.name)?;
    let headers = merge_headers(&spec.header_mutation, &source.header_mutation);
    let (remove_body, set_body) = merge_body(&spec.body_mutation, &source.body_mutation);
    Some(Candidate {
        backend: Arc::clone(backend),
        weight: spec.weight,
        priority: spec.priority,
        model: spec.model_name_override.as_deref().map(Arc::from),
        remove_headers: headers.remove,
        set_headers: headers.set,
        remove_body,
        set_body,
        timeouts: overlay(timeouts, source.timeouts.as_ref()),
    })
}
