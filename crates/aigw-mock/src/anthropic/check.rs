//! Checks of JSON members, refused with Anthropic's messages.

use http::StatusCode;
use serde_json::Value;

use crate::call::Call;
use crate::error::{Checked, Refusal};

/// Refuses a model that does not exist.
pub(crate) fn exists(call: &Call<'_>, model: &str) -> Checked {
    if call.mock.has_model(model) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, format!("model: {model}")))
}

/// `path: message`, a 400.
pub(crate) fn bad(path: &str, message: &str) -> Refusal {
    Refusal::bad(format!("{path}: {message}"))
}

pub(crate) fn required<'a>(object: &'a Value, name: &str, path: &str) -> Checked<&'a Value> {
    object.get(name).ok_or_else(|| bad(path, "Field required"))
}

pub(crate) fn required_str<'a>(object: &'a Value, name: &str, path: &str) -> Checked<&'a str> {
    required(object, name, path)?
        .as_str()
        .ok_or_else(|| bad(path, "Input should be a valid string"))
}

/// A member that may be absent or null.
pub(crate) fn present<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

pub(crate) fn string<'a>(object: &'a Value, name: &str, path: &str) -> Checked<Option<&'a str>> {
    match present(object, name) {
        None => Ok(None),
        Some(value) => value
            .as_str()
            .map(Some)
            .ok_or_else(|| bad(path, "Input should be a valid string")),
    }
}

pub(crate) fn boolean(object: &Value, name: &str, path: &str) -> Checked<bool> {
    match present(object, name) {
        None => Ok(false),
        Some(value) => value
            .as_bool()
            .ok_or_else(|| bad(path, "Input should be a valid boolean")),
    }
}

pub(crate) fn integer(object: &Value, name: &str, path: &str, least: u64) -> Checked<Option<u64>> {
    let Some(value) = present(object, name) else {
        return Ok(None);
    };
    if !value.is_i64() && !value.is_u64() {
        return Err(bad(path, "Input should be a valid integer"));
    }
    match value.as_u64() {
        Some(number) if number >= least => Ok(Some(number)),
        _ => Err(bad(
            path,
            &format!("Input should be greater than or equal to {least}"),
        )),
    }
}

pub(crate) fn number(object: &Value, name: &str, least: f64, most: f64) -> Checked<Option<f64>> {
    let Some(value) = present(object, name) else {
        return Ok(None);
    };
    let number = value
        .as_f64()
        .ok_or_else(|| bad(name, "Input should be a valid number"))?;
    if (least..=most).contains(&number) {
        return Ok(Some(number));
    }
    Err(bad(name, &format!("range: {least}..{most}")))
}

pub(crate) fn one_of<'a>(
    object: &'a Value,
    name: &str,
    path: &str,
    allowed: &[&str],
) -> Checked<Option<&'a str>> {
    let Some(text) = string(object, name, path)? else {
        return Ok(None);
    };
    if allowed.contains(&text) {
        Ok(Some(text))
    } else {
        Err(not_among(path, allowed))
    }
}

pub(crate) fn not_among(path: &str, allowed: &[&str]) -> Refusal {
    let quoted: Vec<_> = allowed.iter().map(|value| format!("'{value}'")).collect();
    let listed = match quoted.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        all => all.join(""),
    };
    bad(path, &format!("Input should be {listed}"))
}

/// An unknown tag of a tagged union.
pub(crate) fn wrong_tag(path: &str, tag: &str, allowed: &[&str]) -> Refusal {
    let quoted: Vec<_> = allowed.iter().map(|value| format!("'{value}'")).collect();
    let message = format!(
        "Input tag '{tag}' found using 'type' does not match any of the expected tags: {}",
        quoted.join(", ")
    );
    bad(path, &message)
}
