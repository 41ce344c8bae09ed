//! Reads a client's request.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create>. Beyond it are understood: `thinking`, `cache_control`, `top_k`,
//! and the forerunners `functions` and `function_call`, which become tools: the answer then has `tool_calls`.

use serde_json::Value;

use super::decode_message::Messages;
use super::fields::{Fields, invalid};
use super::schema::{ID, effort, names_of};
use crate::ir::{
    Error, JsonSchema, Opaque, OutputFormat, Place, Reasoning, Request, Sampling, Tool, ToolChoice, ToolKind,
};

/// Reads a request.
pub(super) fn decode_request(body: &[u8]) -> Result<Request, Error> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| invalid(String::new(), format!("The body is not valid JSON: {error}.")))?;
    let Value::Object(map) = value else {
        return Err(invalid(String::new(), "The body must be a JSON object."));
    };
    let mut fields = Fields::new(map, Place::ROOT);
    let model = fields.text("model")?.unwrap_or_default();
    let mut request = Request {
        model,
        messages: messages(&mut fields)?,
        tools: tools(&mut fields)?,
        tool_choice: tool_choice(&mut fields)?,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        sampling: sampling(&mut fields)?,
        stop: stop(&mut fields)?,
        reasoning: reasoning(&mut fields)?,
        output: output(&mut fields)?,
        candidates: candidates(&mut fields)?,
        stream: fields.flag("stream")?.unwrap_or(false),
        stream_usage: stream_usage(&mut fields)?,
        cache_key: fields.text("prompt_cache_key")?,
        cache: fields.cache(),
        service_tier: fields.text("service_tier")?,
        ..Request::default()
    };
    limits(&mut fields, &mut request)?;
    request.extra = fields.rest();
    Ok(request)
}

fn messages(fields: &mut Fields) -> Result<Vec<crate::ir::Message>, Error> {
    let Some(list) = fields.list("messages")? else {
        return Err(fields.wrong("messages", "is required"));
    };
    if list.is_empty() {
        return Err(fields.wrong("messages", "must have at least one message"));
    }
    let mut reader = Messages::default();
    let mut messages = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        messages.push(reader.read(value, index)?);
    }
    Ok(messages)
}

/// Members with two spellings, and which of them the request uses.
fn limits(fields: &mut Fields, request: &mut Request) -> Result<(), Error> {
    let newer = fields.count("max_completion_tokens")?;
    let older = fields.count("max_tokens")?;
    let safety = fields.text("safety_identifier")?;
    let user = fields.text("user")?;
    let thinking = request.reasoning.as_ref().is_some_and(|reasoning| {
        reasoning.enabled.is_some() || reasoning.adaptive || reasoning.budget.is_some()
    });
    request.names = names_of(newer.is_none() && older.is_some(), safety.is_some(), thinking);
    request.max_output_tokens = newer.or(older);
    if let (Some(_), Some(user)) = (&safety, &user) {
        fields.put("user", user.clone().into());
    }
    request.user = safety.or(user);
    Ok(())
}

fn sampling(fields: &mut Fields) -> Result<Sampling, Error> {
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.number("top_k")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        presence_penalty: fields.number("presence_penalty")?,
        seed: fields.number("seed")?,
    })
}

fn candidates(fields: &mut Fields) -> Result<Option<u32>, Error> {
    match fields.count("n")?.map(u32::try_from) {
        None => Ok(None),
        Some(Ok(count)) => Ok(Some(count)),
        Some(Err(_)) => Err(fields.wrong("n", "is too large")),
    }
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, Error> {
    match fields.take("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(list)) => {
            let texts = list.into_iter().map(|value| match value {
                Value::String(text) => Ok(text),
                _ => Err(fields.wrong("stop", "must be a string or an array of strings")),
            });
            texts.collect()
        }
        Some(_) => Err(fields.wrong("stop", "must be a string or an array of strings")),
    }
}

fn stream_usage(fields: &mut Fields) -> Result<bool, Error> {
    let Some(mut options) = fields.object("stream_options")? else {
        return Ok(false);
    };
    let usage = options.flag("include_usage")?;
    fields.put_rest("stream_options", options);
    Ok(usage.unwrap_or(false))
}

