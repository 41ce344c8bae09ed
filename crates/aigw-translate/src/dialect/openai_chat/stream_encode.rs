//! Writes a stream of chunks.
//!
//! <https://platform.openai.com/docs/api-reference/chat/streaming>. Reasoning is `delta.reasoning_content`; a block with a proof ends
//! with `delta.thinking_blocks`, the block whole, so that a client that collects those lists can return them as they are.

use serde_json::Value;

use super::citation::annotation;
use super::error::encode_stream_error;
use super::schema::{ID, finish_word};
use super::stream_write::{CallHead, Chunks};
use super::write::value;
use crate::dialect::{ReplyContext, StreamEncoder};
use crate::ir::{
    BlockKind, Delta, Event, Extra, Finish, Losses, Opaque, Place, ReasoningBlock, Signature, Usage,
};

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    context: ReplyContext,
    chunks: Chunks,
    choices: Vec<Choice>,
    usage: Usage,
}

/// What is to be remembered of a choice.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    /// Tool calls begun.
    calls: u32,
    open: Open,
    /// Text and proof of the open reasoning block.
    reasoning: String,
    signature: Option<Signature>,
    /// Characters of content written, and at the start of the open block.
    characters: usize,
    start: usize,
    /// Annotations of the open block, whose end is not known yet.
    cited: Vec<Opaque>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Open {
    #[default]
    Nothing,
    Text,
    Reasoning,
    Refusal,
    Call {
        custom: bool,
        /// Arguments were written.
        said: bool,
    },
}

impl Encoder {
    /// An encoder for the client of `context`.
    pub(super) fn new(context: &ReplyContext) -> Self {
        Self {
            chunks: Chunks::new(context, None, None, None, &Extra::none()),
            context: context.clone(),
            choices: Vec::new(),
            usage: Usage::default(),
        }
    }

    /// The chunks and a choice, whose first chunk says the role.
    fn choice(&mut self, index: u32, out: &mut Vec<u8>) -> Option<(&Chunks, &mut Choice)> {
        let known = self.choices.iter().position(|choice| choice.index == index);
        let position = known.unwrap_or_else(|| {
            self.chunks.role(index, out);
            self.choices.push(Choice {
                index,
                ..Choice::default()
            });
            self.choices.len() - 1
        });
        let choice = self.choices.get_mut(position)?;
        Some((&self.chunks, choice))
    }

    /// Begins a block; false when it cannot be said.
    fn begin(&mut self, candidate: u32, kind: &BlockKind, extra: &Extra, out: &mut Vec<u8>) -> bool {
        let Some((chunks, choice)) = self.choice(candidate, out) else {
            return false;
        };
        choice.start = choice.characters;
        choice.open = Open::Nothing;
        match kind {
            BlockKind::Text => choice.open = Open::Text,
            BlockKind::Refusal => choice.open = Open::Refusal,
            BlockKind::Reasoning => {
                choice.reasoning.clear();
                choice.signature = None;
                choice.open = Open::Reasoning;
            }
            BlockKind::Redacted(data) => {
                let block = ReasoningBlock {
                    redacted: Some(data.clone()),
                    ..ReasoningBlock::default()
                };
                chunks.thinking(candidate, &block, out);
            }
            BlockKind::ToolCall {
                id,
                name,
                custom,
                signature,
            } => {
                let (call, custom) = (choice.calls, *custom);
                choice.calls += 1;
                choice.open = Open::Call { custom, said: false };
                let signature = signature.as_ref();
                let head = CallHead {
                    id,
                    name,
                    custom,
                    signature,
                    extra,
                };
                chunks.call(candidate, call, head, out);
            }
            BlockKind::Media(_) | BlockKind::Opaque(_) => return false,
        }
        true
    }

