//! Response objects and their streams (<https://platform.openai.com/docs/api-reference/responses/object>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>).

use bytes::Bytes;
use serde_json::{Value, json};

use super::chat_render::{cache_written, cached};
use crate::content::{Answer, Finish};
use crate::reply::Reply;
use crate::{sign, sse, words};

/// One response.
pub(crate) struct Rendered<'a> {
    /// What makes ids unique.
    pub suffix: String,
    pub created: u64,
    pub model: &'a str,
    pub body: &'a Value,
    pub answer: Answer,
    pub summary: Option<String>,
    pub encrypted: bool,
    pub input_tokens: u64,
    pub answer_tokens: u64,
    pub reasoning_tokens: u64,
    pub with_usage: bool,
}

/// The finished response.
pub(crate) fn object(rendered: &Rendered<'_>) -> Value {
    let mut object = rendered.frame();
    let cut = rendered.answer.finish == Finish::Length;
    object["status"] = if cut { "incomplete" } else { "completed" }.into();
    if cut {
        object["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    object["output"] = rendered.output().into();
    if rendered.with_usage {
        object["usage"] = rendered.usage();
    }
    object
}

impl Rendered<'_> {
    fn frame(&self) -> Value {
        let body = self.body;
        let or = |name: &str, default: Value| {
            body.get(name)
                .filter(|value| !value.is_null())
                .cloned()
                .unwrap_or(default)
        };
        json!({
            "id": format!("resp_{}", self.suffix),
            "object": "response",
            "created_at": self.created,
            "status": "in_progress",
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": or("instructions", Value::Null),
            "max_output_tokens": or("max_output_tokens", Value::Null),
            "metadata": or("metadata", json!({})),
            "model": self.model,
            "output": [],
            "parallel_tool_calls": or("parallel_tool_calls", true.into()),
            "previous_response_id": or("previous_response_id", Value::Null),
            "reasoning": {"effort": body["reasoning"]["effort"], "summary": body["reasoning"]["summary"]},
            "service_tier": or("service_tier", "default".into()),
            "store": or("store", true.into()),
            "temperature": or("temperature", json!(1.0)),
            "text": or("text", json!({"format": {"type": "text"}})),
            "tool_choice": or("tool_choice", "auto".into()),
            "tools": or("tools", json!([])),
            "top_p": or("top_p", json!(1.0)),
            "truncation": or("truncation", "disabled".into()),
            "usage": null,
            "user": or("user", Value::Null),
        })
    }

    fn usage(&self) -> Value {
        let output = self.answer_tokens.max(1) + self.reasoning_tokens;
        json!({
            "input_tokens": self.input_tokens,
            "input_tokens_details": {
                "cached_tokens": cached(self.input_tokens),
                "cache_write_tokens": cache_written(self.input_tokens),
            },
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.input_tokens + output,
        })
    }

    /// The finished items, in order: reasoning, message, calls.
    fn output(&self) -> Vec<Value> {
        let mut items = Vec::new();
        if self.reasoning_tokens > 0 {
            items.push(self.reasoning());
        }
        if self.answer.calls.is_empty() || !self.answer.text.is_empty() {
            let status = if self.answer.finish == Finish::Length {
                "incomplete"
            } else {
                "completed"
            };
            items.push(
                json!({"id": format!("msg_{}", self.suffix), "type": "message", "status": status,
                "role": "assistant", "content": [self.part(&self.answer.text)]}),
            );
        }
        items.extend(self.answer.calls.iter().enumerate().map(|(at, call)| {
            json!({"id": format!("fc_{}_{at}", self.suffix), "type": "function_call", "status": "completed",
                "call_id": format!("call_{}_{at}", self.suffix), "name": call.name, "arguments": call.arguments})
        }));
        items
    }

    fn reasoning(&self) -> Value {
        let summary: Vec<_> = self
            .summary
            .iter()
            .map(|text| json!({"type": "summary_text", "text": text}))
            .collect();
        let mut item = json!({"id": format!("rs_{}", self.suffix), "type": "reasoning", "summary": summary});
        if self.encrypted {
            item["encrypted_content"] = sign::redacted(self.summary.as_deref().unwrap_or_default()).into();
        }
        item
    }

    fn part(&self, text: &str) -> Value {
        match self.answer.finish {
            Finish::Refusal => json!({"type": "refusal", "refusal": text}),
            _ => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
        }
    }
}

/// The response as typed events.
pub(crate) fn events(rendered: &Rendered<'_>, object: &Value) -> Reply {
    let mut stream = Stream {
        rendered,
        list: Vec::new(),
        repeat: None,
    };
    stream.push("response.created", json!({"response": rendered.frame()}));
    stream.push("response.in_progress", json!({"response": rendered.frame()}));
    for (at, item) in rendered.output().iter().enumerate() {
        stream.item(at, item);
    }
    let end = if object["status"] == "incomplete" {
        "response.incomplete"
    } else {
        "response.completed"
    };
    stream.push(end, json!({"response": object}));
    Reply::events(stream.list, stream.repeat)
}

struct Stream<'a> {
    rendered: &'a Rendered<'a>,
    list: Vec<Bytes>,
    repeat: Option<usize>,
}

