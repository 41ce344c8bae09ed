//! `POST /chat/completions` (<https://platform.openai.com/docs/api-reference/chat/create>).

use serde_json::Value;

use super::chat_render::{self, Completion};
use super::{chat_input, check, parameters, tools};
use crate::call::{Call, now};
use crate::content::{Answer, Format, Prompt};
use crate::error::{Checked, Refusal};
use crate::reply::Reply;
use crate::words;

/// Answers a chat completion, whole or as a stream.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    let model = check::model(call, body)?;
    check::members(call, body, parameters::KNOWN, parameters::FOREIGN)?;
    parameters::check(body, call.model)?;
    let prompt = prompt(call, body)?;
    let stop = check::stop(body)?;
    let effort = check::string(body, "reasoning_effort")?;
    let reasoning_tokens = parameters::reasoning_tokens(effort, call.model);
    let limit = body["max_completion_tokens"]
        .as_u64()
        .or_else(|| body["max_tokens"].as_u64());
    let answer = prompt.answer(limit.map(|limit| limit.saturating_sub(reasoning_tokens)), &stop);
    let reasoning =
        (call.model.contains("reason") || call.model.contains("deepseek")).then(|| prompt.reasoning());
    let completion = Completion {
        id: call.id("chatcmpl-"),
        created: now() as u64,
        model,
        choices: check::integer(body, "n", 1, 128)?.unwrap_or(1),
        reasoning_tokens: reasoning_tokens + reasoning.as_deref().map_or(0, words::count),
        answer_tokens: answer_tokens(&answer),
        prompt_tokens: prompt.tokens.max(1),
        answer,
        reasoning,
        logprobs: check::boolean(body, "logprobs")?,
        service_tier: check::string(body, "service_tier")?,
        with_usage: !call.fault.no_usage,
    };
    if check::boolean(body, "stream")? {
        let usage = check::boolean(&body["stream_options"], "include_usage")?;
        Ok(chat_render::events(&completion, usage))
    } else {
        Ok(chat_render::whole(&completion))
    }
}

fn prompt(call: &Call<'_>, body: &Value) -> Checked<Prompt> {
    let mut prompt = chat_input::read(body)?;
    prompt.tools = tools::nested(body)?;
    prompt.choice = tools::choice(body, &prompt.tools, |choice| choice["function"]["name"].as_str())?;
    let parallel = &body["parallel_tool_calls"];
    if !parallel.is_null() && body["tools"].is_null() {
        let message = "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.";
        return Err(Refusal::bad(message).param("parallel_tool_calls"));
    }
    prompt.single_call = parallel == false;
    let format = &body["response_format"];
    prompt.format = tools::format(format, &format["json_schema"], "response_format")?;
    if matches!(prompt.format, Format::JsonObject) && !chat_input::mentions_json(body) {
        let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
        return Err(Refusal::bad(message).param("messages"));
    }
    prompt.sized = call.fault.size.is_some();
    Ok(prompt)
}

/// Tokens of text and calls.
pub(crate) fn answer_tokens(answer: &Answer) -> u64 {
    let calls = answer.calls.iter().map(|call| 1 + words::count(&call.arguments));
    words::count(&answer.text) + calls.sum::<u64>()
}
