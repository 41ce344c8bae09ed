//! Which fields of an object were written and have no effect: those that are gone once it was read and written again.

use serde_json::Value;

/// Appends to `fields` the paths below `path` that `written` has and `read` lacks. Those that hold nothing are not among them;
/// whether a value that is no list and no object holds nothing, `is_nothing` says.
pub(crate) fn unread(
    written: &Value,
    read: &Value,
    path: &str,
    is_nothing: fn(&Value) -> bool,
    fields: &mut Vec<String>,
) {
    match (written, read) {
        (Value::Object(members), Value::Object(known)) => {
            for (name, value) in members {
                let path = format!("{path}.{name}");
                match known.get(name) {
                    Some(read) => unread(value, read, &path, is_nothing, fields),
                    None if is_empty(value, is_nothing) => {}
                    None => fields.push(path),
                }
            }
        }
        (Value::Array(items), Value::Array(known)) => {
            for (at, (item, read)) in items.iter().zip(known).enumerate() {
                unread(item, read, &format!("{path}[{at}]"), is_nothing, fields);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value, is_nothing: fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(|value| is_empty(value, is_nothing)),
        other => is_nothing(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_gone_is_named() {
        let written =
            json!({"a": {"b": 1, "c": 2}, "d": [{"e": 1}, {"f": 1}], "g": null, "h": {"i": []}, "j": [1]});
        let read = json!({"a": {"b": 1, "x": 0}, "d": [{"e": 1}, {}]});
        let mut fields = Vec::new();
        unread(&written, &read, "spec", Value::is_null, &mut fields);
        assert_eq!(fields, ["spec.a.c", "spec.d[1].f", "spec.j"]);
    }
}
