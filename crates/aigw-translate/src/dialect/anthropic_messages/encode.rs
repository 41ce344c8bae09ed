//! Writes a request for an upstream.
//!
//! <https://platform.claude.com/docs/en/api/messages>

use serde_json::{Number, Value, json};

use super::encode_content::{Reader, Writing};
use super::encode_turns::Conversation;
use super::models::Model;
use super::thinking::Plan;
use super::write::{Object, WriteExtra, nested, value};
use crate::dialect::contract::Target;
use crate::ir::{
    DialectId, Error, JsonSchema, Losses, OutputFormat, Place, Request, Tool, ToolChoice, ToolKind,
};

const THIS: DialectId = DialectId::AnthropicMessages;

/// Members that [`Extra`] holds in part: the rest of an object that is written here.
const MERGED: &[&str] = &["metadata", "output_config"];

/// Writes a request.
pub(super) fn request(request: &Request, target: Target<'_>, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    let model = Model::named(target.model);
    let mut writing = Writing {
        reader: Reader::Upstream,
        names: request.names,
        losses,
    };
    let conversation = Conversation::new(request, &model, &mut writing);
    if conversation.is_empty() {
        let message = "No message has content that the upstream takes.";
        return Err(Error {
            param: Some("messages".to_owned()),
            ..Error::gateway(400, "invalid_request", message)
        });
    }
    let plan = Plan::new(request, &model, conversation.broken_loop(), writing.losses);
    let mut out = Vec::with_capacity(1_024);
    let mut object = Object::open(&mut out);
    object.member("model", target.model);
    conversation.write(&mut object);
    object.member("max_tokens", &plan.max_tokens);
    if request.stream {
        object.member("stream", &true);
    }
    tools(&mut object, request, &model, &mut writing);
    plan.write(&mut object, request.reasoning.as_ref());
    if let Some(reasoning) = &request.reasoning {
        writing.losses.report_extra(Place::ROOT, &reasoning.extra, THIS);
    }
    let structured = model.structured && target.quirks.json_schema;
    output(&mut object, request, &plan, structured, writing.losses);
    sampling(&mut object, request, &model, &plan, writing.losses);
    rest(&mut object, request, &mut writing);
    object.close();
    Ok(out)
}

fn tools(object: &mut Object<'_>, request: &Request, model: &Model, writing: &mut Writing<'_>) {
    let mut written = Vec::new();
    for tool in &request.tools {
        let before = written.len();
        if before > 0 {
            written.push(b',');
        }
        if !self::tool(&mut written, tool, model, writing) {
            written.truncate(before);
        }
    }
    let any = !written.is_empty();
    if any {
        let out = object.key("tools");
        out.push(b'[');
        out.extend_from_slice(&written);
        out.push(b']');
    }
    tool_choice(object, request, model, any, writing.losses);
}

fn tool(out: &mut Vec<u8>, tool: &Tool, model: &Model, writing: &mut Writing<'_>) -> bool {
    let (name, description, parameters, strict) = match &tool.kind {
        ToolKind::Opaque(opaque) if opaque.dialect == THIS => {
            value(out, &opaque.value);
            return true;
        }
        ToolKind::Opaque(_) => {
            writing.losses.report(tool.place, "");
            return false;
        }
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => (name, description, parameters, *strict),
    };
    let mut object = Object::open(out);
    object.member("name", name);
    object.optional("description", description.as_ref());
    schema(object.key("input_schema"), parameters.as_ref());
    match strict {
        Some(true) if !model.structured => {
            writing
                .losses
                .report_suffix(tool.place, writing.names.tool_strict);
        }
        // False is what it is without it.
        Some(strict) if strict || writing.names.dialect == THIS => object.member("strict", &strict),
        _ => {}
    }
    if let Some(marker) = &tool.cache {
        writing.cache(&mut object, tool.place, marker);
    }
    object.extra(&tool.extra, &[]);
    object.close();
    writing.losses.report_extra(tool.place, &tool.extra, THIS);
    true
}

/// The vendor demands a schema, and that its type is `object`.
fn schema(out: &mut Vec<u8>, parameters: Option<&Value>) {
    match parameters {
        Some(Value::Object(members)) if members.contains_key("type") => value(out, members),
        Some(Value::Object(members)) => {
            let mut object = Object::open(out);
            object.member("type", "object");
            object.members(members);
            object.close();
        }
        _ => out.extend_from_slice(br#"{"type":"object"}"#),
    }
}

fn tool_choice(
    object: &mut Object<'_>,
    request: &Request,
    model: &Model,
    any_tools: bool,
    losses: &mut Losses,
) {
    let names = request.names;
    let forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Tool(_))
    );
    // Without tools the vendor takes no choice, and only a forced one would say anything.
    if !any_tools || (forced && !model.forced_tools) {
        if forced {
            losses.report_named(names.tool_choice);
        }
        if !any_tools {
            return;
        }
    }
    let single = request.parallel_tool_calls == Some(false);
    let choice = match &request.tool_choice {
        Some(ToolChoice::Opaque(opaque)) if opaque.dialect == THIS => {
            object.member("tool_choice", &opaque.value);
            return;
        }
        Some(ToolChoice::Opaque(_)) => {
            losses.report_named(names.tool_choice);
            None
        }
        _ if forced && !model.forced_tools => None,
        choice => choice.as_ref(),
    };
    let (kind, name) = match choice {
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Tool(name)) => ("tool", Some(name)),
        None if !single => return,
        None | Some(ToolChoice::Auto | ToolChoice::Opaque(_)) => ("auto", None),
    };
    let mut inner = Object::open(object.key("tool_choice"));
    inner.member("type", kind);
    inner.optional("name", name);
    let said = request
        .parallel_tool_calls
        .filter(|parallel| kind != "none" && (!parallel || names.dialect == THIS));
    inner.optional(
        "disable_parallel_tool_use",
        said.map(|parallel| !parallel).as_ref(),
    );
    inner.close();
}

