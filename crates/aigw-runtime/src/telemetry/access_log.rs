//! The access log: one line a request, readable or JSON. Never a body, never a key.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use aigw_engine::{UsageRecord, rfc3339};
use serde::Serialize;

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line; the fields are those of [`UsageRecord`] with `time` and `type: "access"`.
    Json,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    r#type: &'static str,
    #[serde(flatten)]
    record: &'a UsageRecord,
}

/// Appends the line of a record.
pub(super) fn write_line(format: LogFormat, record: &UsageRecord, out: &mut Vec<u8>) {
    match format {
        LogFormat::Json => {
            let line = Line {
                time: rfc3339(record.started),
                r#type: "access",
                record,
            };
            let before = out.len();
            if serde_json::to_writer(&mut *out, &line).is_err() {
                out.truncate(before);
            }
        }
        LogFormat::Text => {
            let _ = out.write_all(text(record).as_bytes());
        }
    }
    out.push(b'\n');
}

fn text(record: &UsageRecord) -> String {
    let mut line = format!(
        "{} {} {} {} {:.1}ms",
        rfc3339(record.started),
        record.status,
        record.method,
        clean(&record.path),
        millis(record.duration),
    );
    let optional = [
        ("client", record.client.as_deref()),
        ("model", record.model.as_deref()),
        ("backend", record.backend.as_deref()),
        (
            "upstream_model",
            record
                .upstream_model
                .as_deref()
                .filter(|model| Some(*model) != record.model.as_deref()),
        ),
        ("error", record.error_code.as_deref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            let _ = write!(line, " {name}={}", clean(value));
        }
    }
    if let Some(first_token) = record.first_token {
        let _ = write!(line, " first_token={:.1}ms", millis(first_token));
    }
    if let (Some(input), Some(output)) = (record.usage.input, record.usage.output) {
        let _ = write!(line, " tokens={input}+{output}");
    }
    if record.attempts.len() > 1 {
        let _ = write!(line, " attempts={}", record.attempts.len());
    }
    if record.losses > 0 {
        let _ = write!(line, " dropped={}", record.losses);
    }
    let _ = write!(line, " id={}", clean(&record.request_id));
    line
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// A client chooses paths, models and ids: they must not be able to write lines or fields of their own.
fn clean(text: &str) -> String {
    let fits = |c: &char| !c.is_control() && !c.is_whitespace();
    text.chars()
        .take(256)
        .map(|c| if fits(&c) { c } else { '?' })
        .collect()
}
