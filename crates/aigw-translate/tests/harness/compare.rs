//! Compares what came out with what the files expect, or rewrites the files when `UPDATE_GOLDEN` is set.

use aigw_translate::ir::{Losses, Usage};
use serde_json::{Map, Value, json};

use super::Case;
use super::frames::{Frame, split};

/// Expectations are rewritten instead of compared.
pub fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// Compares JSON: the order of members does not matter, the order of elements does.
pub fn json_file(case: &Case, file: &str, actual: &[u8]) -> Result<(), String> {
    let actual: Value = serde_json::from_slice(actual).map_err(|error| {
        format!(
            "{file}: what was written is not JSON ({error}): {}",
            lossy(actual)
        )
    })?;
    value_file(case, file, &actual)
}

/// As [`json_file`], from a value.
pub fn value_file(case: &Case, file: &str, actual: &Value) -> Result<(), String> {
    if updating() {
        return case.write(
            file,
            &format!("{}\n", serde_json::to_string_pretty(actual).unwrap()),
        );
    }
    let Some(expected) = case.json(file)? else {
        return Err(format!("{file} is missing; what came out:\n{actual:#}"));
    };
    let mut differences = Vec::new();
    differ("", &expected, actual, &mut differences);
    if differences.is_empty() {
        Ok(())
    } else {
        Err(format!("{file}:\n{}", differences.join("\n")))
    }
}

/// Compares losses in order; an absent file means that nothing may be lost.
pub fn losses_file(case: &Case, file: &str, actual: &Losses) -> Result<(), String> {
    optional_file(case, file, actual.is_empty(), &json!(actual.pointers()))
}

/// Compares token counts; an absent file means that none may be known.
pub fn usage_file(case: &Case, file: &str, actual: &Usage) -> Result<(), String> {
    optional_file(case, file, actual.is_empty(), &usage_value(actual))
}

fn optional_file(case: &Case, file: &str, empty: bool, actual: &Value) -> Result<(), String> {
    if empty && updating() {
        case.remove(file);
        return Ok(());
    }
    if empty && !case.has(file) {
        return Ok(());
    }
    value_file(case, file, actual)
}

/// Compares a stream event by event: names, and data as JSON where it is JSON.
pub fn stream_file(case: &Case, file: &str, actual: &[u8]) -> Result<(), String> {
    if updating() {
        return case.write(file, &lossy(actual));
    }
    let Some(expected) = case.text(file)? else {
        return Err(format!("{file} is missing; what came out:\n{}", lossy(actual)));
    };
    let expected = split(&[expected.as_bytes()]);
    let actual = split(&[actual]);
    for index in 0..expected.len().max(actual.len()) {
        let (want, have) = (expected.get(index), actual.get(index));
        if want.map(parsed) != have.map(parsed) {
            return Err(format!(
                "{file}: event {index}\n  expected {}\n  actual   {}",
                want.map_or_else(|| "nothing".to_owned(), shown),
                have.map_or_else(|| "nothing".to_owned(), shown)
            ));
        }
    }
    Ok(())
}

/// The known counts by name.
pub fn usage_value(usage: &Usage) -> Value {
    let counts = [
        ("input", usage.input),
        ("output", usage.output),
        ("total", usage.total()),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("cache_write_5m", usage.cache_write_5m),
        ("cache_write_1h", usage.cache_write_1h),
        ("reasoning", usage.reasoning),
        ("audio_input", usage.audio_input),
        ("audio_output", usage.audio_output),
        ("accepted_prediction", usage.accepted_prediction),
        ("rejected_prediction", usage.rejected_prediction),
    ];
    let known: Map<String, Value> = counts
        .into_iter()
        .filter_map(|(name, count)| Some((name.to_owned(), count?.into())))
        .collect();
    Value::Object(known)
}

fn parsed(frame: &Frame) -> (Option<String>, Result<Value, String>) {
    let data = serde_json::from_slice(&frame.data).map_err(|_| lossy(&frame.data));
    (frame.event.clone(), data)
}

fn shown(frame: &Frame) -> String {
    let event = frame.event.as_ref().map(|event| format!("event: {event} "));
    format!("{}data: {}", event.unwrap_or_default(), lossy(&frame.data))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn differ(pointer: &str, expected: &Value, actual: &Value, out: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, value) in expected {
                let pointer = format!("{pointer}/{name}");
                match actual.get(name) {
                    Some(actual) => differ(&pointer, value, actual, out),
                    None => out.push(format!("  {pointer}: expected {value}, actual nothing")),
                }
            }
            for (name, value) in actual.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                out.push(format!("  {pointer}/{name}: expected nothing, actual {value}"));
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                differ(&format!("{pointer}/{index}"), expected, actual, out);
            }
        }
        (expected, actual) if expected != actual => {
            out.push(format!("  {pointer}: expected {expected}, actual {actual}"));
        }
        _ => {}
    }
}
