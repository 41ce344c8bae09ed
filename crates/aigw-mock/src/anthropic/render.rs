//! A message as one JSON object (<https://docs.anthropic.com/en/api/messages>).

use serde_json::{Value, json};

use super::cache::Input;
use super::input::Source;
use crate::content::{Answer, Finish};
use crate::words;

/// One message.
pub(crate) struct Message<'a> {
    pub id: String,
    pub model: &'a str,
    pub answer: Answer,
    /// The thinking block, if the model thinks.
    pub thinking: Option<Value>,
    pub thinking_tokens: u64,
    pub sources: Vec<Source>,
    pub input: Input,
    pub usage: bool,
}

/// The finished message.
pub(crate) fn whole(message: &Message<'_>) -> Value {
    let mut object = message.frame();
    object["content"] = message.blocks().into();
    object["stop_reason"] = message.stop_reason().into();
    object["stop_sequence"] = message.stop_sequence();
    if message.usage {
        object["usage"] = message.usage(message.output_tokens());
    }
    object
}

impl Message<'_> {
    /// The message before anything of it was said.
    pub(crate) fn frame(&self) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
        })
    }

    /// The finished blocks: thinking, text, tool uses.
    pub(crate) fn blocks(&self) -> Vec<Value> {
        let mut blocks: Vec<_> = self.thinking.iter().cloned().collect();
        if !self.answer.text.is_empty() {
            let mut text = json!({"type": "text", "text": self.answer.text});
            let citations = self.citations();
            if !citations.is_empty() {
                text["citations"] = citations.into();
            }
            blocks.push(text);
        }
        blocks.extend(self.answer.calls.iter().enumerate().map(|(at, call)| {
            let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
            let id = format!("toolu_{}_{at}", self.id.trim_start_matches("msg_"));
            json!({"type": "tool_use", "id": id, "name": call.name, "input": input})
        }));
        blocks
    }

    fn citations(&self) -> Vec<Value> {
        let cite = |(at, source): (usize, &Source)| match &source.text {
            Some(text) => {
                let end = text.chars().count().min(20);
                let cited: String = text.chars().take(end).collect();
                json!({"type": "char_location", "cited_text": cited, "document_index": at,
                    "document_title": source.title, "start_char_index": 0, "end_char_index": end})
            }
            None => json!({"type": "page_location", "cited_text": "page", "document_index": at,
                "document_title": source.title, "start_page_number": 1, "end_page_number": 2}),
        };
        self.sources.iter().enumerate().map(cite).collect()
    }

    pub(crate) fn stop_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Stop => "end_turn",
            Finish::StopSequence(_) => "stop_sequence",
            Finish::Length => "max_tokens",
            Finish::Calls => "tool_use",
            Finish::Refusal => "refusal",
        }
    }

    pub(crate) fn stop_sequence(&self) -> Value {
        match &self.answer.finish {
            Finish::StopSequence(stop) => stop.clone().into(),
            _ => Value::Null,
        }
    }

    /// Tokens of thinking, text and tool uses.
    pub(crate) fn output_tokens(&self) -> u64 {
        let calls = self
            .answer
            .calls
            .iter()
            .map(|call| 1 + words::count(&call.arguments));
        (words::count(&self.answer.text) + calls.sum::<u64>()).max(1) + self.thinking_tokens
    }

    /// The usage once so many tokens were said.
    pub(crate) fn usage(&self, output_tokens: u64) -> Value {
        let input = self.input;
        let mut usage = json!({
            "input_tokens": input.plain,
            "cache_creation_input_tokens": input.written_5m + input.written_1h,
            "cache_read_input_tokens": input.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": input.written_5m,
                "ephemeral_1h_input_tokens": input.written_1h,
            },
            "output_tokens": output_tokens,
            "service_tier": "standard",
        });
        if self.thinking_tokens > 0 && output_tokens >= self.thinking_tokens {
            usage["output_tokens_details"] = json!({"thinking_tokens": self.thinking_tokens});
        }
        usage
    }
}
