//! `GET /models` and `/models/{id}` (<https://platform.openai.com/docs/api-reference/models>).

use serde_json::{Value, json};

use super::check;
use crate::call::Call;
use crate::error::Checked;
use crate::reply::Reply;
use http::Method;

/// The models listed when the options name none.
pub(crate) const KNOWN: &[&str] = &[
    "mock",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5",
    "o4-mini",
    "deepseek-reasoner",
    "text-embedding-3-small",
    "whisper-1",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
];

/// The names of the models of this listener.
pub(crate) fn names<'a>(call: &'a Call<'_>) -> Vec<&'a str> {
    match call.mock.options.models.as_slice() {
        [] => KNOWN.to_vec(),
        models => models.iter().map(String::as_str).collect(),
    }
}

/// Lists the models.
pub(crate) fn list(call: &Call<'_>) -> Reply {
    let data: Vec<_> = names(call).into_iter().map(object).collect();
    Reply::json(&json!({"object": "list", "data": data}))
}

/// Describes, or pretends to delete, one model.
pub(crate) fn one(call: &Call<'_>, id: &str) -> Checked<Reply> {
    check::exists(call, id)?;
    if call.method == Method::DELETE {
        return Ok(Reply::json(
            &json!({"id": id, "object": "model", "deleted": true}),
        ));
    }
    Ok(Reply::json(&object(id)))
}

fn object(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "mock"})
}
