//! The list of models, in OpenAI's shape and in Anthropic's.

use aigw_config::{ModelEntry, Snapshot};
use serde_json::{Value, json};

use crate::ledger::rfc3339;
use crate::route::serves;

/// Who asks, and in which shape the answer is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Viewer<'a> {
    pub(crate) listener: &'a str,
    pub(crate) host: &'a str,
    /// `anthropic-version` was sent, or the path is below `/anthropic`.
    pub(crate) anthropic: bool,
    /// The client's key lets it ask for a model.
    pub(crate) allowed: &'a dyn Fn(&str) -> bool,
}

fn visible<'a>(snapshot: &'a Snapshot, viewer: Viewer<'a>) -> impl Iterator<Item = &'a ModelEntry> {
    snapshot.models.iter().filter(move |model| {
        let route = model.route.and_then(|index| snapshot.routes.get(index));
        route.is_none_or(|route| serves(route, viewer.listener, viewer.host).is_some())
            && (viewer.allowed)(&model.name)
    })
}

/// The whole list.
pub(crate) fn list(snapshot: &Snapshot, viewer: Viewer<'_>) -> Value {
    let data: Vec<Value> = visible(snapshot, viewer)
        .map(|model| entry(model, viewer.anthropic))
        .collect();
    if viewer.anthropic {
        let id = |value: Option<&Value>| {
            value
                .and_then(|model| model.get("id"))
                .cloned()
                .unwrap_or(Value::Null)
        };
        json!({"first_id": id(data.first()), "last_id": id(data.last()), "has_more": false, "data": data})
    } else {
        json!({"object": "list", "data": data})
    }
}

/// One model; `None` when the viewer may not see it or it is not listed.
pub(crate) fn one(snapshot: &Snapshot, viewer: Viewer<'_>, name: &str) -> Option<Value> {
    visible(snapshot, viewer)
        .find(|model| model.name == name)
        .map(|model| entry(model, viewer.anthropic))
}

fn entry(model: &ModelEntry, anthropic: bool) -> Value {
    if anthropic {
        json!({"type": "model", "id": model.name, "display_name": model.name, "created_at": rfc3339(model.created.saturating_mul(1_000))})
    } else {
        json!({"id": model.name, "object": "model", "created": model.created, "owned_by": model.owned_by})
    }
}