/// `reasoning_effort`, and `thinking` in Anthropic's form; a `thinking` of another type stays.
fn reasoning(fields: &mut Fields) -> Result<Option<Reasoning>, Error> {
    let mut reasoning = Reasoning {
        effort: fields.text("reasoning_effort")?.map(effort),
        ..Reasoning::default()
    };
    let kind = fields
        .peek("thinking")
        .and_then(|value| value.get("type"))
        .and_then(Value::as_str);
    let enabled = match kind {
        Some("enabled") => Some(true),
        Some("disabled") => Some(false),
        Some("adaptive") => None,
        _ => return Ok(reasoning.effort.is_some().then_some(reasoning)),
    };
    if let Some(mut thinking) = fields.object("thinking")? {
        thinking.take("type");
        reasoning.enabled = enabled;
        reasoning.adaptive = enabled.is_none();
        reasoning.budget = thinking.count("budget_tokens")?;
        reasoning.display = thinking.text("display")?;
        reasoning.extra = thinking.rest();
    }
    Ok(Some(reasoning))
}

fn output(fields: &mut Fields) -> Result<OutputFormat, Error> {
    let Some(mut format) = fields.object("response_format")? else {
        return Ok(OutputFormat::Text);
    };
    let output = match format.required("type")?.as_str() {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::JsonObject,
        "json_schema" => OutputFormat::JsonSchema(json_schema(&mut format)?),
        kind => {
            let mut value = format.into_map();
            value.insert("type".to_owned(), kind.into());
            return Ok(OutputFormat::Opaque(Opaque {
                dialect: ID,
                value: Value::Object(value),
            }));
        }
    };
    fields.put_rest("response_format", format);
    Ok(output)
}

fn json_schema(format: &mut Fields) -> Result<JsonSchema, Error> {
    let Some(mut inner) = format.object("json_schema")? else {
        return Err(format.wrong("json_schema", "is required"));
    };
    let schema = JsonSchema {
        name: inner.text("name")?,
        description: inner.text("description")?,
        schema: inner.take("schema").unwrap_or(Value::Null),
        strict: inner.flag("strict")?,
    };
    format.put_rest("json_schema", inner);
    Ok(schema)
}

fn tools(fields: &mut Fields) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for (index, value) in fields.list("tools")?.into_iter().flatten().enumerate() {
        tools.push(tool(value, Place::item("tools", index))?);
    }
    for (index, value) in fields.list("functions")?.into_iter().flatten().enumerate() {
        let mut function = Fields::of(value, Place::item("functions", index))?;
        let kind = function_kind(&mut function)?;
        tools.push(Tool {
            kind,
            cache: None,
            place: function.place(),
            extra: function.rest(),
        });
    }
    Ok(tools)
}

fn tool(value: Value, place: Place) -> Result<Tool, Error> {
    let mut fields = Fields::of(value, place)?;
    let function = matches!(fields.peek("type"), None | Some(Value::Null))
        || fields.peek("type").is_some_and(|kind| kind == "function");
    if !function {
        let value = Value::Object(fields.into_map());
        return Ok(Tool {
            kind: ToolKind::Opaque(Opaque { dialect: ID, value }),
            cache: None,
            extra: Default::default(),
            place,
        });
    }
    fields.take("type");
    let Some(mut inner) = fields.object("function")? else {
        return Err(fields.wrong("function", "is required"));
    };
    let kind = function_kind(&mut inner)?;
    let cache = fields.cache().or(inner.cache());
    fields.put_rest("function", inner);
    Ok(Tool {
        kind,
        cache,
        extra: fields.rest(),
        place,
    })
}

fn function_kind(fields: &mut Fields) -> Result<ToolKind, Error> {
    let parameters = match fields.take("parameters") {
        Some(value) if !value.is_object() => {
            return Err(fields.wrong("parameters", "must be a JSON Schema object"));
        }
        parameters => parameters,
    };
    Ok(ToolKind::Function {
        name: fields.required("name")?,
        description: fields.text("description")?,
        parameters,
        strict: fields.flag("strict")?,
    })
}

/// `tool_choice`, or its forerunner `function_call`.
fn tool_choice(fields: &mut Fields) -> Result<Option<ToolChoice>, Error> {
    let choice = fields.take("tool_choice");
    let older = fields.take("function_call");
    let Some(value) = choice.or(older) else {
        return Ok(None);
    };
    let function = match value.get("type").and_then(Value::as_str) {
        Some("function") => value.get("function").unwrap_or(&value),
        Some(_) => &Value::Null,
        None => &value,
    };
    let named = function.get("name").and_then(Value::as_str).map(str::to_owned);
    Ok(Some(match (value.as_str(), named) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("none"), _) => ToolChoice::None,
        (Some("required" | "any"), _) => ToolChoice::Required,
        (None, Some(name)) => ToolChoice::Tool(name),
        (None, None) if !value.is_object() => {
            return Err(fields.wrong("tool_choice", "must be a string or an object"));
        }
        _ => ToolChoice::Opaque(Opaque { dialect: ID, value }),
    }))
}
