//! The access log: one line a request, readable or JSON. Never a body, never a key.

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
        LogFormat::Text => write_text(record, out),
    }
    out.push(b'\n');
}

fn write_text(record: &UsageRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(rfc3339(record.started).as_bytes());
    write_number(" ", record.status.into(), out);
    out.push(b' ');
    out.extend_from_slice(record.method.as_str().as_bytes());
    out.push(b' ');
    write_clean(&record.path, out);
    out.push(b' ');
    write_millis(record.duration, out);
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
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            write_clean(value, out);
        }
    }
    if let Some(first_token) = record.first_token {
        out.extend_from_slice(b" first_token=");
        write_millis(first_token, out);
    }
    if let (Some(input), Some(output)) = (record.usage.input, record.usage.output) {
        write_number(" tokens=", input, out);
        write_number("+", output, out);
    }
    for (key, amount) in &record.costs {
        out.extend_from_slice(b" cost.");
        write_clean(key, out);
        write_number("=", *amount, out);
    }
    for (key, why) in &record.cost_failures {
        out.extend_from_slice(b" cost.");
        write_clean(key, out);
        out.extend_from_slice(b"=!");
        out.extend_from_slice(why.as_str().as_bytes());
    }
    if record.attempts.len() > 1 {
        write_number(" attempts=", record.attempts.len() as u64, out);
    }
    if record.losses > 0 {
        write_number(" dropped=", record.losses.into(), out);
    }
    out.extend_from_slice(b" id=");
    write_clean(&record.request_id, out);
}

/// A number and what stands before it. (Formatting machinery takes several times as long.)
fn write_number(before: &str, number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Milliseconds with one digit after the point.
fn write_millis(span: Duration, out: &mut Vec<u8>) {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let tenths = micros.saturating_add(50) / 100;
    write_number("", tenths / 10, out);
    write_number(".", tenths % 10, out);
    out.extend_from_slice(b"ms");
}

/// A client chooses paths, models and ids: they must not be able to write lines or fields of their own.
fn write_clean(text: &str, out: &mut Vec<u8>) {
    if text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut buffer = [0; 4];
    for c in text.chars().take(256) {
        let c = if c.is_control() || c.is_whitespace() {
            '?'
        } else {
            c
        };
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{write_clean, write_millis};

    #[test]
    fn milliseconds_are_rounded_to_a_tenth() {
        for (micros, text) in [
            (0, "0.0ms"),
            (49, "0.0ms"),
            (50, "0.1ms"),
            (1_949, "1.9ms"),
            (61_000_950, "61001.0ms"),
        ] {
            let mut out = Vec::new();
            write_millis(Duration::from_micros(micros), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn clients_cannot_write_lines_or_fields() {
        let mut out = Vec::new();
        write_clean("gpt\n2026 200 é status=200", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "gpt?2026?200?é?status=200");
    }
}
