//! Sizes, timeouts and attempts with their defaults.

use super::report::Report;
use crate::document::{BackoffSpec, LimitsSpec, RetrySpec, TimeoutsSpec};
use crate::quantity::{Millis, Size};
use crate::snapshot::{Backoff, Limits, Retry, Timeouts};

const DEFAULT_TIMEOUTS: Timeouts = Timeouts {
    connect: Millis(10_000),
    first_byte: Millis(600_000),
    first_byte_stream: Millis(120_000),
    idle: Millis(300_000),
    request: None,
};
const DEFAULT_REQUEST_BODY: Size = Size(32 << 20);
const DEFAULT_BYTES_IN_FLIGHT: Size = Size(1 << 30);
const DEFAULT_ATTEMPTS: usize = 3;

pub(super) fn limits(spec: &LimitsSpec, report: &mut Report<'_>) -> Limits {
    let max_request_body = spec.max_request_body.unwrap_or(DEFAULT_REQUEST_BODY).0;
    let bytes_in_flight = spec.bytes_in_flight.unwrap_or(DEFAULT_BYTES_IN_FLIGHT).0;
    if max_request_body == 0 {
        report.error("maxRequestBody", "must be more than 0, such as 32MiB");
    }
    if bytes_in_flight < max_request_body {
        let message = format!(
            "{} is less than one request body of {} (maxRequestBody), so such a body could never be read; raise it",
            Size(bytes_in_flight),
            Size(max_request_body)
        );
        report.error("bytesInFlight", message);
    }
    concurrency(spec.max_concurrent, "maxConcurrent", report);
    check_timeouts(&spec.timeouts, "timeouts", report);
    positive("requestReceived", spec.request_received, report);
    positive("clientIdle", spec.client_idle, report);
    let allowed_origins = spec
        .allowed_origins
        .iter()
        .enumerate()
        .filter_map(|(index, text)| report.check(&format!("allowedOrigins[{index}]"), web_origin(text)))
        .collect();
    Limits {
        max_request_body,
        bytes_in_flight,
        max_concurrent: spec.max_concurrent,
        timeouts: overlay(DEFAULT_TIMEOUTS, Some(&spec.timeouts)),
        request_received: spec.request_received,
        client_idle: spec.client_idle,
        allowed_origins,
    }
}

/// `scheme://host[:port]` in lower case, or `*`.
fn web_origin(text: &str) -> Result<String, String> {
    let lower = text.trim().to_lowercase();
    let host = lower.split_once("://").map(|(_, rest)| rest);
    let good = lower == "*" || lower == "null" || host.is_some_and(|h| !h.is_empty() && !h.contains('/'));
    if good {
        Ok(lower)
    } else {
        Err(format!(
            "`{text}` is not an origin; write scheme and host without a path, such as https://app.example.com"
        ))
    }
}

pub(super) fn concurrency(value: Option<u32>, field: &str, report: &mut Report<'_>) {
    if value == Some(0) {
        report.error(field, "0 would let no request in; leave it out for no limit");
    }
}

/// Notes timeouts that could never be met. `request: 0s` means none, as in Gateway API.
pub(super) fn check_timeouts(spec: &TimeoutsSpec, field: &str, report: &mut Report<'_>) {
    let rows = [
        ("connect", spec.connect),
        ("firstByte", spec.first_byte),
        ("firstByteStream", spec.first_byte_stream),
        ("idle", spec.idle),
    ];
    for (name, value) in rows {
        positive(&format!("{field}.{name}"), value, report);
    }
}

pub(super) fn positive(field: &str, value: Option<Millis>, report: &mut Report<'_>) {
    if value == Some(Millis(0)) {
        report.error(field, "must be more than 0s; leave it out for the default");
    }
}

/// `base` with what `over` sets in its place.
pub(super) fn overlay(base: Timeouts, over: Option<&TimeoutsSpec>) -> Timeouts {
    let Some(over) = over else {
        return base;
    };
    Timeouts {
        connect: over.connect.unwrap_or(base.connect),
        first_byte: over.first_byte.unwrap_or(base.first_byte),
        first_byte_stream: over.first_byte_stream.unwrap_or(base.first_byte_stream),
        idle: over.idle.unwrap_or(base.idle),
        request: match over.request {
            Some(Millis(0)) => None,
            Some(value) => Some(value),
            None => base.request,
        },
    }
}

