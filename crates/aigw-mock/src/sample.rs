//! A value that is valid for a JSON schema, always the same one.

use serde_json::{Map, Value, json};

/// Nesting after which optional parts are left out and arrays stay empty.
const DEPTH: usize = 16;

/// The sample value of a schema: required members (all of them when none is named required), strings named after
/// their member, numbers at their minimum.
pub(crate) fn value(schema: &Value) -> Value {
    Sampler { root: schema }.value(schema, "text", DEPTH)
}

struct Sampler<'a> {
    root: &'a Value,
}

impl Sampler<'_> {
    fn value(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        if let Some(target) = schema["$ref"].as_str() {
            let target = target
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer));
            return target.map_or(Value::Null, |target| self.value(target, name, depth - 1));
        }
        if let Some(fixed) = fixed(schema) {
            return fixed;
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(first) = schema[choice].as_array().and_then(|choices| choices.first()) {
                return self.value(first, name, depth - 1);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.all_of(schema, parts, name, depth);
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" | "number" => number(schema),
            "boolean" => Value::Bool(true),
            "null" => Value::Null,
            _ => string(schema, name),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let Some(properties) = schema["properties"].as_object() else {
            return json!({});
        };
        let required = schema["required"].as_array();
        let wanted =
            |name: &str| required.is_none_or(|required| required.iter().any(|member| member == name));
        let members = properties.iter().filter(|(name, _)| wanted(name));
        members
            .map(|(name, schema)| (name.clone(), self.value(schema, name, depth - 1)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn array(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let least = schema["minItems"]
            .as_u64()
            .unwrap_or(u64::from(depth > 2 && schema["items"].is_object()));
        (0..least.min(64))
            .map(|_| self.value(&schema["items"], name, depth - 1))
            .collect()
    }

    fn all_of(&self, schema: &Value, parts: &[Value], name: &str, depth: usize) -> Value {
        let mut merged = Map::new();
        let own = schema
            .get("properties")
            .is_some()
            .then(|| self.object(schema, depth));
        for value in own
            .into_iter()
            .chain(parts.iter().map(|part| self.value(part, name, depth - 1)))
        {
            match value {
                Value::Object(members) => merged.extend(members),
                other => return other,
            }
        }
        merged.into()
    }
}

fn fixed(schema: &Value) -> Option<Value> {
    let first = |list: &Value| list.as_array().and_then(|list| list.first().cloned());
    schema
        .get("const")
        .cloned()
        .or_else(|| first(&schema["enum"]))
        .or_else(|| schema.get("default").cloned())
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("null"),
        _ if schema["properties"].is_object() => "object",
        _ if schema["items"].is_object() => "array",
        _ => "string",
    }
}

fn number(schema: &Value) -> Value {
    let least = schema["minimum"]
        .as_f64()
        .or_else(|| schema["exclusiveMinimum"].as_f64().map(|least| least + 1.0));
    let most = schema["maximum"]
        .as_f64()
        .or_else(|| schema["exclusiveMaximum"].as_f64().map(|most| most - 1.0));
    let value = least.unwrap_or(1.0).min(most.unwrap_or(f64::MAX));
    if kind(schema) == "integer" || value.fract() == 0.0 {
        json!(value.ceil() as i64)
    } else {
        json!(value)
    }
}

fn string(schema: &Value, name: &str) -> Value {
    let mut text = match schema["format"].as_str() {
        Some("date-time") => "2024-01-02T03:04:05Z".to_owned(),
        Some("date") => "2024-01-02".to_owned(),
        Some("time") => "03:04:05Z".to_owned(),
        Some("duration") => "P1D".to_owned(),
        Some("email") => "mock@example.com".to_owned(),
        Some("hostname") => "example.com".to_owned(),
        Some("uri") => "https://example.com/".to_owned(),
        Some("ipv4") => "192.0.2.1".to_owned(),
        Some("ipv6") => "2001:db8::1".to_owned(),
        Some("uuid") => "00000000-0000-4000-8000-000000000000".to_owned(),
        _ => name.to_owned(),
    };
    let least = usize::try_from(schema["minLength"].as_u64().unwrap_or(0).min(10_000)).unwrap_or(0);
    while text.chars().count() < least {
        text.push('x');
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        text = text
            .chars()
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .collect();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_members_only() {
        let schema = json!({"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}}});
        assert_eq!(value(&schema), json!({"city": "city"}));
    }

    #[test]
    fn every_kind() {
        let schema = json!({"type": "object", "$defs": {"point": {"type": "array", "items": {"type": "number"}, "minItems": 2}},
            "properties": {
                "at": {"$ref": "#/$defs/point"}, "unit": {"enum": ["c", "f"]}, "kind": {"const": "k"},
                "n": {"type": "integer", "minimum": 5}, "ok": {"type": "boolean"},
                "maybe": {"type": ["string", "null"]}, "either": {"anyOf": [{"type": "null"}, {"type": "string"}]},
                "mail": {"type": "string", "format": "email"}, "long": {"type": "string", "minLength": 6},
                "both": {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]}}});
        assert_eq!(
            value(&schema),
            json!({"at": [1, 1], "unit": "c", "kind": "k", "n": 5, "ok": true, "maybe": "maybe", "either": null,
                "mail": "mock@example.com", "long": "longxx", "both": {"a": "a"}})
        );
    }

    #[test]
    fn recursion_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]});
        assert!(value(&schema).is_object());
    }
}
