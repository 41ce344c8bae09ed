//! `GET /v1/models` and `/v1/models/{id}` (<https://docs.anthropic.com/en/api/models-list>).

use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Checked;
use crate::openai;
use crate::reply::Reply;

/// Lists the models, whole: there is never a second page.
pub(crate) fn list(call: &Call<'_>) -> Reply {
    let names: Vec<&str> = match call.mock.options.models.as_slice() {
        [] => openai::KNOWN_MODELS
            .iter()
            .filter(|name| name.starts_with("claude"))
            .copied()
            .collect(),
        models => models.iter().map(String::as_str).collect(),
    };
    Reply::json(&json!({
        "data": names.iter().map(|name| object(name)).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": names.first(),
        "last_id": names.last(),
    }))
}

/// Describes one model.
pub(crate) fn one(call: &Call<'_>, id: &str) -> Checked<Reply> {
    super::check::exists(call, id)?;
    Ok(Reply::json(&object(id)))
}

fn object(id: &str) -> Value {
    json!({"type": "model", "id": id, "display_name": id, "created_at": "2023-11-14T22:13:20Z",
        "lifecycle": "active"})
}