impl Stream<'_> {
    fn push(&mut self, kind: &str, members: Value) {
        let mut event = json!({"type": kind, "sequence_number": self.list.len()});
        if let (Some(event), Value::Object(members)) = (event.as_object_mut(), members) {
            event.extend(members);
        }
        self.list.push(sse::named(kind, &event));
    }

    fn item(&mut self, at: usize, item: &Value) {
        let mut opening = item.clone();
        match item["type"].as_str() {
            Some("message") => {
                opening["status"] = "in_progress".into();
                opening["content"] = json!([]);
            }
            Some("function_call") => {
                opening["status"] = "in_progress".into();
                opening["arguments"] = "".into();
            }
            _ => opening["summary"] = json!([]),
        }
        self.push(
            "response.output_item.added",
            json!({"output_index": at, "item": opening}),
        );
        let id = &item["id"];
        match item["type"].as_str() {
            Some("message") => self.text(at, id),
            Some("function_call") => self.arguments(at, id, item["arguments"].as_str().unwrap_or_default()),
            _ => self.summary(at, id),
        }
        self.push(
            "response.output_item.done",
            json!({"output_index": at, "item": item}),
        );
    }

    fn text(&mut self, at: usize, id: &Value) {
        let rendered = self.rendered;
        let text = &rendered.answer.text;
        let refused = rendered.answer.finish == Finish::Refusal;
        let place = || json!({"item_id": id, "output_index": at, "content_index": 0});
        self.push(
            "response.content_part.added",
            with(place(), [("part", rendered.part(""))]),
        );
        let kind = if refused {
            "response.refusal"
        } else {
            "response.output_text"
        };
        for piece in words::pieces(text) {
            self.repeat = Some(self.list.len());
            let delta = with(place(), [("delta", piece.into())]);
            let delta = if refused {
                delta
            } else {
                with(delta, [("logprobs", json!([]))])
            };
            self.push(&format!("{kind}.delta"), delta);
        }
        let done = match refused {
            true => with(place(), [("refusal", text.clone().into())]),
            false => with(place(), [("text", text.clone().into()), ("logprobs", json!([]))]),
        };
        self.push(&format!("{kind}.done"), done);
        self.push(
            "response.content_part.done",
            with(place(), [("part", rendered.part(text))]),
        );
    }

    fn arguments(&mut self, at: usize, id: &Value, arguments: &str) {
        let place = || json!({"item_id": id, "output_index": at});
        for shred in words::shreds(arguments) {
            self.push(
                "response.function_call_arguments.delta",
                with(place(), [("delta", shred.into())]),
            );
        }
        self.push(
            "response.function_call_arguments.done",
            with(place(), [("arguments", arguments.into())]),
        );
    }

    fn summary(&mut self, at: usize, id: &Value) {
        let Some(summary) = &self.rendered.summary else {
            return;
        };
        let place = || json!({"item_id": id, "output_index": at, "summary_index": 0});
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        self.push(
            "response.reasoning_summary_part.added",
            with(place(), [("part", part(""))]),
        );
        for piece in words::pieces(summary) {
            self.push(
                "response.reasoning_summary_text.delta",
                with(place(), [("delta", piece.into())]),
            );
        }
        self.push(
            "response.reasoning_summary_text.done",
            with(place(), [("text", summary.clone().into())]),
        );
        self.push(
            "response.reasoning_summary_part.done",
            with(place(), [("part", part(summary))]),
        );
    }
}

fn with<const N: usize>(mut object: Value, members: [(&str, Value); N]) -> Value {
    for (name, value) in members {
        object[name] = value;
    }
    object
}
