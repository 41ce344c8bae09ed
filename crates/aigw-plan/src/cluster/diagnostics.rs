//! What the statuses of a plan complain of, in lines: for whoever asks instead of reading statuses.

use std::collections::HashSet;

use aigw_api::condition::{self, reason};
use aigw_config::{Diagnostic, Diagnostics, Origin, Severity};
use serde_json::Value;

use super::condition::Verdicts;
use super::types::{ClusterPlan, Status};
use crate::finding::Finding;

impl ClusterPlan {
    /// What is wrong with the objects, sorted by kind, namespace and name; an origin is `Kind namespace/name`. Whether pods serve
    /// what was planned is not among it.
    pub fn diagnostics(&self) -> Diagnostics {
        let mut told = HashSet::new();
        let mut lines: Vec<(String, Diagnostic)> = Vec::new();
        for finding in self.verdicts.all() {
            let name = shown(finding.kind, &finding.key.namespace, &finding.key.name);
            told.insert((name.clone(), finding.cause.condition));
            lines.push((name.clone(), of_finding(name, finding)));
        }
        for status in &self.statuses {
            let name = shown(&status.kind, &status.namespace, &status.name);
            let fresh = |kind: &str| !told.contains(&(name.clone(), kind_of(kind)));
            lines.extend(of_status(status, &name, fresh).map(|one| (name.clone(), one)));
        }
        // Stable: what was found about one object stays in the order in which it was found.
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        let mut out = Diagnostics(lines.into_iter().map(|(_, line)| line).collect());
        out.remove_repeated();
        out
    }
}

/// `Kind namespace/name`, as people and `kubectl` name an object.
fn shown(kind: &str, namespace: &str, name: &str) -> String {
    match namespace {
        "" => format!("{kind} {name}"),
        _ => format!("{kind} {namespace}/{name}"),
    }
}

fn of_finding(name: String, finding: &Finding) -> Diagnostic {
    Diagnostic {
        severity: finding.severity,
        object: name.clone(),
        origin: Origin::new(name, 0),
        field: finding.field.clone(),
        message: finding.message.clone(),
    }
}

/// The conditions that findings and statuses share.
fn kind_of(kind: &str) -> &'static str {
    match kind {
        condition::ACCEPTED => condition::ACCEPTED,
        condition::RESOLVED_REFS => condition::RESOLVED_REFS,
        condition::CREDENTIALS_READY => condition::CREDENTIALS_READY,
        _ => "",
    }
}

/// What no finding says: of listeners, of parents that do not take a route, of kinds without effect.
fn of_status<'a>(
    status: &'a Status,
    name: &'a str,
    fresh: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = Diagnostic> + 'a {
    let own = conditions(&status.value).filter(move |one| fresh(text(one, "type")));
    let own = own.map(|one| (String::new(), one));
    let listeners = status.value["listeners"].as_array().into_iter().flatten();
    let of_listeners = listeners.flat_map(|listener| {
        let field = format!("listener `{}`", text(listener, "name"));
        conditions(listener).map(move |one| (field.clone(), one))
    });
    let all = own.chain(of_listeners).filter(|(_, one)| is_bad(one));
    all.map(move |(field, one)| Diagnostic {
        severity: severity(one),
        origin: Origin::new(name, 0),
        object: name.to_owned(),
        field,
        message: text(one, "message").to_owned(),
    })
}

fn conditions(value: &Value) -> impl Iterator<Item = &Value> {
    value["conditions"].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn is_bad(one: &Value) -> bool {
    let holds = text(one, "status");
    match text(one, "type") {
        // Its findings tell of it already.
        condition::WARNING => false,
        // The same is said by `Accepted`.
        condition::CONFLICTED => false,
        // That depends on pods, but for what no pod will ever serve.
        condition::PROGRAMMED => holds == "False" && text(one, "reason") == reason::NOT_SUPPORTED_YET,
        // Its listeners say it.
        _ => holds == "False" && text(one, "reason") != reason::LISTENERS_NOT_VALID,
    }
}

/// As for files: what is bad is an error, what refers to something that is not there or is not built is a warning.
fn severity(one: &Value) -> Severity {
    let mild = [reason::NOT_SUPPORTED_YET, reason::NO_MATCHING_PARENT];
    match text(one, "type") == condition::ACCEPTED && !mild.contains(&text(one, "reason")) {
        true => Severity::Error,
        false => Severity::Warning,
    }
}

impl Verdicts {
    /// All findings; those of one object in the order in which they were made.
    fn all(&self) -> impl Iterator<Item = &Finding> {
        self.0.values().flatten()
    }
}
