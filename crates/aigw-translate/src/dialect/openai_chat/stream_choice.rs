//! One choice of a stream being read: which block is open, and which tool calls wait for it to end.
//!
//! Blocks of the representation do not interleave; pieces of parallel tool calls may. A call begins once the one before it has
//! all its arguments (they are complete JSON, or the choice has ended); pieces that come earlier wait.

use serde_json::Value;

use super::chunk::{self, Delta, Scalar};
use super::decode_content::content;
use super::decode_message::thinking_block;
use super::schema::{ID, finish};
use super::stream_calls::{Calls, Stage};
use crate::ir::{self, BlockKind, Event, Extra, Finish, FinishReason, Opaque, Part, Place, ReasoningBlock};

/// State of one choice.
#[derive(Debug)]
pub(super) struct Choice {
    index: u32,
    /// How many blocks have begun.
    blocks: u32,
    open: Option<Open>,
    calls: Calls,
    finished: bool,
}

#[derive(Debug, PartialEq)]
enum Open {
    Text,
    Refusal,
    /// `repeated`: its text came as `reasoning_content`, so that `thinking_blocks` only say it again.
    Reasoning {
        repeated: bool,
    },
    /// A call, by its position.
    Call(usize),
}

impl Choice {
    /// A choice that has said nothing.
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            blocks: 0,
            open: None,
            calls: Calls::default(),
            finished: false,
        }
    }

    /// Its number.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// True when it said why it ended.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Takes what a chunk says of this choice.
    pub(super) fn take(&mut self, choice: chunk::Choice<'_>, out: &mut Vec<Event>) -> Result<(), String> {
        self.delta(choice.delta, out)?;
        if let Some(value) = choice.logprobs {
            let opaque = Opaque {
                dialect: ID,
                value: *value,
            };
            match self.open {
                Some(Open::Text | Open::Refusal) => self.grow(ir::Delta::Logprobs(opaque), out),
                _ => out.push(Event::Opaque(skeleton(self.index, "logprobs", opaque.value))),
            }
        }
        if let Some(word) = choice.finish_reason.text() {
            self.flush(out);
            if !self.finished {
                self.finished = true;
                let finish = finish(word, !self.calls.is_empty(), choice.stop_reason.into_text());
                out.push(Event::Finish {
                    candidate: self.index,
                    finish,
                });
            }
        }
        Ok(())
    }

    /// The stream is complete.
    pub(super) fn end(&mut self, out: &mut Vec<Event>) {
        self.flush(out);
        if !self.finished {
            self.finished = true;
            let reason = match self.calls.is_empty() {
                true => FinishReason::Stop,
                false => FinishReason::ToolCalls,
            };
            out.push(Event::Finish {
                candidate: self.index,
                finish: Finish::new(reason),
            });
        }
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<Event>) -> Result<(), String> {
        let reasoning = delta
            .reasoning_content
            .into_text()
            .or_else(|| delta.reasoning.into_text());
        let repeated = reasoning.is_some();
        if let Some(text) = reasoning {
            self.reason(text, true, out);
        }
        for block in delta.thinking_blocks.into_iter().flatten() {
            self.thinking(block, repeated, out);
        }
        match delta.content {
            Scalar::None => {}
            Scalar::Text(text) if text.is_empty() => {}
            Scalar::Text(text) => self.write(Open::Text, BlockKind::Text, text.into_owned(), out),
            Scalar::Other(value) => self.parts(*value, out)?,
        }
        if let Some(text) = delta.refusal.into_text() {
            self.write(Open::Refusal, BlockKind::Refusal, text, out);
        }
        for value in delta.annotations.into_iter().flatten() {
            if self.open == Some(Open::Text) {
                self.grow(ir::Delta::Citation(Opaque { dialect: ID, value }), out);
            } else {
                let delta = serde_json::json!({ "annotations": [value] });
                out.push(Event::Opaque(skeleton(self.index, "delta", delta)));
            }
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call, out)?;
        }
        if let Some(function) = delta.function_call {
            let call = chunk::Call {
                index: Some(0),
                function: Some(function),
                ..chunk::Call::default()
            };
            self.call(call, out)?;
        }
        Ok(())
    }

    /// Text for a block of this kind, which begins when it is not open.
    fn write(&mut self, open: Open, kind: BlockKind, text: String, out: &mut Vec<Event>) {
        if self.open.as_ref() != Some(&open) {
            self.flush(out);
            self.begin(open, kind, Extra::none(), out);
        }
        self.grow(ir::Delta::Text(text), out);
    }

    fn reason(&mut self, text: String, repeated: bool, out: &mut Vec<Event>) {
        if !matches!(self.open, Some(Open::Reasoning { .. })) {
            self.flush(out);
            self.begin(
                Open::Reasoning { repeated },
                BlockKind::Reasoning,
                Extra::none(),
                out,
            );
        }
        if !text.is_empty() {
            self.grow(ir::Delta::Text(text), out);
        }
    }

    /// An element of `thinking_blocks`: a piece of reasoning, or a whole block that repeats what `reasoning_content` said.
    fn thinking(&mut self, value: Value, repeated: bool, out: &mut Vec<Event>) {
        let Ok(block) = thinking_block(value, Place::ROOT) else {
            return;
        };
        let Part::Reasoning(reasoning) = block.part else {
            return;
        };
        self.reasoning_block(reasoning, repeated, out);
    }

    fn reasoning_block(&mut self, reasoning: ReasoningBlock, repeated: bool, out: &mut Vec<Event>) {
        if let Some(redacted) = reasoning.redacted {
            self.flush(out);
            let kind = BlockKind::Redacted(redacted);
            self.begin(Open::Reasoning { repeated: false }, kind, Extra::none(), out);
            self.close(out);
            return;
        }
        let again = repeated || self.open == Some(Open::Reasoning { repeated: true });
        let text = reasoning.text.filter(|text| !again && !text.is_empty());
        if let Some(text) = text {
            self.reason(text, false, out);
        }
        if let Some(signature) = reasoning.signature {
            self.reason(String::new(), false, out);
            self.grow(ir::Delta::Signature(signature), out);
            self.close(out);
        }
    }

    /// Content in parts, as some models that reason send it.
    fn parts(&mut self, value: Value, out: &mut Vec<Event>) -> Result<(), String> {
        for block in content(Some(value), Place::ROOT).map_err(|error| error.message)? {
            match block.part {
                Part::Text { text, .. } if text.is_empty() => {}
                Part::Text { text, .. } => self.write(Open::Text, BlockKind::Text, text, out),
                Part::Reasoning(reasoning) => self.reasoning_block(reasoning, false, out),
                Part::Refusal(text) => self.write(Open::Refusal, BlockKind::Refusal, text, out),
                Part::Opaque(opaque) => {
                    let delta = serde_json::json!({ "content": [opaque.value] });
                    out.push(Event::Opaque(skeleton(self.index, "delta", delta)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn call(&mut self, piece: chunk::Call<'_>, out: &mut Vec<Event>) -> Result<(), String> {
        let (position, arguments) = self.calls.take(piece, self.index);
        let Some(call) = self.calls.at(position) else {
            return Ok(());
        };
        match call.stage {
            Stage::Open if arguments.is_empty() => {}
            Stage::Open => self.grow(ir::Delta::Arguments(arguments), out),
            Stage::Waiting => call.waiting.push_str(&arguments),
            Stage::Ended if arguments.trim().is_empty() => {}
            Stage::Ended => return Err("a tool call goes on after it had ended".to_owned()),
        }
        self.drain(false, out);
        Ok(())
    }

    /// Begins the calls that wait, while the one before them is complete; `force`: all of them.
    fn drain(&mut self, force: bool, out: &mut Vec<Event>) {
        while let Some(position) = self.calls.first_waiting() {
            let open = match self.open {
                Some(Open::Call(open)) => self.calls.at(open),
                _ => None,
            };
            let busy = open.is_some_and(|call| !call.arguments.complete);
            let named = self.calls.at(position).is_some_and(|call| call.is_named());
            if !force && (busy || !named) {
                return;
            }
            self.close(out);
            let Some(call) = self.calls.at(position) else {
                return;
            };
            call.stage = Stage::Open;
            let waiting = std::mem::take(&mut call.waiting);
            let (kind, extra) = call.kind();
            self.begin(Open::Call(position), kind, extra, out);
            if !waiting.is_empty() {
                self.grow(ir::Delta::Arguments(waiting), out);
            }
        }
    }

    fn flush(&mut self, out: &mut Vec<Event>) {
        self.drain(true, out);
        self.close(out);
    }

    fn begin(&mut self, open: Open, kind: BlockKind, extra: Extra, out: &mut Vec<Event>) {
        self.open = Some(open);
        self.blocks += 1;
        out.push(Event::BlockStart {
            candidate: self.index,
            block: self.block(),
            kind,
            extra,
        });
    }

    fn grow(&self, delta: ir::Delta, out: &mut Vec<Event>) {
        out.push(Event::Delta {
            candidate: self.index,
            block: self.block(),
            delta,
        });
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        let Some(open) = self.open.take() else {
            return;
        };
        if let Open::Call(position) = open
            && let Some(call) = self.calls.at(position)
        {
            call.stage = Stage::Ended;
        }
        out.push(Event::BlockStop {
            candidate: self.index,
            block: self.block(),
        });
    }

    fn block(&self) -> u32 {
        self.blocks.saturating_sub(1)
    }
}

/// A chunk that says one member of a choice that the representation has no word for.
fn skeleton(index: u32, name: &str, value: Value) -> Opaque {
    let mut choice = serde_json::Map::new();
    choice.insert("index".to_owned(), index.into());
    choice.insert("delta".to_owned(), Value::Object(serde_json::Map::new()));
    choice.insert("finish_reason".to_owned(), Value::Null);
    choice.insert(name.to_owned(), value);
    Opaque {
        dialect: ID,
        value: serde_json::json!({ "choices": [choice] }),
    }
}
