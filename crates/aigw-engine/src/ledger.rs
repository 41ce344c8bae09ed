//! The usage record: one a request, on every exit; metrics, access log, traces, cost and quota all read it.

use std::sync::Arc;
use std::time::Duration;

use aigw_config::CostFailure;
use aigw_translate::ir::Usage;
use serde::Serialize;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The client got a complete answer with a status below 400.
    Success,
    /// The client got an error answer.
    Error,
    /// The client went away before the answer was complete.
    ClientGone,
    /// The answer broke off after its head had been sent.
    UpstreamCut,
}

/// Who is to blame for an error. The metric label `error.type` falls back on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The request is wrong (4xx).
    Caller,
    /// Not allowed or over a limit (401, 403, 429 of the gateway).
    Denied,
    /// The configuration cannot serve it.
    Config,
    /// A credential is missing or was rejected by the upstream.
    Credential,
    /// The upstream failed.
    Upstream,
    /// The gateway failed.
    Internal,
}

impl ErrorClass {
    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Denied => "denied",
            Self::Config => "config",
            Self::Credential => "credential",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptRecord {
    /// Backend.
    pub backend: Arc<str>,
    /// Provider label.
    pub provider: Arc<str>,
    /// Model asked for.
    pub model: Arc<str>,
    /// Status, when there was an answer.
    pub status: Option<u16>,
    /// Why it failed (`connect`, `reset`, `protocol`, `timeout`, `cancelled`, `cut`), when it did.
    pub failure: Option<&'static str>,
    /// From the exchange's start to the attempt's, milliseconds.
    #[serde(serialize_with = "millis")]
    pub started: Duration,
    /// From the attempt's start to its end, milliseconds.
    #[serde(serialize_with = "millis")]
    pub duration: Duration,
}

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct UsageRecord {
    /// Request id: the client's `x-request-id`, else made.
    pub request_id: String,
    /// Start, milliseconds since 1970.
    pub started: u64,
    /// From start to end, milliseconds.
    #[serde(serialize_with = "millis")]
    pub duration: Duration,
    /// Listener.
    pub listener: Arc<str>,
    /// Method.
    #[serde(serialize_with = "method")]
    pub method: http::Method,
    /// Path without query.
    pub path: String,
    /// Operation label (`chat`, `messages`, `embeddings`, …); empty for unknown paths.
    pub operation: &'static str,
    /// Client's dialect; empty for operations that are no conversation.
    pub dialect: &'static str,
    /// A stream was asked for.
    pub stream: bool,
    /// Version of the snapshot that served it.
    pub snapshot: Arc<str>,
    /// Route.
    pub route: Option<Arc<str>>,
    /// Rule.
    pub rule: Option<Arc<str>>,
    /// Name of the client's key.
    pub client: Option<Arc<str>>,
    /// Model that the client asked for; names of models are kept up to 256 characters.
    pub model: Option<Arc<str>>,
    /// Model that answered, as the upstream says.
    pub response_model: Option<String>,
    /// Backend of the last attempt.
    pub backend: Option<Arc<str>>,
    /// Its provider label.
    pub provider: Option<Arc<str>>,
    /// Model asked of it.
    pub upstream_model: Option<Arc<str>>,
    /// All attempts in order.
    pub attempts: Vec<AttemptRecord>,
    /// Status that the client got; 0 when it got none.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Stable code of the error, when there was one.
    pub error_code: Option<String>,
    /// Who is to blame.
    pub error_class: Option<ErrorClass>,
    /// Token counts as far as the upstream told them.
    #[serde(serialize_with = "usage")]
    pub usage: Usage,
    /// What the route's costs came to, by key.
    #[serde(serialize_with = "costs", skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<(Arc<str>, u64)>,
    /// Costs that could not be worked out, by key, and why (`overflow`, `division_by_zero`, `wrong_type`, `failed`).
    #[serde(serialize_with = "cost_failures", skip_serializing_if = "Vec::is_empty")]
    pub cost_failures: Vec<(Arc<str>, CostFailure)>,
    /// The upstream's word for why the answer ended.
    pub finish_reason: Option<String>,
    /// From start to the first piece of content, milliseconds; streams only.
    #[serde(serialize_with = "optional_millis")]
    pub first_token: Option<Duration>,
    /// Bytes of the client's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body.
    pub response_bytes: u64,
    /// Members that a translation left out, request and answer together.
    pub losses: u32,
}

fn method<S: serde::Serializer>(value: &http::Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.as_str())
}

