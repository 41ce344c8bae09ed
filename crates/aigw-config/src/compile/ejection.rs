//! Which backends of a rule may be left out, when, and how many of them.

use std::collections::HashSet;
use std::sync::Arc;

use super::limits;
use super::report::Report;
use crate::document::EjectionSpec;
use crate::quantity::Millis;
use crate::snapshot::{Candidate, Ejection};

/// `None` as well when nothing could ever be left out: a rule has one backend, or nothing is counted.
pub(super) fn ejection(
    spec: &EjectionSpec,
    key: Arc<str>,
    candidates: &[Candidate],
    field: &str,
    report: &mut Report<'_>,
) -> Option<Ejection> {
    let percent = spec.max_percent.unwrap_or(100);
    if percent > 100 {
        report.error(format!("{field}.maxPercent"), "must be at most 100");
    }
    limits::positive(&format!("{field}.time"), spec.time, report);
    limits::positive(&format!("{field}.interval"), spec.interval, report);
    let taking = candidates.iter().filter(|one| one.weight > 0);
    let backends = taking.map(|one| &one.backend.name).collect::<HashSet<_>>().len();
    let share = backends.saturating_mul(usize::try_from(percent).unwrap_or(100)) / 100;
    let most = share
        .max(usize::from(spec.always_one))
        .min(backends.saturating_sub(1));
    if most == 0 && backends > 1 {
        let message = format!(
            "{percent} percent of {backends} backends is none, so none is ever left out; raise it, or set `alwaysOne`"
        );
        report.warn(format!("{field}.maxPercent"), message);
    }
    let (errors, gateway_errors) = (spec.errors.unwrap_or(5), spec.gateway_errors.unwrap_or(0));
    (most > 0 && (errors > 0 || gateway_errors > 0)).then(|| Ejection {
        key,
        errors,
        gateway_errors,
        time: spec.time.unwrap_or(Millis(30_000)),
        interval: spec.interval.unwrap_or(Millis(3_000)),
        most,
    })
}
