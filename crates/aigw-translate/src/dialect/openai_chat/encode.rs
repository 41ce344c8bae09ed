//! Writes a request for an upstream.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create>. A request of this dialect keeps its extensions; a request of another
//! is written as the vendor's own API documents it. One normal form is written: `stop` as a list, texts alone as a string, tools in
//! place of `functions`, and no member that is null.

use super::encode_content::{Source, cache_marker};
use super::encode_message::Messages;
use super::fields::invalid;
use super::schema::{ID, effort_of_budget, effort_word, service_tier};
use super::write::{List, Object, WriteExtra, nested, value};
use crate::dialect::Target;
use crate::ir::{
    Error, JsonSchema, Losses, OutputFormat, Place, Reasoning, ReasoningEffort, Request, Tool, ToolChoice,
    ToolKind,
};

/// Members of the request's extra that are merged into what is written.
const MERGED: &[&str] = &["stream_options", "response_format"];

/// Writes a request.
pub(super) fn encode_request(
    request: &Request,
    target: Target<'_>,
    losses: &mut Losses,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(4096);
    let mut object = Object::open(&mut out);
    let own = request.names.dialect == ID;
    object.member("model", target.model);
    let source = Source {
        own,
        quirks: target.quirks,
        names: request.names,
        losses,
    };
    let mut messages = Messages::open(object.key("messages"), source);
    for message in &request.messages {
        messages.message(message);
    }
    if messages.close() == 0 {
        return Err(invalid(
            "messages".to_owned(),
            "Nothing in the messages can be said to this upstream.",
        ));
    }
    let tools = write_tools(&mut object, request, own, losses);
    write_choice(&mut object, request, tools, losses);
    write_sampling(&mut object, request, own, losses);
    write_limits(&mut object, request, target);
    if let Some(reasoning) = &request.reasoning {
        write_reasoning(&mut object, request, reasoning, own, losses);
    }
    write_output(&mut object, request, target, losses);
    write_stream(&mut object, request, target);
    write_account(&mut object, request, own, losses);
    losses.report_extra(Place::ROOT, &request.extra, ID);
    object.extra(&request.extra, MERGED);
    object.close();
    Ok(out)
}

/// Writes the tools; returns whether there are any.
fn write_tools(object: &mut Object<'_>, request: &Request, own: bool, losses: &mut Losses) -> bool {
    let sayable = |tool: &&Tool| match &tool.kind {
        ToolKind::Function { .. } => true,
        ToolKind::Opaque(opaque) => opaque.dialect == ID,
    };
    let (tools, lost): (Vec<&Tool>, Vec<&Tool>) = request.tools.iter().partition(sayable);
    for tool in lost {
        losses.report(tool.place, "");
    }
    if tools.is_empty() {
        return false;
    }
    let mut list = List::open(object.key("tools"));
    for tool in tools {
        losses.report_extra(tool.place, &tool.extra, ID);
        if tool.cache.is_some() && !own {
            losses.report_suffix(tool.place, request.names.cache);
        }
        write_tool(list.next(), tool, own);
    }
    list.close();
    true
}

fn write_tool(out: &mut Vec<u8>, tool: &Tool, own: bool) {
    let (name, description, parameters, strict) = match &tool.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => (name, description, parameters, strict),
        ToolKind::Opaque(opaque) => return value(out, &opaque.value),
    };
    let mut object = Object::open(out);
    object.member("type", "function");
    object.object("function", |object| {
        object.member("name", name);
        object.optional("description", description.as_ref());
        object.optional("parameters", parameters.as_ref());
        object.optional("strict", strict.as_ref());
        object.merge(&tool.extra, "function");
    });
    object.extra(&tool.extra, &["function"]);
    cache_marker(&mut object, tool.cache.as_ref(), own);
    object.close();
}

/// The vendor refuses `tool_choice` and `parallel_tool_calls` where there are no tools.
fn write_choice(object: &mut Object<'_>, request: &Request, tools: bool, losses: &mut Losses) {
    if !tools {
        let forced = !matches!(
            request.tool_choice,
            None | Some(ToolChoice::Auto | ToolChoice::None)
        );
        if forced {
            losses.report_named(request.names.tool_choice);
        }
        return;
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => object.member("tool_choice", "auto"),
        Some(ToolChoice::None) => object.member("tool_choice", "none"),
        Some(ToolChoice::Required) => object.member("tool_choice", "required"),
        Some(ToolChoice::Tool(name)) => object.object("tool_choice", |object| {
            object.member("type", "function");
            object.object("function", |object| object.member("name", name));
        }),
        Some(ToolChoice::Opaque(opaque)) if opaque.dialect == ID => {
            object.member("tool_choice", &opaque.value)
        }
        Some(ToolChoice::Opaque(_)) => losses.report_named(request.names.tool_choice),
    }
    object.optional("parallel_tool_calls", request.parallel_tool_calls.as_ref());
}

fn write_sampling(object: &mut Object<'_>, request: &Request, own: bool, losses: &mut Losses) {
    let sampling = &request.sampling;
    object.optional("temperature", sampling.temperature.as_ref());
    object.optional("top_p", sampling.top_p.as_ref());
    // Not in the vendor's own API, but in many that are compatible with it.
    match &sampling.top_k {
        Some(top_k) if own => object.member("top_k", top_k),
        Some(_) => losses.report_named(request.names.top_k),
        None => {}
    }
    object.optional("frequency_penalty", sampling.frequency_penalty.as_ref());
    object.optional("presence_penalty", sampling.presence_penalty.as_ref());
    object.optional("seed", sampling.seed.as_ref());
}

