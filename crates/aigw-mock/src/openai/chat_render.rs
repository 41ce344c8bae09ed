//! Chat completions and their chunks (<https://platform.openai.com/docs/api-reference/chat/object>,
//! <https://platform.openai.com/docs/api-reference/chat-streaming>).

use bytes::Bytes;
use serde_json::{Value, json};

use crate::content::{Answer, Finish};
use crate::reply::Reply;
use crate::{sse, words};

const FINGERPRINT: &str = "fp_mock";
/// Prompts of at least so many tokens count as cached, in steps of [`CACHE_STEP`]
/// (<https://platform.openai.com/docs/guides/prompt-caching>).
const CACHE_FROM: u64 = 1024;
const CACHE_STEP: u64 = 128;

/// One chat completion.
pub(crate) struct Completion<'a> {
    pub id: String,
    pub created: u64,
    pub model: &'a str,
    pub choices: u64,
    pub answer: Answer,
    pub reasoning: Option<String>,
    pub reasoning_tokens: u64,
    pub answer_tokens: u64,
    pub prompt_tokens: u64,
    pub logprobs: bool,
    pub service_tier: Option<&'a str>,
    pub with_usage: bool,
}

/// Cached tokens of a prompt.
pub(crate) fn cached(prompt_tokens: u64) -> u64 {
    if prompt_tokens < CACHE_FROM {
        0
    } else {
        prompt_tokens / CACHE_STEP * CACHE_STEP
    }
}

/// Tokens of a cacheable prompt that were not in the cache yet.
pub(crate) fn cache_written(prompt_tokens: u64) -> u64 {
    if cached(prompt_tokens) == 0 {
        0
    } else {
        prompt_tokens - cached(prompt_tokens)
    }
}

/// The completion as one JSON object.
pub(crate) fn whole(completion: &Completion<'_>) -> Reply {
    let mut object = completion.frame("chat.completion");
    object["choices"] = (0..completion.choices)
        .map(|index| completion.choice(index))
        .collect();
    if completion.with_usage {
        object["usage"] = completion.usage();
    }
    Reply::json(&object)
}

/// The completion as chunks, ended by `[DONE]`.
pub(crate) fn events(completion: &Completion<'_>, include_usage: bool) -> Reply {
    let mut stream = Stream {
        completion,
        include_usage,
        list: Vec::new(),
        repeat: None,
    };
    for index in 0..completion.choices {
        stream.choice(index);
    }
    if include_usage && completion.with_usage {
        let mut chunk = completion.frame("chat.completion.chunk");
        chunk["choices"] = json!([]);
        chunk["usage"] = completion.usage();
        stream.list.push(sse::data(&chunk));
    }
    stream.list.push(sse::DONE);
    Reply::events(stream.list, stream.repeat)
}

impl Completion<'_> {
    fn frame(&self, object: &str) -> Value {
        let mut frame = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": [],
            "system_fingerprint": FINGERPRINT,
        });
        if let Some(tier) = self.service_tier {
            frame["service_tier"] = if tier == "auto" {
                "default".into()
            } else {
                tier.into()
            };
        }
        frame
    }

    fn choice(&self, index: u64) -> Value {
        let Answer { text, calls, finish } = &self.answer;
        let refused = *finish == Finish::Refusal;
        let content = if refused || (text.is_empty() && !calls.is_empty()) {
            Value::Null
        } else {
            text.clone().into()
        };
        let mut message = json!({
            "role": "assistant",
            "content": content,
            "refusal": refused.then_some(text),
            "annotations": [],
        });
        if let Some(reasoning) = &self.reasoning {
            message["reasoning_content"] = reasoning.clone().into();
        }
        if !calls.is_empty() {
            message["tool_calls"] = calls
                .iter()
                .enumerate()
                .map(|(at, call)| {
                    json!({"id": self.call_id(index, at), "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments}})
                })
                .collect();
        }
        json!({
            "index": index,
            "message": message,
            "logprobs": self.logprobs.then(|| logprobs(&words::pieces(text))),
            "finish_reason": self.finish_reason(),
        })
    }

    fn call_id(&self, choice: u64, at: usize) -> String {
        format!("call_{}_{choice}_{at}", self.id.trim_start_matches("chatcmpl-"))
    }

    fn finish_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Stop | Finish::StopSequence(_) | Finish::Refusal => "stop",
            Finish::Length => "length",
            Finish::Calls => "tool_calls",
        }
    }

    fn usage(&self) -> Value {
        let completion_tokens = self.answer_tokens.max(1) * self.choices + self.reasoning_tokens;
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
            "prompt_tokens_details": {
                "cached_tokens": cached(self.prompt_tokens),
                "cache_write_tokens": cache_written(self.prompt_tokens),
                "audio_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        })
    }
}

struct Stream<'a> {
    completion: &'a Completion<'a>,
    include_usage: bool,
    list: Vec<Bytes>,
    repeat: Option<usize>,
}

impl Stream<'_> {
    fn choice(&mut self, index: u64) {
        let completion = self.completion;
        let refused = completion.answer.finish == Finish::Refusal;
        let content = if completion.answer.calls.is_empty() && !refused {
            json!("")
        } else {
            Value::Null
        };
        self.delta(
            index,
            &json!({"role": "assistant", "content": content, "refusal": null}),
            Value::Null,
        );
        for piece in completion
            .reasoning
            .as_deref()
            .map(words::pieces)
            .unwrap_or_default()
        {
            self.delta(index, &json!({"reasoning_content": piece}), Value::Null);
        }
        let member = if refused { "refusal" } else { "content" };
        for piece in words::pieces(&completion.answer.text) {
            let logprobs = if completion.logprobs {
                logprobs(&[piece])
            } else {
                Value::Null
            };
            self.repeat = Some(self.list.len());
            self.delta(index, &json!({member: piece}), logprobs);
        }
        for (at, call) in completion.answer.calls.iter().enumerate() {
            let opening = json!({"tool_calls": [{"index": at, "id": completion.call_id(index, at), "type": "function",
                "function": {"name": call.name, "arguments": ""}}]});
            self.delta(index, &opening, Value::Null);
            for shred in words::shreds(&call.arguments) {
                let delta = json!({"tool_calls": [{"index": at, "function": {"arguments": shred}}]});
                self.delta(index, &delta, Value::Null);
            }
        }
        self.chunk(&json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": completion.finish_reason()}));
    }

    fn delta(&mut self, index: u64, delta: &Value, logprobs: Value) {
        self.chunk(&json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null}));
    }

    fn chunk(&mut self, choice: &Value) {
        let mut chunk = self.completion.frame("chat.completion.chunk");
        chunk["choices"] = json!([choice]);
        if self.include_usage && self.completion.with_usage {
            chunk["usage"] = Value::Null;
        }
        self.list.push(sse::data(&chunk));
    }
}

fn logprobs(tokens: &[&str]) -> Value {
    let content: Vec<_> = tokens
        .iter()
        .map(|token| json!({"token": token, "logprob": -0.25, "bytes": token.as_bytes(), "top_logprobs": []}))
        .collect();
    json!({"content": content, "refusal": null})
}
