//! Tools, tool choice and response formats of chat completions and responses
//! (<https://platform.openai.com/docs/guides/function-calling>,
//! <https://platform.openai.com/docs/guides/structured-outputs>).

use serde_json::Value;

use super::check;
use crate::content::{Choice, Format, Tool};
use crate::error::{Checked, Refusal};

/// Reads the `tools` of a chat completion: `{"type": "function", "function": {…}}`.
pub(crate) fn nested(body: &Value) -> Checked<Vec<Tool>> {
    read(body, |tool, path| {
        let function = check::required(tool, "function", &format!("{path}.function"))?;
        Ok((function, format!("{path}.function")))
    })
}

/// Reads the `tools` of a response: `{"type": "function", "name": …}`.
pub(crate) fn flat(body: &Value) -> Checked<Vec<Tool>> {
    read(body, |tool, path| Ok((tool, path.to_owned())))
}

fn read<'a>(
    body: &'a Value,
    function: impl Fn(&'a Value, &str) -> Checked<(&'a Value, String)>,
) -> Checked<Vec<Tool>> {
    if body["tools"].is_null() {
        return Ok(Vec::new());
    }
    let mut tools = Vec::new();
    for (at, tool) in check::array(&body["tools"], "tools")?.iter().enumerate() {
        let path = format!("tools[{at}]");
        match check::required_str(tool, "type", &format!("{path}.type"))? {
            "function" => {
                let (function, path) = function(tool, &path)?;
                tools.push(one(function, &path)?);
            }
            "custom" => {}
            // Built-in tools of the vendor exist, and none of them is ever called here.
            _ if tool.get("function").is_none() => {}
            other => {
                return Err(check::wrong_value(
                    other,
                    &format!("{path}.type"),
                    &["function", "custom"],
                ));
            }
        }
    }
    Ok(tools)
}

fn one(function: &Value, path: &str) -> Checked<Tool> {
    let name = check::required_str(function, "name", &format!("{path}.name"))?;
    check_name(name, &format!("{path}.name"))?;
    let schema = function.get("parameters").cloned().unwrap_or_default();
    if !schema.is_null() && schema["type"] != "object" {
        let message = format!(
            "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'."
        );
        return Err(Refusal::bad(message)
            .param(format!("{path}.parameters"))
            .code("invalid_function_parameters"));
    }
    if check::boolean(function, "strict")? {
        strict(
            &schema,
            &format!("function '{name}'"),
            &format!("{path}.parameters"),
            "invalid_function_parameters",
        )?;
    }
    Ok(Tool {
        name: name.to_owned(),
        schema,
    })
}

/// A function's name: letters, digits, `_` and `-`, at most 64.
pub(crate) fn check_name(name: &str, path: &str) -> Checked {
    if name.is_empty() || name.len() > 64 {
        let message = format!(
            "Invalid '{path}': expected a string with length from 1 to 64, but got length {}.",
            name.len()
        );
        return Err(Refusal::bad(message).param(path).code("invalid_value"));
    }
    if name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    {
        return Ok(());
    }
    let message = format!(
        "Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    );
    Err(Refusal::bad(message).param(path).code("invalid_value"))
}

/// Reads `tool_choice`; `name` finds the function's name in its object form.
pub(crate) fn choice(body: &Value, tools: &[Tool], name: impl Fn(&Value) -> Option<&str>) -> Checked<Choice> {
    let choice = &body["tool_choice"];
    if !choice.is_null() && body["tools"].is_null() {
        let message =
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.";
        return Err(Refusal::bad(message).param("tool_choice"));
    }
    match choice {
        Value::Null => Ok(Choice::Auto),
        Value::String(choice) => match choice.as_str() {
            "auto" => Ok(Choice::Auto),
            "none" => Ok(Choice::None),
            "required" => Ok(Choice::Any),
            other => Err(check::wrong_value(
                other,
                "tool_choice",
                &["none", "auto", "required"],
            )),
        },
        choice => match (choice["type"].as_str(), name(choice)) {
            (Some("allowed_tools"), _) => Ok(Choice::Auto),
            (Some("function"), Some(name)) if tools.iter().any(|tool| tool.name == name) => {
                Ok(Choice::Named(name.to_owned()))
            }
            (Some("function"), Some(name)) => {
                let message = format!(
                    "Invalid value for 'tool_choice': no function named '{name}' was specified in the 'tools' parameter."
                );
                Err(Refusal::bad(message).param("tool_choice"))
            }
            (Some("function"), None) => Err(check::missing("tool_choice.function.name")),
            (Some(_), _) => Ok(Choice::Auto),
            (None, _) => Err(check::missing("tool_choice.type")),
        },
    }
}

/// Reads a response format; `schema` is the object that holds `name`, `schema` and `strict`.
pub(crate) fn format(format: &Value, schema: &Value, path: &str) -> Checked<Format> {
    if format.is_null() {
        return Ok(Format::Text);
    }
    match check::required_str(format, "type", &format!("{path}.type"))? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::JsonObject),
        "json_schema" => {
            let name = check::required_str(schema, "name", &format!("{path}.json_schema.name"))?;
            check_name(name, &format!("{path}.json_schema.name"))?;
            let strict_mode = check::boolean(schema, "strict")?;
            let wanted = schema.get("schema").cloned().unwrap_or_default();
            if strict_mode {
                strict(
                    &wanted,
                    &format!("response_format '{name}'"),
                    path,
                    "invalid_json_schema",
                )?;
            }
            Ok(Format::Schema(wanted))
        }
        other => Err(check::wrong_value(
            other,
            &format!("{path}.type"),
            &["json_object", "json_schema", "text"],
        )),
    }
}

/// Strict mode: every object closes itself and requires all its properties.
fn strict(schema: &Value, of: &str, param: &str, code: &'static str) -> Checked {
    let refuse = |what: &str| {
        let message = format!("Invalid schema for {of}: In context=(), {what}");
        Err(Refusal::bad(message).param(param).code(code))
    };
    match schema {
        Value::Object(members) => {
            if let Some(properties) = schema["properties"].as_object() {
                if schema["additionalProperties"] != false {
                    return refuse("'additionalProperties' is required to be supplied and to be false.");
                }
                let required = schema["required"]
                    .as_array()
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                if let Some((name, _)) = properties
                    .iter()
                    .find(|(name, _)| !required.iter().any(|one| one == *name))
                {
                    return refuse(&format!(
                        "'required' is required to be supplied and to be an array including every key in properties. Missing '{name}'."
                    ));
                }
            }
            members
                .values()
                .try_for_each(|member| strict(member, of, param, code))
        }
        Value::Array(list) => list.iter().try_for_each(|member| strict(member, of, param, code)),
        _ => Ok(()),
    }
}