    /// Writes a delta; false when it cannot be said.
    fn grow(&mut self, candidate: u32, delta: &Delta, out: &mut Vec<u8>) -> bool {
        let Some((chunks, choice)) = self.choice(candidate, out) else {
            return false;
        };
        match (delta, &mut choice.open) {
            (Delta::Text(text) | Delta::Arguments(text), _) if text.is_empty() => {}
            (Delta::Text(text), Open::Text) => {
                choice.characters += text.chars().count();
                chunks.text(candidate, b"\"content\":", text, out);
            }
            (Delta::Text(text), Open::Reasoning) => {
                choice.reasoning.push_str(text);
                chunks.text(candidate, b"\"reasoning_content\":", text, out);
            }
            (Delta::Text(text), Open::Refusal) => chunks.text(candidate, b"\"refusal\":", text, out),
            (Delta::Arguments(text), Open::Call { custom, said }) => {
                *said = true;
                let call = choice.calls.saturating_sub(1);
                chunks.arguments(candidate, call, *custom, text, out);
            }
            (Delta::Signature(signature), Open::Reasoning) => choice.signature = Some(signature.clone()),
            (Delta::Citation(citation), _) => {
                // Of the text between the block's start and its end, which some vendors send after the citation.
                if annotation(citation, 0, 0).is_none() {
                    return false;
                }
                choice.cited.push(citation.clone());
            }
            (Delta::Logprobs(logprobs), _) if logprobs.dialect == ID => {
                let rest = |out: &mut Vec<u8>| {
                    out.extend_from_slice(b"\"logprobs\":");
                    value(out, &logprobs.value);
                    out.extend_from_slice(b",\"finish_reason\":null");
                };
                chunks.choice(candidate, out, |_| {}, rest);
            }
            _ => return false,
        }
        true
    }

    fn stop(&mut self, candidate: u32, out: &mut Vec<u8>) {
        let Some((chunks, choice)) = self.choice(candidate, out) else {
            return;
        };
        let (start, end) = (choice.start, choice.characters);
        for citation in choice.cited.drain(..) {
            if let Some(annotation) = annotation(&citation, start, end) {
                chunks.element(candidate, b"\"annotations\":", &annotation, out);
            }
        }
        match std::mem::take(&mut choice.open) {
            // Clients parse the arguments, and nothing is not JSON.
            Open::Call {
                custom: false,
                said: false,
            } => chunks.arguments(candidate, choice.calls.saturating_sub(1), false, "{}", out),
            Open::Reasoning if choice.signature.is_some() => {
                let block = ReasoningBlock {
                    text: Some(std::mem::take(&mut choice.reasoning)),
                    signature: choice.signature.take(),
                    redacted: None,
                };
                chunks.thinking(candidate, &block, out);
            }
            _ => {}
        }
    }

    fn finish(&mut self, candidate: u32, finish: &Finish, out: &mut Vec<u8>) {
        let Some((chunks, _)) = self.choice(candidate, out) else {
            return;
        };
        let rest = |out: &mut Vec<u8>| {
            out.extend_from_slice(b"\"finish_reason\":");
            value(out, finish_word(finish));
            if let Some(stop) = &finish.stop_sequence {
                out.extend_from_slice(b",\"stop_reason\":");
                value(out, stop);
            }
        };
        chunks.choice(candidate, out, |_| {}, rest);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.context.stream_usage && !self.usage.is_empty() {
            self.chunks.usage(&self.usage, out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>, losses: &mut Losses) {
        match event {
            Event::Start {
                id,
                model,
                created,
                extra,
            } => {
                let (id, model) = (id.as_deref(), model.as_deref());
                self.chunks = Chunks::new(&self.context, id, model, *created, extra);
                losses.report_extra(Place::ROOT, extra, ID);
                self.chunks.once(extra, out);
                self.choice(0, out);
            }
            Event::BlockStart {
                candidate,
                block,
                kind,
                extra,
            } => {
                let place = place(*block);
                losses.report_extra(place, extra, ID);
                if !self.begin(*candidate, kind, extra, out) {
                    losses.report(place, "");
                }
            }
            Event::Delta {
                candidate,
                block,
                delta,
            } => {
                if !self.grow(*candidate, delta, out) {
                    let cited = matches!(delta, Delta::Citation(_));
                    losses.report(place(*block), if cited { "citations" } else { "" });
                }
            }
            Event::BlockStop { candidate, .. } => self.stop(*candidate, out),
            Event::Finish { candidate, finish } => {
                self.finish(*candidate, finish, out);
            }
            Event::Usage(usage) => self.usage.merge(usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Error(error) => encode_stream_error(error, out),
            Event::Opaque(opaque) if opaque.dialect == ID => self.chunks.opaque(opaque, out),
            Event::Opaque(opaque) => {
                let kind = opaque.value.get("type").and_then(Value::as_str);
                losses.report(Place::ROOT, kind.unwrap_or_default());
            }
            Event::End => self.end(out),
        }
    }
}

fn place(block: u32) -> Place {
    Place::item("content", usize::try_from(block).unwrap_or(usize::MAX))
}
