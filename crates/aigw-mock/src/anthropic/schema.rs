//! Structured outputs (<https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs>).

use serde_json::Value;

use super::check::{self, bad};
use crate::error::Checked;

/// Keywords that the vendor lists as not supported.
const UNSUPPORTED: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "oneOf",
];

/// The schema of `output_config.format`, or of `output_format`, its older name.
pub(crate) fn format(body: &Value) -> Checked<Option<Value>> {
    let (format, path) = match (
        check::present(&body["output_config"], "format"),
        check::present(body, "output_format"),
    ) {
        (Some(format), _) => (format, "output_config.format"),
        (None, Some(format)) => (format, "output_format"),
        (None, None) => return Ok(None),
    };
    let kind = check::required_str(format, "type", &format!("{path}.type"))?;
    if kind != "json_schema" {
        return Err(check::not_among(&format!("{path}.type"), &["json_schema"]));
    }
    let path = format!("{path}.schema");
    let schema = check::required(format, "schema", &path)?;
    closed(schema, &path)?;
    Ok(Some(schema.clone()))
}

/// Checks a schema for constrained decoding: objects are closed and only supported keywords occur.
pub(crate) fn closed(schema: &Value, path: &str) -> Checked {
    let Some(members) = schema.as_object() else {
        return if schema.is_boolean() {
            Ok(())
        } else {
            Err(bad(path, "Input should be an object"))
        };
    };
    let kind = schema["type"].as_str().unwrap_or_default();
    if kind == "object" && schema["additionalProperties"] != false {
        return Err(bad(
            path,
            "For 'object' type, 'additionalProperties' must be explicitly set to false",
        ));
    }
    if let Some(keyword) = UNSUPPORTED.iter().find(|keyword| members.contains_key(**keyword)) {
        return Err(bad(
            path,
            &format!("For '{kind}' type, property '{keyword}' is not supported"),
        ));
    }
    if schema["minItems"].as_u64().is_some_and(|least| least > 1) {
        return Err(bad(
            path,
            "For 'array' type, 'minItems' values other than 0 or 1 are not supported",
        ));
    }
    for table in ["properties", "$defs", "definitions"] {
        for (name, inner) in schema[table].as_object().into_iter().flatten() {
            closed(inner, &format!("{path}.{table}.{name}"))?;
        }
    }
    if let Some(items) = members.get("items") {
        closed(items, &format!("{path}.items"))?;
    }
    for list in ["anyOf", "allOf"] {
        for inner in schema[list].as_array().into_iter().flatten() {
            closed(inner, &format!("{path}.{list}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_closed_at_every_depth() {
        let good = json!({"type": "object", "additionalProperties": false,
            "properties": {"minimum": {"type": "array", "items": {"type": "string"}}}});
        closed(&good, "schema").unwrap();
        for bad in [
            json!({"type": "object"}),
            json!({"type": "integer", "minimum": 1}),
            json!({"type": "array", "items": {"type": "object"}}),
            json!({"type": "array", "minItems": 2, "items": {"type": "string"}}),
            json!({"anyOf": [{"type": "string", "maxLength": 1}]}),
        ] {
            assert!(closed(&bad, "schema").is_err(), "{bad}");
        }
    }
}
