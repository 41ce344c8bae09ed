//! `POST /completions` (<https://platform.openai.com/docs/api-reference/completions>).

use serde_json::{Value, json};

use super::{check, parameters};
use crate::call::{Call, now};
use crate::content::{Answer, Finish, Prompt};
use crate::error::{Checked, Refusal};
use crate::reply::Reply;
use crate::{sse, words};

/// Tokens of an answer when `max_tokens` is absent.
const DEFAULT_LIMIT: u64 = 16;

/// Answers every prompt of a completion, whole or as a stream.
pub(crate) fn answer(call: &Call<'_>) -> Checked<Reply> {
    let body = call.object()?;
    let model = check::model(call, body)?;
    let mut foreign = parameters::FOREIGN.to_vec();
    foreign.extend(["messages", "tools", "response_format"]);
    check::members(call, body, KNOWN, &foreign)?;
    check::number(body, "temperature", 0.0, 2.0)?;
    check::number(body, "top_p", 0.0, 1.0)?;
    let choices = check::integer(body, "n", 1, 128)?.unwrap_or(1);
    let limit = check::integer(body, "max_tokens", 0, u64::MAX)?.unwrap_or(DEFAULT_LIMIT);
    let stop = check::stop(body)?;
    let prompts = prompts(check::required(body, "prompt", "prompt")?)?;
    let mut answers = Vec::new();
    for text in &prompts {
        let sized = call.fault.size.is_some();
        let prompt = Prompt {
            text: text.clone(),
            sized,
            ..Prompt::default()
        };
        for _ in 0..choices {
            answers.push(prompt.answer(Some(limit), &stop));
        }
    }
    let prompt_tokens: u64 = prompts.iter().map(|prompt| words::count(prompt)).sum();
    let completion_tokens: u64 = answers.iter().map(|answer| words::count(&answer.text)).sum();
    let frame = json!({"id": call.id("cmpl-"), "object": "text_completion", "created": now() as u64, "model": model,
        "choices": [], "system_fingerprint": "fp_mock"});
    let usage = (!call.fault.no_usage).then(|| {
        json!({"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens})
    });
    if check::boolean(body, "stream")? {
        let usage = usage.filter(|_| body["stream_options"]["include_usage"] == true);
        return Ok(events(&frame, &answers, usage));
    }
    let mut object = frame;
    object["choices"] = answers
        .iter()
        .enumerate()
        .map(|(at, answer)| choice(at, &answer.text, Some(answer)))
        .collect();
    if let Some(usage) = usage {
        object["usage"] = usage;
    }
    Ok(Reply::json(&object))
}

const KNOWN: &[&str] = &[
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];

fn prompts(prompt: &Value) -> Checked<Vec<String>> {
    let bad = || {
        let message = "Invalid type for 'prompt': expected a string, array of strings, array of tokens, or array of token arrays.";
        Refusal::bad(message).param("prompt").code("invalid_type")
    };
    match prompt {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(list) if list.iter().all(Value::is_u64) && !list.is_empty() => {
            Ok(vec![format!("{} tokens", list.len())])
        }
        Value::Array(list) if !list.is_empty() => list
            .iter()
            .map(|one| match one {
                Value::String(text) => Ok(text.clone()),
                Value::Array(tokens) => Ok(format!("{} tokens", tokens.len())),
                _ => Err(bad()),
            })
            .collect(),
        _ => Err(bad()),
    }
}

fn choice(index: usize, text: &str, end: Option<&Answer>) -> Value {
    let finish = end.map(|answer| {
        if answer.finish == Finish::Length {
            "length"
        } else {
            "stop"
        }
    });
    json!({"index": index, "text": text, "logprobs": null, "finish_reason": finish})
}

fn events(frame: &Value, answers: &[Answer], usage: Option<Value>) -> Reply {
    let mut list = Vec::new();
    let mut repeat = None;
    let chunk = |choices: Value| {
        let mut chunk = frame.clone();
        chunk["choices"] = choices;
        chunk
    };
    for (at, answer) in answers.iter().enumerate() {
        for piece in words::pieces(&answer.text) {
            repeat = Some(list.len());
            list.push(sse::data(&chunk(json!([choice(at, piece, None)]))));
        }
        list.push(sse::data(&chunk(json!([choice(at, "", Some(answer))]))));
    }
    if let Some(usage) = usage {
        let mut last = chunk(json!([]));
        last["usage"] = usage;
        list.push(sse::data(&last));
    }
    list.push(sse::DONE);
    Reply::events(list, repeat)
}
