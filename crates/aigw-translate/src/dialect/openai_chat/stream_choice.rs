//! One choice of a stream being read: which block is open, and which tool calls wait for it to end.
//!
//! Blocks of the representation do not interleave; pieces of parallel tool calls may. A call begins once the one before it has
//! all its arguments (they are complete JSON, or the choice has ended); pieces that come earlier wait.

use serde_json::Value;

use super::chunk::{self, Call, Delta, Scalar};
use super::decode_content::content;
use super::decode_message::thinking_block;
use super::schema::{ID, finish};
use crate::ir::{
    self, BlockKind, DialectId, Event, Extra, Finish, FinishReason, Opaque, Part, Place, ReasoningBlock,
    Signature,
};

/// State of one choice.
#[derive(Debug)]
pub(super) struct Choice {
    index: u32,
    /// How many blocks have begun.
    blocks: u32,
    open: Option<Open>,
    waiting: Vec<Waiting>,
    /// Positions of the calls that have ended.
    ended: Vec<u32>,
    called: bool,
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
    Call {
        position: u32,
        id: String,
        arguments: Progress,
    },
}

/// A call that has not begun.
#[derive(Debug, Default)]
struct Waiting {
    position: u32,
    id: String,
    name: String,
    custom: bool,
    signature: Option<Signature>,
    extra: Extra,
    arguments: String,
}

/// How far the JSON object of a call's arguments has come.
#[derive(Debug, Default, PartialEq)]
struct Progress {
    depth: u32,
    in_text: bool,
    escaped: bool,
    complete: bool,
}

impl Progress {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.complete = self.depth == 0;
                }
                _ => {}
            }
        }
    }
}

impl Choice {
    /// A choice that has said nothing.
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            blocks: 0,
            open: None,
            waiting: Vec::new(),
            ended: Vec::new(),
            called: false,
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
            let opaque = Opaque { dialect: ID, value };
            match self.open {
                Some(Open::Text | Open::Refusal) => self.grow(ir::Delta::Logprobs(opaque), out),
                _ => out.push(Event::Opaque(skeleton(self.index, "logprobs", opaque.value))),
            }
        }
        if let Some(word) = choice.finish_reason.text() {
            self.flush(out);
            if !self.finished {
                self.finished = true;
                let finish = finish(word, self.called);
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
            let reason = if self.called {
                FinishReason::ToolCalls
            } else {
                FinishReason::Stop
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
            Scalar::Other(value) => self.parts(value, out)?,
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
            let call = Call {
                index: Some(0),
                function: Some(function),
                ..Call::default()
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

    fn call(&mut self, call: Call<'_>, out: &mut Vec<Event>) -> Result<(), String> {
        let custom = call.custom.is_some() || call.kind.text() == Some("custom");
        let function = call.function.or(call.custom).unwrap_or_default();
        let id = call.id.into_text();
        let name = function.name.into_text().unwrap_or_default();
        let arguments = match function.arguments {
            Scalar::Text(text) => text.into_owned(),
            Scalar::Other(value @ Value::Object(_)) => value.to_string(),
            _ => String::new(),
        };
        self.called = true;
        let position = self.position(call.index, id.as_deref(), &name);
        if matches!(&self.open, Some(Open::Call { position: open, .. }) if *open == position) {
            self.argue(arguments, out);
            self.drain(false, out);
            return Ok(());
        }
        if let Some(waiting) = self
            .waiting
            .iter_mut()
            .find(|waiting| waiting.position == position)
        {
            waiting.arguments.push_str(&arguments);
            if waiting.name.is_empty() {
                waiting.name = name;
            }
            self.drain(false, out);
            return Ok(());
        }
        if self.ended.contains(&position) {
            return match arguments.trim().is_empty() {
                true => Ok(()),
                false => Err("a tool call goes on after it had ended".to_owned()),
            };
        }
        let (signature, extra) = proof(call.extra_content, call.rest);
        self.waiting.push(Waiting {
            position,
            id: id.unwrap_or_else(|| format!("call_{}_{position}", self.index)),
            name,
            custom,
            signature,
            extra,
            arguments,
        });
        self.drain(false, out);
        Ok(())
    }

    /// Which call is meant: by its index; some servers give none, or the same for every call, and then a new id means a new call.
    fn position(&self, index: Option<u32>, id: Option<&str>, name: &str) -> u32 {
        let count = u32::try_from(self.ended.len() + self.waiting.len()).unwrap_or(u32::MAX);
        let (last, known) = match (self.waiting.last(), &self.open) {
            (Some(waiting), _) => (Some(waiting.position), Some(waiting.id.as_str())),
            (None, Some(Open::Call { position, id, .. })) => (Some(*position), Some(id.as_str())),
            _ => (self.ended.last().copied(), None),
        };
        let next = match &self.open {
            Some(Open::Call { .. }) => count.saturating_add(1),
            _ => count,
        };
        match (index, id) {
            (Some(index), Some(id)) if last == Some(index) && !name.is_empty() && known != Some(id) => {
                next.max(index + 1)
            }
            (Some(index), _) => index,
            (None, Some(id)) if known == Some(id) => last.unwrap_or(next),
            (None, Some(_)) => next,
            (None, None) if name.is_empty() => last.unwrap_or(next),
            (None, None) => next,
        }
    }

    fn argue(&mut self, text: String, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if let Some(Open::Call { arguments, .. }) = &mut self.open {
            arguments.read(&text);
        }
        self.grow(ir::Delta::Arguments(text), out);
    }

    /// Begins the calls that wait, while the one before them is complete; `force`: all of them.
    fn drain(&mut self, force: bool, out: &mut Vec<Event>) {
        while let Some(first) = self.waiting.first() {
            let busy = matches!(&self.open, Some(Open::Call { arguments, .. }) if !arguments.complete);
            if !force && (busy || first.name.is_empty()) {
                return;
            }
            let first = self.waiting.remove(0);
            self.close(out);
            let open = Open::Call {
                position: first.position,
                id: first.id.clone(),
                arguments: Progress::default(),
            };
            let kind = BlockKind::ToolCall {
                id: first.id,
                name: first.name,
                custom: first.custom,
                signature: first.signature,
            };
            self.begin(open, kind, first.extra, out);
            self.argue(first.arguments, out);
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
        if let Open::Call { position, .. } = open {
            self.ended.push(position);
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
    choice.insert(name.to_owned(), value);
    Opaque {
        dialect: ID,
        value: serde_json::json!({ "choices": [choice] }),
    }
}

/// Gemini's proof in `extra_content`, and what else stands beside a call.
fn proof(
    extra_content: Option<Value>,
    mut rest: serde_json::Map<String, Value>,
) -> (Option<Signature>, Extra) {
    let Some(mut content) = extra_content else {
        return (None, Extra::new(ID, rest));
    };
    let google = content.get_mut("google").and_then(Value::as_object_mut);
    let signature = google.and_then(|google| google.shift_remove("thought_signature"));
    let empty = |value: &Value| {
        value.as_object().is_some_and(|map| {
            map.values()
                .all(|value| value.as_object().is_some_and(serde_json::Map::is_empty))
        })
    };
    if !empty(&content) {
        rest.insert("extra_content".to_owned(), content);
    }
    let signature = signature.and_then(|value| value.as_str().map(str::to_owned));
    let signature = signature.map(|value| Signature {
        dialect: DialectId::Gemini,
        value,
    });
    (signature, Extra::new(ID, rest))
}
