//! Durations in fields of Envoy Gateway's policies. One that cannot be read is told and counts as not written.

use aigw_config::Millis;

use crate::finding::{Cause, Findings};
use crate::index::Placed;

/// The duration that a field of the policy holds.
pub(crate) fn read<T>(
    policy: &Placed<'_, T>,
    field: &str,
    text: Option<&String>,
    findings: &mut Findings,
) -> Option<Millis> {
    let result: Result<Millis, String> = text?.parse();
    result
        .map_err(|message| findings.error(policy.subject(), Cause::INVALID, field, message))
        .ok()
}

/// The same, where `0s` says nothing.
pub(crate) fn read_some<T>(
    policy: &Placed<'_, T>,
    field: &str,
    text: Option<&String>,
    findings: &mut Findings,
) -> Option<Millis> {
    read(policy, field, text, findings).filter(|time| time.0 > 0)
}

/// The same, where `0s` asks for no limit: there is always one, and that is told.
pub(crate) fn read_limit<T>(
    policy: &Placed<'_, T>,
    field: &str,
    text: Option<&String>,
    findings: &mut Findings,
) -> Option<Millis> {
    let time = read(policy, field, text, findings)?;
    if time == Millis(0) {
        let message = "0s would be no limit, which is not supported; the default holds";
        findings.warn(policy.subject(), Cause::NO_EFFECT, field, message);
        return None;
    }
    Some(time)
}
