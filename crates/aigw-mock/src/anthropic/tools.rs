//! Tools and tool choice (<https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/implement-tool-use>).

use serde_json::Value;

use super::check::{self, bad};
use super::schema;
use crate::content::{Choice, Tool};
use crate::error::{Checked, Refusal};

/// Reads the client tools; tools that the vendor runs are accepted and never called.
pub(crate) fn read(body: &Value) -> Checked<Vec<Tool>> {
    let Some(list) = check::present(body, "tools") else {
        return Ok(Vec::new());
    };
    let list = list
        .as_array()
        .ok_or_else(|| bad("tools", "Input should be a valid array"))?;
    let mut tools: Vec<Tool> = Vec::new();
    for (at, tool) in list.iter().enumerate() {
        let path = format!("tools.{at}");
        match check::string(tool, "type", &format!("{path}.type"))? {
            None | Some("custom") => tools.push(custom(tool, &format!("{path}.custom"))?),
            // Every tool of the vendor carries its date.
            Some(kind) if kind.rsplit('_').next().is_some_and(is_date) => {}
            Some(kind) if kind.starts_with("mcp_") => {}
            Some(kind) => {
                return Err(check::wrong_tag(
                    &path,
                    kind,
                    &["bash_20250124", "custom", "web_search_20250305"],
                ));
            }
        }
    }
    let mut names: Vec<_> = list.iter().filter_map(|tool| tool["name"].as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(bad("tools", "Tool names must be unique."));
    }
    Ok(tools)
}

fn is_date(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn custom(tool: &Value, path: &str) -> Checked<Tool> {
    let name = check::required_str(tool, "name", &format!("{path}.name"))?;
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !plain || name.is_empty() || name.len() > 128 {
        return Err(bad(
            &format!("{path}.name"),
            "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        ));
    }
    for foreign in ["function", "parameters"] {
        if tool.get(foreign).is_some() {
            return Err(bad(
                &format!("{path}.{foreign}"),
                "Extra inputs are not permitted",
            ));
        }
    }
    let path = format!("{path}.input_schema");
    let input = check::required(tool, "input_schema", &path)?;
    if input["type"] != "object" {
        return Err(bad(&format!("{path}.type"), "Input should be 'object'"));
    }
    if ["oneOf", "allOf", "anyOf"]
        .iter()
        .any(|name| input.get(*name).is_some())
    {
        return Err(bad(
            &path,
            "input_schema does not support oneOf, allOf, or anyOf at the top level",
        ));
    }
    if check::boolean(tool, "strict", "strict")? {
        schema::closed(input, &path)?;
    }
    Ok(Tool {
        name: name.to_owned(),
        schema: input.clone(),
    })
}

/// Reads `tool_choice`: which tool, and whether one call at most.
pub(crate) fn choice(body: &Value) -> Checked<(Choice, bool)> {
    let Some(choice) = check::present(body, "tool_choice") else {
        return Ok((Choice::Auto, false));
    };
    if !choice.is_object() {
        return Err(bad("tool_choice", "Input should be an object"));
    }
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    if tools.is_empty() {
        return Err(Refusal::bad(
            "tool_choice may only be specified while providing tools.",
        ));
    }
    let kind = check::required_str(choice, "type", "tool_choice.type")?;
    let single = check::boolean(
        choice,
        "disable_parallel_tool_use",
        "tool_choice.disable_parallel_tool_use",
    )?;
    let choice = match kind {
        "auto" => Choice::Auto,
        "any" => Choice::Any,
        "none" => Choice::None,
        "tool" => {
            let name = check::required_str(choice, "name", "tool_choice.tool.name")?;
            if !tools.iter().any(|tool| tool["name"] == name) {
                return Err(Refusal::bad(format!("Tool '{name}' not found in provided tools")));
            }
            Choice::Named(name.to_owned())
        }
        other => {
            return Err(check::wrong_tag(
                "tool_choice",
                other,
                &["any", "auto", "none", "tool"],
            ));
        }
    };
    Ok((choice, single))
}
