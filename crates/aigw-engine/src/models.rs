//! The list of models, in OpenAI's shape and in Anthropic's.

use aigw_config::{ModelEntry, Snapshot};
use serde_json::{Value, json};

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
        json!({"type": "model", "id": model.name, "display_name": model.name, "created_at": rfc3339(model.created)})
    } else {
        json!({"id": model.name, "object": "model", "created": model.created, "owned_by": model.owned_by})
    }
}

/// Seconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ` (days to civil date after Howard Hinnant's algorithm).
fn rfc3339(seconds: u64) -> String {
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
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn dates_are_civil() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_795_000_000), "2026-11-18T11:06:40Z");
    }
}
