//! Findings about objects: shown as they are by the standalone binary, turned into conditions by the operator.

use aigw_api::condition::{self, reason};
use aigw_config::{Diagnostic, Diagnostics, Origin, Severity};

use crate::index::{Key, label};

/// The condition that a finding is told by, and the reason that it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) condition: &'static str,
    pub(crate) reason: &'static str,
}

impl Cause {
    /// Something in the object cannot be.
    pub(crate) const INVALID: Self = Self::accepted(reason::INVALID);
    /// What the object asks for is not built.
    pub(crate) const NOT_YET: Self = Self::accepted(reason::NOT_SUPPORTED_YET);
    /// A field has no effect.
    pub(crate) const NO_EFFECT: Self = Self::new(condition::WARNING, reason::UNSUPPORTED_FIELD);

    pub(crate) const fn new(condition: &'static str, reason: &'static str) -> Self {
        Self { condition, reason }
    }

    pub(crate) const fn accepted(reason: &'static str) -> Self {
        Self::new(condition::ACCEPTED, reason)
    }

    pub(crate) const fn refs(reason: &'static str) -> Self {
        Self::new(condition::RESOLVED_REFS, reason)
    }

    pub(crate) const fn credentials(reason: &'static str) -> Self {
        Self::new(condition::CREDENTIALS_READY, reason)
    }
}

/// The object that a finding is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'static str,
    pub(crate) key: &'a Key,
    pub(crate) origin: &'a Origin,
}

/// One finding.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) kind: &'static str,
    pub(crate) key: Key,
    pub(crate) origin: Origin,
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) cause: Cause,
}

/// Findings in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn error(
        &mut self,
        subject: Subject<'_>,
        cause: Cause,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.push(Severity::Error, subject, cause, field.into(), message.into());
    }

    pub(crate) fn warn(
        &mut self,
        subject: Subject<'_>,
        cause: Cause,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.push(Severity::Warning, subject, cause, field.into(), message.into());
    }

    fn push(
        &mut self,
        severity: Severity,
        subject: Subject<'_>,
        cause: Cause,
        field: String,
        message: String,
    ) {
        self.0.push(Finding {
            severity,
            kind: subject.kind,
            key: subject.key.clone(),
            origin: subject.origin.clone(),
            field,
            message,
            cause,
        });
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = Finding> {
        self.0.into_iter()
    }

    /// For the standalone binary, without those that say the same again.
    pub(crate) fn into_diagnostics(self) -> Diagnostics {
        let lines = self.0.into_iter().map(|one| Diagnostic {
            severity: one.severity,
            origin: one.origin,
            // Of an object without a name nothing but the kind is known.
            object: match one.key.name.as_str() {
                "" => one.kind.to_owned(),
                _ => label(one.kind, &one.key),
            },
            field: one.field,
            message: one.message,
        });
        let mut out = Diagnostics(lines.collect());
        out.remove_repeated();
        out
    }
}
