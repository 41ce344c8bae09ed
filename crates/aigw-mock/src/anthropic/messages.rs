//! `POST /v1/messages` (<https://docs.anthropic.com/en/api/messages>) and `/v1/messages/count_tokens`
//! (<https://docs.anthropic.com/en/api/messages-count-tokens>).

use serde_json::{Value, json};

use super::cache::{self, Input};
use super::input::{self, Source};
use super::parameters::{self, Parameters, Rules};
use super::render::{self, Message};
use super::{check, stream, tools, turns};
use crate::call::Call;
use crate::content::{Choice, Format, Prompt};
use crate::error::Checked;
use crate::reply::Reply;
use crate::{sign, words};

/// Makes a message, whole or as a stream.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    let model = model(call, body)?;
    let asked = read(call, body, parameters::read)?;
    let Asked {
        mut prompt,
        sources,
        parameters,
        input,
    } = asked;
    if let Some(schema) = &parameters.schema {
        prompt.format = Format::Schema(schema.clone());
    }
    prompt.sized = call.fault.size.is_some();
    let answer = prompt.answer(Some(parameters.max_tokens), &parameters.stop);
    let thinking = parameters
        .thinking
        .map(|thinking| thought(&prompt, thinking.omitted));
    let message = Message {
        id: call.id("msg_"),
        model,
        answer,
        thinking,
        thinking_tokens: parameters
            .thinking
            .map_or(0, |_| words::count(&prompt.reasoning())),
        sources,
        input,
        usage: !call.fault.no_usage,
    };
    Ok(if parameters.stream {
        stream::events(&message)
    } else {
        Reply::json(&render::whole(&message))
    })
}

/// Counts the tokens of a message that is not made.
pub(crate) fn count(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    model(call, body)?;
    let asked = read(call, body, |call, body, _, _| {
        parameters::members(call, body)?;
        Ok(Parameters::default())
    })?;
    Ok(Reply::json(&json!({"input_tokens": asked.input.total()})))
}

struct Asked {
    prompt: Prompt,
    sources: Vec<Source>,
    parameters: Parameters,
    input: Input,
}

fn read(
    call: &Call<'_>,
    body: &Value,
    parameters: impl Fn(&Call<'_>, &Value, &Choice, bool) -> Checked<Parameters>,
) -> Checked<Asked> {
    let rules = Rules::of(call.model, call.header("anthropic-version"));
    let (choice, single_call) = tools::choice(body)?;
    let tools = tools::read(body)?;
    system(body)?;
    let turns = turns::read(body, rules)?;
    let (prompt, sources) = input::read(&turns, rules)?;
    let parameters = parameters(call, body, &choice, !sources.is_empty())?;
    let manual = parameters.thinking.is_some_and(|thinking| thinking.manual);
    turns::check(&turns, manual, rules)?;
    let input = cache::count(body)?;
    let prompt = Prompt {
        tools,
        choice,
        single_call,
        tokens: input.total(),
        ..prompt
    };
    Ok(Asked {
        prompt,
        sources,
        parameters,
        input,
    })
}

fn model<'a>(call: &Call<'_>, body: &'a Value) -> Checked<&'a str> {
    let model = check::required_str(body, "model", "model")?;
    check::exists(call, call.model)?;
    Ok(model)
}

fn system(body: &Value) -> Checked {
    match check::present(body, "system") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().enumerate().try_for_each(|(at, block)| {
            let path = format!("system.{at}");
            match check::required_str(block, "type", &format!("{path}.type"))? {
                "text" => check::required_str(block, "text", &format!("{path}.text")).map(|_| ()),
                _ => Err(check::not_among(&format!("{path}.type"), &["text"])),
            }
        }),
        Some(_) => Err(check::bad(
            "system",
            "Input should be a valid string or a valid array",
        )),
    }
}

/// The thinking block: hidden when the prompt says `redacted`.
fn thought(prompt: &Prompt, omitted: bool) -> Value {
    let text = prompt.reasoning();
    if prompt.text.contains("redacted") {
        return json!({"type": "redacted_thinking", "data": sign::redacted(&text)});
    }
    let text = if omitted { String::new() } else { text };
    json!({"type": "thinking", "thinking": text, "signature": sign::thinking(&text)})
}