fn write_limits(object: &mut Object<'_>, request: &Request, target: Target<'_>) {
    // A client that said `max_tokens` knows why: some servers take nothing else.
    let older = request.names.dialect == ID && request.names.max_output_tokens == "/max_tokens";
    let name = match target.quirks.max_completion_tokens && !older {
        true => "max_completion_tokens",
        false => "max_tokens",
    };
    object.optional(name, request.max_output_tokens.as_ref());
    object.optional("n", request.candidates.as_ref());
    if !request.stop.is_empty() {
        object.member("stop", &request.stop);
    }
}

fn write_reasoning(
    object: &mut Object<'_>,
    request: &Request,
    reasoning: &Reasoning,
    own: bool,
    losses: &mut Losses,
) {
    if own {
        if let Some(effort) = &reasoning.effort {
            object.member("reasoning_effort", effort_word(effort));
        }
        return write_thinking(object, reasoning);
    }
    let names = request.names;
    let mut whole = reasoning.display.is_some() || !reasoning.extra.is_empty();
    match (&reasoning.effort, reasoning.budget) {
        (Some(ReasoningEffort::Other(_)), _) => losses.report_named(names.effort),
        (Some(ReasoningEffort::Max), _) => {
            object.member("reasoning_effort", "xhigh");
            losses.report_named(names.effort);
        }
        (Some(effort), _) => object.member("reasoning_effort", effort_word(effort)),
        // Said by its neighbourhood only.
        (None, Some(budget)) if reasoning.enabled != Some(false) => {
            object.member("reasoning_effort", effort_of_budget(budget));
            whole = true;
        }
        // Models that do not reason refuse `none`, and so do those that always do.
        (None, _) => whole |= reasoning.enabled == Some(false),
    }
    if whole {
        losses.report_named(names.reasoning);
    }
}

fn write_thinking(object: &mut Object<'_>, reasoning: &Reasoning) {
    let kind = match reasoning.enabled {
        _ if reasoning.adaptive => "adaptive",
        Some(true) => "enabled",
        Some(false) => "disabled",
        None => return,
    };
    object.object("thinking", |object| {
        object.member("type", kind);
        object.optional("budget_tokens", reasoning.budget.as_ref());
        object.optional("display", reasoning.display.as_ref());
        object.extra(&reasoning.extra, &[]);
    });
}

fn write_output(object: &mut Object<'_>, request: &Request, target: Target<'_>, losses: &mut Losses) {
    let rest = |object: &mut Object<'_>| {
        for (name, content) in nested(&request.extra, "response_format").into_iter().flatten() {
            if name != "json_schema" {
                object.member(name, content);
            }
        }
    };
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::JsonObject => object.object("response_format", |object| {
            object.member("type", "json_object");
            rest(object);
        }),
        OutputFormat::JsonSchema(schema) if target.quirks.json_schema => {
            object.object("response_format", |object| {
                object.member("type", "json_schema");
                object.object("json_schema", |object| write_schema(object, request, schema));
                rest(object);
            });
        }
        OutputFormat::Opaque(opaque) if opaque.dialect == ID => {
            object.member("response_format", &opaque.value)
        }
        OutputFormat::JsonSchema(_) | OutputFormat::Opaque(_) => losses.report_named(request.names.output),
    }
}

fn write_schema(object: &mut Object<'_>, request: &Request, schema: &JsonSchema) {
    object.member("name", schema.name.as_deref().unwrap_or("answer"));
    object.optional("description", schema.description.as_ref());
    if !schema.schema.is_null() {
        object.member("schema", &schema.schema);
    }
    object.optional("strict", schema.strict.as_ref());
    let format = nested(&request.extra, "response_format");
    let rest = format.and_then(|format| format.get("json_schema")?.as_object());
    if let Some(rest) = rest {
        object.members(rest);
    }
}

fn write_stream(object: &mut Object<'_>, request: &Request, target: Target<'_>) {
    if !request.stream {
        return;
    }
    object.member("stream", &true);
    let usage = request.stream_usage || target.want_stream_usage;
    let rest = nested(&request.extra, "stream_options");
    if target.quirks.stream_options && (usage || rest.is_some()) {
        object.object("stream_options", |object| {
            if usage {
                object.member("include_usage", &true);
            }
            object.merge(&request.extra, "stream_options");
        });
    }
}

fn write_account(object: &mut Object<'_>, request: &Request, own: bool, losses: &mut Losses) {
    if let Some(user) = &request.user {
        // The older word is the one that compatible servers know.
        let safety = own && request.names.user == "/safety_identifier";
        object.member(if safety { "safety_identifier" } else { "user" }, user);
    }
    object.optional("prompt_cache_key", request.cache_key.as_ref());
    if let Some(tier) = &request.service_tier {
        object.member(
            "service_tier",
            if own { tier.as_str() } else { service_tier(tier) },
        );
    }
    if request.cache.is_some() {
        if own {
            cache_marker(object, request.cache.as_ref(), own);
        } else {
            losses.report_suffix(Place::ROOT, request.names.cache);
        }
    }
}
