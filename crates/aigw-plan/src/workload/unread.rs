//! Which fields of an object were written and have no effect: those that are gone once it was read and written again.

use serde_json::Value;

/// Appends to `fields` the paths below `path` that `written` has and `read` lacks.
pub(super) fn unread(written: &Value, read: &Value, path: &str, fields: &mut Vec<String>) {
    match (written, read) {
        (Value::Object(members), Value::Object(known)) => {
            for (name, value) in members {
                let path = format!("{path}.{name}");
                match known.get(name) {
                    Some(read) => unread(value, read, &path, fields),
                    None if is_empty(value) => {}
                    None => fields.push(path),
                }
            }
        }
        (Value::Array(items), Value::Array(known)) => {
            for (at, (item, read)) in items.iter().zip(known).enumerate() {
                unread(item, read, &format!("{path}[{at}]"), fields);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        _ => false,
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
        unread(&written, &read, "spec", &mut fields);
        assert_eq!(fields, ["spec.a.c", "spec.d[1].f", "spec.j"]);
    }
}
