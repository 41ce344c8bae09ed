//! `POST /responses`, `/responses/input_tokens`, `GET` and `DELETE /responses/{id}`
//! (<https://platform.openai.com/docs/api-reference/responses>).

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::chat::answer_tokens;
use super::responses_render::{self, Rendered};
use super::{check, parameters, responses_input, tools};
use crate::call::{Call, now};
use crate::content::Prompt;
use crate::error::{Checked, Refusal};
use crate::reply::Reply;

const KNOWN: &[&str] = &[
    "access_programs",
    "background",
    "background_options",
    "context_management",
    "image",
    "moderation",
    "prompt_cache_options",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];
const FOREIGN: &[&str] = &[
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "response_format",
    "reasoning_effort",
    "stop",
    "n",
    "system",
    "stop_sequences",
    "contents",
];

/// Makes a response, whole or as a stream.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    let model = check::model(call, body)?;
    check::members(call, body, KNOWN, FOREIGN)?;
    check_parameters(call, body)?;
    let prompt = prompt(call, body)?;
    let limit = check::integer(body, "max_output_tokens", 16, u64::MAX)?;
    let effort = check::one_of(
        &body["reasoning"],
        "effort",
        &["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    )?;
    let reasoning_tokens = parameters::reasoning_tokens(effort, call.model);
    let answer = prompt.answer(limit.map(|limit| limit.saturating_sub(reasoning_tokens)), &[]);
    let summary = !body["reasoning"]["summary"].is_null() && reasoning_tokens > 0;
    let rendered = Rendered {
        suffix: call.id(""),
        created: now() as u64,
        model,
        body,
        input_tokens: prompt.tokens.max(1),
        answer_tokens: answer_tokens(&answer),
        reasoning_tokens,
        summary: summary.then(|| prompt.reasoning()),
        encrypted: body["include"]
            .as_array()
            .is_some_and(|list| list.iter().any(|one| one == "reasoning.encrypted_content")),
        with_usage: !call.fault.no_usage,
        answer,
    };
    let object = responses_render::object(&rendered);
    if body["store"] != false && !call.mock.options.bench {
        let input = responses_input::items(&body["input"]);
        call.mock.store_response(&object, input);
    }
    if check::boolean(body, "stream")? {
        return Ok(responses_render::events(&rendered, &object));
    }
    Ok(Reply::json(&object))
}

/// Counts the tokens of an input.
pub(crate) fn count(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    check::model(call, body)?;
    let prompt = prompt(call, body)?;
    Ok(Reply::json(
        &json!({"object": "response.input_tokens", "input_tokens": prompt.tokens.max(1)}),
    ))
}

/// Gives back, or deletes, a response made before.
pub(crate) fn stored(call: &Call<'_>, id: &str) -> Checked<Reply> {
    let gone = || {
        let message = format!("Response with id '{id}' not found.");
        Refusal::new(StatusCode::NOT_FOUND, message)
    };
    if call.method == Method::DELETE {
        if !call.mock.delete_response(id) {
            return Err(gone());
        }
        return Ok(Reply::json(
            &json!({"id": id, "object": "response", "deleted": true}),
        ));
    }
    call.mock
        .stored_response(id)
        .map(|stored| Reply::json(&stored.object))
        .ok_or_else(gone)
}

fn check_parameters(call: &Call<'_>, body: &Value) -> Checked {
    let temperature = check::number(body, "temperature", 0.0, 2.0)?;
    check::number(body, "top_p", 0.0, 1.0)?;
    check::one_of(body, "truncation", &["auto", "disabled"])?;
    check::one_of(
        body,
        "service_tier",
        &["auto", "default", "flex", "scale", "priority", "fast"],
    )?;
    check::boolean(body, "store")?;
    if parameters::is_reasoning_model(call.model) && body["reasoning"]["effort"] != "none" {
        for (name, given) in [
            (
                "temperature",
                temperature.is_some_and(|t| (t - 1.0).abs() > f64::EPSILON),
            ),
            ("top_p", !body["top_p"].is_null()),
        ] {
            if given {
                let message = format!("Unsupported parameter: '{name}' is not supported with this model.");
                return Err(Refusal::bad(message).param(name).code("unsupported_parameter"));
            }
        }
    }
    Ok(())
}

fn prompt(call: &Call<'_>, body: &Value) -> Checked<Prompt> {
    let earlier = match check::string(body, "previous_response_id")? {
        None => Vec::new(),
        Some(id) => match call.mock.stored_response(id) {
            Some(stored) => stored.conversation(),
            None => {
                let message = format!("Previous response with id '{id}' not found.");
                return Err(Refusal::bad(message)
                    .param("previous_response_id")
                    .code("previous_response_not_found"));
            }
        },
    };
    let mut prompt = responses_input::read(body, earlier)?;
    prompt.tools = tools::flat(body)?;
    prompt.choice = tools::choice(body, &prompt.tools, |choice| choice["name"].as_str())?;
    prompt.single_call = body["parallel_tool_calls"] == false;
    let format = &body["text"]["format"];
    prompt.format = tools::format(format, format, "text.format")?;
    prompt.sized = call.fault.size.is_some();
    Ok(prompt)
}