fn output(
    object: &mut Object<'_>,
    request: &Request,
    plan: &Plan<'_>,
    structured: bool,
    losses: &mut Losses,
) {
    let format = match &request.output {
        OutputFormat::Text => None,
        OutputFormat::JsonSchema(schema) if structured => Some(self::format(schema)),
        OutputFormat::Opaque(opaque) if opaque.dialect == THIS => Some(opaque.value.clone()),
        OutputFormat::JsonObject | OutputFormat::JsonSchema(_) | OutputFormat::Opaque(_) => {
            losses.report_named(request.names.output);
            None
        }
    };
    let rest = nested(&request.extra, "output_config");
    if format.is_none() && plan.effort.is_none() && rest.is_none() {
        return;
    }
    let mut inner = Object::open(object.key("output_config"));
    inner.optional("effort", plan.effort.as_ref());
    inner.optional("format", format.as_ref());
    inner.merge(&request.extra, "output_config");
    inner.close();
}

/// The vendor has no place for a schema's name and description; the description moves into the schema, the name says nothing.
fn format(schema: &JsonSchema) -> Value {
    let mut body = schema.schema.clone();
    if let (Some(members), Some(description)) = (body.as_object_mut(), &schema.description)
        && !members.contains_key("description")
    {
        members.insert("description".to_owned(), Value::String(description.clone()));
    }
    json!({"type": "json_schema", "schema": body})
}

fn sampling(object: &mut Object<'_>, request: &Request, model: &Model, plan: &Plan<'_>, losses: &mut Losses) {
    let names = request.names;
    let sampling = &request.sampling;
    let mut write = |member: &str, number: Option<&Number>, pointer: &'static str| -> bool {
        let Some(number) = number else { return false };
        let default = member == "temperature" && number.as_f64() == Some(1.0);
        if !model.sampling || !plan.takes(member, number) {
            // The default is what a model does that takes none.
            if !default {
                losses.report_named(pointer);
            }
            return false;
        }
        if member == "temperature" && number.as_f64().is_some_and(|number| number > 1.0) {
            losses.report_named(pointer);
            object.member(member, &1);
        } else {
            object.member(member, number);
        }
        true
    };
    let heated = write("temperature", sampling.temperature.as_ref(), names.temperature);
    write("top_k", sampling.top_k.as_ref(), names.top_k);
    if heated && !model.sampling_together && sampling.top_p.is_some() {
        losses.report_named(names.top_p);
    } else {
        write("top_p", sampling.top_p.as_ref(), names.top_p);
    }
    for (number, pointer) in [
        (&sampling.frequency_penalty, names.frequency_penalty),
        (&sampling.presence_penalty, names.presence_penalty),
        (&sampling.seed, names.seed),
    ] {
        if number.is_some() {
            losses.report_named(pointer);
        }
    }
}

fn rest(object: &mut Object<'_>, request: &Request, writing: &mut Writing<'_>) {
    let names = request.names;
    // The vendor refuses stop texts that are blank.
    let stops: Vec<&String> = request
        .stop
        .iter()
        .filter(|stop| !stop.trim().is_empty())
        .collect();
    if stops.len() < request.stop.len() {
        writing.losses.report_named(names.stop);
    }
    if !stops.is_empty() {
        object.member("stop_sequences", &stops);
    }
    let metadata = nested(&request.extra, "metadata");
    // Another dialect's `metadata` is another thing.
    if request.user.is_some() || metadata.is_some() {
        let mut inner = Object::open(object.key("metadata"));
        inner.optional("user_id", request.user.as_ref());
        inner.merge(&request.extra, "metadata");
        inner.close();
    }
    match request.service_tier.as_deref() {
        None => {}
        Some(tier) if names.dialect == THIS || tier == "auto" => object.member("service_tier", tier),
        Some("default" | "standard") => object.member("service_tier", "standard_only"),
        Some(_) => writing.losses.report_named(names.service_tier),
    }
    if let Some(marker) = &request.cache {
        writing.cache(object, Place::ROOT, marker);
    }
    if request.candidates.is_some_and(|candidates| candidates > 1) {
        writing.losses.report_named(names.candidates);
    }
    if request.cache_key.is_some() {
        writing.losses.report_named(names.cache_key);
    }
    object.extra(&request.extra, MERGED);
    writing.losses.report_extra(Place::ROOT, &request.extra, THIS);
}