fn millis<S: serde::Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Microsecond precision is enough and keeps the text short.
    serializer.serialize_f64((value.as_secs_f64() * 1_000_000.0).round() / 1_000.0)
}

fn optional_millis<S: serde::Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => millis(value, serializer),
        None => serializer.serialize_none(),
    }
}

fn usage<S: serde::Serializer>(value: &Usage, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let fields = [
        ("input", value.input),
        ("output", value.output),
        ("total", value.total()),
        ("cached_input", value.cache_read),
        ("cache_creation_input", value.cache_write),
        ("cache_creation_input_5m", value.cache_write_5m),
        ("cache_creation_input_1h", value.cache_write_1h),
        ("reasoning", value.reasoning),
    ];
    let mut map = serializer.serialize_map(None)?;
    for (name, count) in fields {
        if let Some(count) = count {
            map.serialize_entry(name, &count)?;
        }
    }
    map.end()
}

fn costs<S: serde::Serializer>(value: &[(Arc<str>, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(value.iter().map(|(key, amount)| (key.as_ref(), amount)))
}

fn cost_failures<S: serde::Serializer>(
    value: &[(Arc<str>, CostFailure)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(value.iter().map(|(key, why)| (key.as_ref(), why.as_str())))
}

/// A name that somebody else chose, as much of it as a record keeps.
pub(crate) fn brief(name: &Arc<str>) -> Arc<str> {
    match shortened(name) {
        Some(short) => Arc::from(short),
        None => Arc::clone(name),
    }
}

/// The same of a text, `None` when it is short enough as it is.
pub(crate) fn shortened(text: &str) -> Option<&str> {
    if text.len() <= 256 {
        return None;
    }
    let (end, _) = text.char_indices().nth(256)?;
    text.get(..end)
}

/// Milliseconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`, with `.mmm` where there is a fraction (days to civil date after Howard
/// Hinnant's algorithm).
pub fn rfc3339(millis: u64) -> String {
    let (seconds, fraction) = (millis / 1_000, millis % 1_000);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    // Formatting machinery takes several times as long, and every request has a date.
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (at, width, number) in [
        (0, 4, year % 10_000),
        (5, 2, month),
        (8, 2, day),
        (11, 2, rest / 3_600),
        (14, 2, rest / 60 % 60),
        (17, 2, rest % 60),
        (20, 3, fraction),
    ] {
        digits::<10>(&mut text, at, width, number);
    }
    let mut text = std::str::from_utf8(&text).unwrap_or_default().to_owned();
    if fraction == 0 {
        text.replace_range(19..23, "");
    }
    if year > 9_999 {
        text.insert_str(0, &(year / 10_000).to_string());
    }
    text
}

/// A made id: `req_`, the time in milliseconds and a random number, both hexadecimal.
pub(crate) fn new_id(wall: u64, entropy: u64) -> String {
    let mut id = *b"req_0000000000000000000000000000";
    digits::<16>(&mut id, 4, 12, wall);
    digits::<16>(&mut id, 16, 16, entropy);
    std::str::from_utf8(&id).unwrap_or_default().to_owned()
}

/// Writes the last `width` digits of a number from `at` on.
#[inline]
fn digits<const BASE: u64>(out: &mut [u8], at: usize, width: usize, mut number: u64) {
    for place in out.iter_mut().skip(at).take(width).rev() {
        *place = b"0123456789abcdef"[(number % BASE) as usize];
        number /= BASE;
    }
}

#[cfg(test)]
mod tests {
    use super::{new_id, rfc3339};

    #[test]
    fn ids_are_hexadecimal_and_of_one_length() {
        assert_eq!(new_id(0x1a2_b3c4, 0xff), "req_000001a2b3c400000000000000ff");
        assert_eq!(new_id(u64::MAX, u64::MAX), format!("req_{}", "f".repeat(28)));
    }

    #[test]
    fn dates_are_civil() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(253_402_300_800_007), "10000-01-01T00:00:00.007Z");
        assert_eq!(rfc3339(1_795_000_000_123), "2026-11-18T11:06:40.123Z");
    }
}