/// `candidates` counts those that take traffic.
pub(super) fn retry(
    spec: Option<&RetrySpec>,
    candidates: usize,
    field: &str,
    report: &mut Report<'_>,
) -> Retry {
    let spec = spec.cloned().unwrap_or_default();
    let per_backend = spec.attempts_per_backend.unwrap_or(1);
    if per_backend == 0 {
        report.error(
            format!("{field}.attemptsPerBackend"),
            "must be at least 1, the first attempt counts",
        );
    }
    if spec.attempts == Some(0) {
        report.error(
            format!("{field}.attempts"),
            "must be at least 1, the first attempt counts",
        );
    }
    for (index, status) in spec.statuses.iter().enumerate() {
        if !(400..=599).contains(status) {
            report.error(
                format!("{field}.statuses[{index}]"),
                format!("{status} is not an error status; use 400 to 599"),
            );
        }
    }
    if spec.timeout == Some(Millis(0)) {
        report.error(
            format!("{field}.timeout"),
            "must be more than 0s; leave it out for none",
        );
    }
    Retry {
        attempts: spec
            .attempts
            .unwrap_or_else(|| default_attempts(candidates, per_backend)),
        attempts_per_backend: per_backend,
        statuses: spec.statuses,
        on_error: spec.on_error,
        timeout: spec.timeout,
        backoff: spec
            .backoff
            .and_then(|one| report.check(&format!("{field}.backoff"), backoff(&one))),
    }
}

fn backoff(spec: &BackoffSpec) -> Result<Backoff, String> {
    let max = spec.max.unwrap_or(Millis(spec.base.0.saturating_mul(10)));
    if spec.base == Millis(0) {
        return Err("`base` must be more than 0s; leave `backoff` out for none".to_owned());
    }
    if max < spec.base {
        return Err("`max` is less than `base`; raise it, or leave it out for ten times `base`".to_owned());
    }
    Ok(Backoff { base: spec.base, max })
}

/// Timeouts of which the wait for the first byte is not longer than that of an attempt.
pub(super) fn bounded(timeouts: Timeouts, attempt: Option<Millis>) -> Timeouts {
    let least = |own: Millis| attempt.map_or(own, |attempt| own.min(attempt));
    Timeouts {
        first_byte: least(timeouts.first_byte),
        first_byte_stream: least(timeouts.first_byte_stream),
        ..timeouts
    }
}

/// One a candidate and at most three, unless more on one backend were asked for.
fn default_attempts(candidates: usize, per_backend: u32) -> u32 {
    let candidates = u32::try_from(candidates.min(DEFAULT_ATTEMPTS))
        .unwrap_or(1)
        .max(1);
    candidates.saturating_mul(per_backend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_timeout_can_be_taken_away_again() {
        let base = Timeouts {
            request: Some(Millis(5)),
            ..DEFAULT_TIMEOUTS
        };
        let none = TimeoutsSpec {
            request: Some(Millis(0)),
            ..TimeoutsSpec::default()
        };
        assert_eq!(overlay(base, Some(&none)).request, None);
        assert_eq!(overlay(base, None).request, Some(Millis(5)));
    }

    #[test]
    fn attempts_follow_the_candidates_up_to_three() {
        for (candidates, per_backend, expected) in [(0, 1, 1), (1, 1, 1), (2, 1, 2), (7, 1, 3), (2, 2, 4)] {
            assert_eq!(default_attempts(candidates, per_backend), expected);
        }
    }

    #[test]
    fn origins_are_lower_case_and_have_no_path() {
        assert_eq!(
            web_origin("https://App.Example.com"),
            Ok("https://app.example.com".into())
        );
        assert!(web_origin("https://app.example.com/").is_err());
        assert!(web_origin("app.example.com").is_err());
    }
}
