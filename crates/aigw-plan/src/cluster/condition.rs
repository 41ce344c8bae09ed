//! Conditions as a status has them, and findings as conditions.

use std::collections::HashMap;

use aigw_api::condition::{self, reason};
use serde_json::{Value, json};

use crate::condition::{Condition, State};
use crate::finding::{Cause, Finding, Findings};
use crate::index::Key;

/// Findings of one condition that are told; the others are counted.
const TOLD: usize = 8;

/// As in a status.
pub(super) fn json(conditions: &[Condition], generation: i64) -> Value {
    let one = |condition: &Condition| {
        let state = match condition.state {
            State::True => "True",
            State::False => "False",
            State::Unknown => "Unknown",
        };
        json!({
            "type": condition.kind,
            "status": state,
            "observedGeneration": generation,
            "reason": condition.reason,
            "message": condition.message,
        })
    };
    conditions.iter().map(one).collect()
}

/// What condition types say when nothing was found.
fn good(kind: &'static str) -> (&'static str, &'static str) {
    match kind {
        condition::RESOLVED_REFS => (
            reason::RESOLVED_REFS,
            "everything that it refers to is there and may be referred to",
        ),
        condition::CREDENTIALS_READY => (reason::CREDENTIALS_READY, "the credential can be read"),
        _ => (reason::ACCEPTED, "is accepted"),
    }
}

/// Findings by object.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdicts(pub(super) HashMap<(&'static str, Key), Vec<Finding>>);

impl Verdicts {
    pub(super) fn of(findings: Findings) -> Self {
        let mut out = Self::default();
        for finding in findings.into_iter() {
            let of_object = out.0.entry((finding.kind, finding.key.clone())).or_default();
            let told = of_object.iter().any(|earlier| {
                earlier.cause == finding.cause
                    && earlier.field == finding.field
                    && earlier.message == finding.message
            });
            if !told {
                of_object.push(finding);
            }
        }
        out
    }

    fn findings<'a>(
        &'a self,
        kind: &'static str,
        key: &Key,
        condition: &'static str,
    ) -> impl Iterator<Item = &'a Finding> {
        let all = self.0.get(&(kind, key.clone()));
        all.into_iter()
            .flatten()
            .filter(move |one| one.cause.condition == condition)
    }

    /// Whether the object has such a finding.
    pub(super) fn has(&self, kind: &'static str, key: &Key, cause: Cause) -> bool {
        self.findings(kind, key, cause.condition)
            .any(|one| one.cause == cause)
    }

    /// What was found about the object under this condition, or that it is good.
    pub(super) fn condition(&self, kind: &'static str, key: &Key, of: &'static str) -> Condition {
        match told(self.findings(kind, key, of)) {
            Some((reason, message)) => Condition::is_not(of, reason, message),
            None => {
                let (reason, message) = good(of);
                Condition::is(of, reason, message)
            }
        }
    }

    /// What is not as written, if anything.
    pub(super) fn warning(&self, kind: &'static str, key: &Key) -> Option<Condition> {
        let (reason, message) = told(self.findings(kind, key, condition::WARNING))?;
        Some(Condition::is(condition::WARNING, reason, message))
    }
}

/// The first reason and all messages.
fn told<'a>(mut findings: impl Iterator<Item = &'a Finding>) -> Option<(&'static str, String)> {
    let first = findings.next()?;
    let mut message = line(first);
    for one in findings.by_ref().take(TOLD - 1) {
        message.push_str("; ");
        message.push_str(&line(one));
    }
    match findings.count() {
        0 => {}
        more => message.push_str(&format!("; and {more} more")),
    }
    Some((first.cause.reason, message))
}

fn line(finding: &Finding) -> String {
    match finding.field.as_str() {
        "" => finding.message.clone(),
        field => format!("{field}: {}", finding.message),
    }
}
