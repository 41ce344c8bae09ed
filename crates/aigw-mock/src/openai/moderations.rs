//! `POST /moderations` (<https://platform.openai.com/docs/api-reference/moderations>).

use serde_json::{Map, Value, json};

use super::check;
use crate::call::Call;
use crate::error::Checked;
use crate::reply::Reply;

const CATEGORIES: &[&str] = &[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// Flags every input that contains `violence`.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    let model = match body.get("model") {
        None => "omni-moderation-latest",
        Some(_) => check::model(call, body)?,
    };
    let input = check::required(body, "input", "input")?;
    let texts = match input {
        Value::String(_) => vec![input],
        Value::Array(list) if list.first().is_some_and(Value::is_object) => vec![input],
        Value::Array(list) if !list.is_empty() => list.iter().collect(),
        other => return Err(check::wrong_type("input", "a string or an array", other)),
    };
    let results: Vec<_> = texts.into_iter().map(result).collect();
    Ok(Reply::json(
        &json!({"id": call.id("modr-"), "model": model, "results": results}),
    ))
}

fn result(input: &Value) -> Value {
    let flagged = input.to_string().contains("violence");
    let hit = |name: &str| flagged && name == "violence";
    let each = |value: &dyn Fn(&str) -> Value| -> Map<String, Value> {
        CATEGORIES
            .iter()
            .map(|name| ((*name).to_owned(), value(name)))
            .collect()
    };
    json!({
        "flagged": flagged,
        "categories": each(&|name| hit(name).into()),
        "category_scores": each(&|name| if hit(name) { 0.9.into() } else { 0.0001.into() }),
        "category_applied_input_types": each(&|_| json!(["text"])),
    })
}
