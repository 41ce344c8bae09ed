//! Reads a client's request.
//!
//! <https://platform.claude.com/docs/en/api/messages>

use std::collections::HashMap;

use serde_json::Value;

use super::decode_content::{cache_marker, content};
use super::read::{ContentIn, Members, MessageIn, RequestIn};
use crate::ir::{
    DialectId, Error, JsonSchema, Message, Names, Opaque, OutputFormat, Part, Place, Reasoning,
    ReasoningEffort, Request, Role, Sampling, Tool, ToolChoice, ToolKind,
};

const THIS: DialectId = DialectId::AnthropicMessages;

/// How this dialect spells what the representation has a field for.
static NAMES: Names = Names {
    dialect: THIS,
    tool_choice: "/tool_choice",
    parallel_tool_calls: "/tool_choice/disable_parallel_tool_use",
    temperature: "/temperature",
    top_p: "/top_p",
    top_k: "/top_k",
    frequency_penalty: "/frequency_penalty",
    presence_penalty: "/presence_penalty",
    seed: "/seed",
    max_output_tokens: "/max_tokens",
    stop: "/stop_sequences",
    reasoning: "/thinking",
    effort: "/output_config/effort",
    output: "/output_config/format",
    candidates: "/n",
    user: "/metadata/user_id",
    cache_key: "/prompt_cache_key",
    service_tier: "/service_tier",
    cache: "/cache_control",
    tool_strict: "/strict",
    media_detail: "/detail",
    document_title: "/title",
    document_context: "/context",
    citations: "/citations",
    is_error: "/is_error",
    name: "/name",
};

/// Reads a request.
pub(super) fn request(body: &[u8]) -> Result<Request, Error> {
    let RequestIn {
        mut members,
        messages: list,
    } = serde_json::from_slice(body).map_err(|error| refuse_json(&error))?;
    let model = members
        .text("model")
        .filter(|model| !model.is_empty())
        .ok_or_else(|| refuse("model", "`model` is required and must be a text."))?;
    let max_output_tokens = members.count("max_tokens");
    if max_output_tokens.is_none() && members.take("max_tokens").is_some() {
        return Err(refuse(
            "max_tokens",
            "`max_tokens` must be a whole number, 0 or more.",
        ));
    }
    let mut turns = Vec::new();
    if let Some(system) = members.take("system") {
        turns.push(system_turn(system)?);
    }
    messages(list.unwrap_or_default(), &mut turns)?;
    let (tool_choice, parallel_tool_calls) = tool_choice(&mut members);
    let mut metadata = members.object("metadata").unwrap_or_default();
    let user = metadata.text("user_id");
    members.put_back("metadata", metadata);
    let (reasoning, output) = thinking_and_output(&mut members);
    Ok(Request {
        model,
        messages: turns,
        tools: tools(&mut members),
        tool_choice,
        parallel_tool_calls,
        sampling: Sampling {
            temperature: members.number("temperature"),
            top_p: members.number("top_p"),
            top_k: members.number("top_k"),
            ..Sampling::default()
        },
        max_output_tokens,
        stop: stop(&mut members),
        reasoning,
        output,
        candidates: None,
        stream: members.flag("stream").unwrap_or(false),
        stream_usage: true,
        user,
        cache_key: None,
        cache: members.object("cache_control").map(cache_marker),
        service_tier: members.text("service_tier"),
        extra: members.rest(),
        names: &NAMES,
    })
}

fn refuse_json(error: &serde_json::Error) -> Error {
    // Whatever is not in `messages` is read as any JSON, so only `messages` can be of a wrong form.
    if error.is_data() {
        refuse("messages", format!("`messages` has a wrong form: {error}."))
    } else {
        Error::gateway(
            400,
            "invalid_json",
            format!("The body is not valid JSON: {error}."),
        )
    }
}

fn refuse(param: &str, message: impl Into<String>) -> Error {
    Error {
        param: Some(param.to_owned()),
        ..Error::gateway(400, "invalid_request", message)
    }
}

fn system_turn(system: Value) -> Result<Message, Error> {
    let place = match system {
        Value::Array(_) => |index| Place::item("system", index),
        _ => |_| Place::ROOT,
    };
    Ok(Message {
        role: Role::System,
        name: None,
        content: content(ContentIn::from(system), place)
            .ok_or_else(|| refuse("system", "`system` must be a text or a list of text blocks."))?,
        extra: Members::default().rest(),
        place: Place::ROOT,
    })
}

fn messages(list: Vec<MessageIn>, turns: &mut Vec<Message>) -> Result<(), Error> {
    if list.is_empty() {
        return Err(refuse("messages", "`messages` must have at least one message."));
    }
    let mut calls = HashMap::new();
    for (index, message) in list.into_iter().enumerate() {
        let mut turn = self::message(message, index)?;
        fill_tool_names(&mut calls, &mut turn);
        turns.push(turn);
    }
    Ok(())
}

fn message(message: MessageIn, index: usize) -> Result<Message, Error> {
    let MessageIn {
        mut members,
        content: body,
    } = message;
    let place = Place::item("messages", index);
    let role = match members.text("role").as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        _ => {
            let param = format!("messages.{index}.role");
            return Err(refuse(
                &param,
                format!("`{param}` must be `user` or `assistant`."),
            ));
        }
    };
    let content = body
        .and_then(|body| content(body, |block| place.child("content", block)))
        .ok_or_else(|| {
            let param = format!("messages.{index}.content");
            refuse(
                &param,
                format!("`{param}` must be a text or a list of content blocks."),
            )
        })?;
    Ok(Message {
        role,
        name: None,
        content,
        extra: members.rest(),
        place,
    })
}

