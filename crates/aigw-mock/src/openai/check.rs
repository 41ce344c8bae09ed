//! Checks of JSON members, refused with OpenAI's messages and codes.

use serde_json::Value;

use crate::call::Call;
use crate::error::{Checked, Refusal};
use http::StatusCode;

/// The model named in the body, once it is known to exist.
pub(crate) fn model<'a>(call: &Call<'_>, body: &'a Value) -> Checked<&'a str> {
    let model = match body.get("model") {
        None | Some(Value::Null) => return Err(Refusal::bad("you must provide a model parameter")),
        Some(Value::String(model)) => model,
        Some(other) => return Err(wrong_type("model", "a string", other)),
    };
    exists(call, call.model)?;
    Ok(model)
}

/// Refuses a model that does not exist.
pub(crate) fn exists(call: &Call<'_>, model: &str) -> Checked {
    if call.mock.has_model(model) {
        return Ok(());
    }
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    Err(Refusal::new(StatusCode::NOT_FOUND, message).code("model_not_found"))
}

/// A member that has to be there.
pub(crate) fn required<'a>(body: &'a Value, name: &str, path: &str) -> Checked<&'a Value> {
    match body.get(name) {
        Some(value) if !value.is_null() => Ok(value),
        _ => Err(missing(path)),
    }
}

pub(crate) fn missing(path: &str) -> Refusal {
    Refusal::bad(format!("Missing required parameter: '{path}'."))
        .param(path)
        .code("missing_required_parameter")
}

pub(crate) fn required_str<'a>(body: &'a Value, name: &str, path: &str) -> Checked<&'a str> {
    let value = required(body, name, path)?;
    value.as_str().ok_or_else(|| wrong_type(path, "a string", value))
}

pub(crate) fn number(body: &Value, name: &str, least: f64, most: f64) -> Checked<Option<f64>> {
    let Some(value) = present(body, name) else {
        return Ok(None);
    };
    let number = value
        .as_f64()
        .ok_or_else(|| wrong_type(name, "a decimal number", value))?;
    if (least..=most).contains(&number) {
        return Ok(Some(number));
    }
    let (code, word, bound) = if number < least {
        ("decimal_below_min_value", ">=", least)
    } else {
        ("decimal_above_max_value", "<=", most)
    };
    let message = format!(
        "Invalid '{name}': decimal out of range. Expected a value {word} {bound}, but got {number} instead."
    );
    Err(Refusal::bad(message).param(name).code(code))
}

pub(crate) fn integer(body: &Value, name: &str, least: u64, most: u64) -> Checked<Option<u64>> {
    let Some(value) = present(body, name) else {
        return Ok(None);
    };
    if !value.is_i64() && !value.is_u64() {
        return Err(wrong_type(name, "an integer", value));
    }
    let out = |code: &'static str, word: &str, bound: u64| {
        let message = format!(
            "Invalid '{name}': integer out of range. Expected a value {word} {bound}, but got {value} instead."
        );
        Refusal::bad(message).param(name).code(code)
    };
    match value.as_u64() {
        Some(number) if number > most => Err(out("integer_above_max_value", "<=", most)),
        Some(number) if number >= least => Ok(Some(number)),
        _ => Err(out("integer_below_min_value", ">=", least)),
    }
}

pub(crate) fn boolean(body: &Value, name: &str) -> Checked<bool> {
    match present(body, name) {
        None => Ok(false),
        Some(value) => value
            .as_bool()
            .ok_or_else(|| wrong_type(name, "a boolean", value)),
    }
}

pub(crate) fn string<'a>(body: &'a Value, name: &str) -> Checked<Option<&'a str>> {
    match present(body, name) {
        None => Ok(None),
        Some(value) => value
            .as_str()
            .map(Some)
            .ok_or_else(|| wrong_type(name, "a string", value)),
    }
}

/// A string member that has one of a few values.
pub(crate) fn one_of<'a>(body: &'a Value, name: &str, allowed: &[&str]) -> Checked<Option<&'a str>> {
    let Some(text) = string(body, name)? else {
        return Ok(None);
    };
    if allowed.contains(&text) {
        Ok(Some(text))
    } else {
        Err(wrong_value(text, name, allowed))
    }
}

pub(crate) fn array<'a>(value: &'a Value, path: &str) -> Checked<&'a [Value]> {
    match value.as_array() {
        Some(list) if !list.is_empty() => Ok(list),
        Some(_) => {
            let message = format!(
                "Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
            );
            Err(Refusal::bad(message).param(path).code("empty_array"))
        }
        None => Err(wrong_type(path, "an array of objects", value)),
    }
}

/// `stop`: a string or up to four.
pub(crate) fn stop(body: &Value) -> Checked<Vec<String>> {
    match present(body, "stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop.clone()]),
        Some(Value::Array(list)) if list.len() > 4 => {
            let message = format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length {} instead.",
                list.len()
            );
            Err(Refusal::bad(message).param("stop").code("array_above_max_length"))
        }
        Some(Value::Array(list)) => list
            .iter()
            .map(|stop| {
                stop.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| wrong_type("stop", "a string", stop))
            })
            .collect(),
        Some(other) => Err(wrong_type("stop", "a string or an array of strings", other)),
    }
}

/// Refuses members of other dialects; in strict mode, all that the vendor does not document.
pub(crate) fn members(call: &Call<'_>, body: &Value, known: &[&str], foreign: &[&str]) -> Checked {
    let names = body
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str());
    for name in names {
        if foreign.contains(&name) || (call.mock.options.strict && !known.contains(&name)) {
            let message = format!("Unknown parameter: '{name}'.");
            return Err(Refusal::bad(message).param(name).code("unknown_parameter"));
        }
    }
    Ok(())
}

pub(crate) fn wrong_type(path: &str, expected: &str, got: &Value) -> Refusal {
    let message = format!(
        "Invalid type for '{path}': expected {expected}, but got {} instead.",
        describe(got)
    );
    Refusal::bad(message).param(path).code("invalid_type")
}

pub(crate) fn wrong_value(value: &str, path: &str, allowed: &[&str]) -> Refusal {
    let allowed: Vec<_> = allowed.iter().map(|value| format!("'{value}'")).collect();
    let listed = match allowed.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first, last] => format!("{first} and {last}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    };
    Refusal::bad(format!(
        "Invalid value: '{value}'. Supported values are: {listed}."
    ))
    .param(path)
    .code("invalid_value")
}

fn present<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