/// Vendors that match results by the tool's name find it here.
fn fill_tool_names(calls: &mut HashMap<String, String>, turn: &mut Message) {
    for block in &mut turn.content {
        match &mut block.part {
            Part::ToolCall(call) => {
                calls.insert(call.id.clone(), call.name.clone());
            }
            Part::ToolResult(result) => result.name = calls.get(&result.call_id).cloned(),
            _ => {}
        }
    }
}

fn tools(members: &mut Members) -> Vec<Tool> {
    let list = members.list("tools").unwrap_or_default();
    let tools = list.into_iter().enumerate();
    tools
        .map(|(index, tool)| self::tool(tool, Place::item("tools", index)))
        .collect()
}

/// Client tools have a schema and no type, or the type `custom`; all others are the vendor's own.
fn tool(tool: Value, place: Place) -> Tool {
    let own = match tool.get("type") {
        None | Some(Value::Null) => true,
        Some(kind) => kind == "custom",
    };
    let named = tool.get("name").is_some_and(Value::is_string);
    match tool {
        Value::Object(members) if own && named => {
            let mut members = Members(members);
            members.take("type");
            Tool {
                kind: ToolKind::Function {
                    name: members.text("name").unwrap_or_default(),
                    description: members.text("description"),
                    parameters: members.take("input_schema"),
                    strict: members.flag("strict"),
                },
                cache: members.object("cache_control").map(cache_marker),
                extra: members.rest(),
                place,
            }
        }
        value => Tool {
            kind: ToolKind::Opaque(Opaque { dialect: THIS, value }),
            cache: None,
            extra: Members::default().rest(),
            place,
        },
    }
}

fn tool_choice(members: &mut Members) -> (Option<ToolChoice>, Option<bool>) {
    let Some(value) = members.take("tool_choice") else {
        return (None, None);
    };
    let parallel = value
        .get("disable_parallel_tool_use")
        .and_then(Value::as_bool)
        .map(|disabled| !disabled);
    let choice = match value.get("type").and_then(Value::as_str) {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") if value.get("name").is_some_and(Value::is_string) => {
            let name = value.get("name").and_then(Value::as_str).unwrap_or_default();
            ToolChoice::Tool(name.to_owned())
        }
        _ => {
            let choice = ToolChoice::Opaque(Opaque { dialect: THIS, value });
            return (Some(choice), parallel);
        }
    };
    (Some(choice), parallel)
}

fn stop(members: &mut Members) -> Vec<String> {
    let list = members.list("stop_sequences").unwrap_or_default();
    if !list.iter().all(Value::is_string) {
        members.0.insert("stop_sequences".to_owned(), Value::Array(list));
        return Vec::new();
    }
    let texts = list.into_iter().map(|value| match value {
        Value::String(text) => text,
        _ => String::new(),
    });
    texts.collect()
}

fn thinking_and_output(members: &mut Members) -> (Option<Reasoning>, OutputFormat) {
    let mut reasoning = members.object("thinking").map(thinking);
    let mut config = members.object("output_config").unwrap_or_default();
    if let Some(effort) = config.text("effort") {
        reasoning.get_or_insert_default().effort = Some(self::effort(effort));
    }
    // `output_format` is the name that the beta had; what is no object stays, and must not be joined by another.
    let format = config.take("format").or_else(|| {
        let free = !members.0.contains_key("output_config");
        free.then(|| members.take("output_format")).flatten()
    });
    members.put_back("output_config", config);
    (reasoning, format.map_or(OutputFormat::Text, output))
}

/// `type` stays with the other members when it is a word that is not known here.
fn thinking(mut members: Members) -> Reasoning {
    let kind = members.text("type");
    let (enabled, adaptive) = match kind.as_deref() {
        Some("enabled") => (Some(true), false),
        Some("adaptive") => (Some(true), true),
        Some("disabled") => (Some(false), false),
        _ => {
            if let Some(kind) = kind {
                members.0.insert("type".to_owned(), Value::String(kind));
            }
            (None, false)
        }
    };
    Reasoning {
        enabled,
        budget: members.count("budget_tokens"),
        effort: None,
        adaptive,
        display: members.text("display"),
        extra: members.rest(),
    }
}

fn effort(word: String) -> ReasoningEffort {
    match word.as_str() {
        "low" => ReasoningEffort::Low,
        "medium" => ReasoningEffort::Medium,
        "high" => ReasoningEffort::High,
        "xhigh" => ReasoningEffort::XHigh,
        "max" => ReasoningEffort::Max,
        _ => ReasoningEffort::Other(word),
    }
}

fn output(format: Value) -> OutputFormat {
    match format {
        Value::Object(mut members)
            if members.len() == 2
                && members.get("type").is_some_and(|kind| kind == "json_schema")
                && members.contains_key("schema") =>
        {
            OutputFormat::JsonSchema(JsonSchema {
                schema: members.remove("schema").unwrap_or_default(),
                ..JsonSchema::default()
            })
        }
        value => OutputFormat::Opaque(Opaque { dialect: THIS, value }),
    }
}
