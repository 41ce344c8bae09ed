//! Writes a stream of chunks; what does not change from chunk to chunk is prepared once.
//!
//! <https://platform.openai.com/docs/api-reference/chat/streaming>. Reasoning is `delta.reasoning_content`; a block with a proof ends
//! with `delta.thinking_blocks`, the block whole, so that a client that collects those lists can return them as they are.

use serde_json::Value;

use super::citation::annotation;
use super::encode_content::thinking;
use super::error::encode_stream_error;
use super::response::made_id;
use super::schema::{ID, finish_word, service_tier};
use super::usage;
use super::write::{Object, number, value};
use crate::dialect::{ReplyContext, StreamEncoder};
use crate::ir::{
    Block, BlockKind, Delta, DialectId, Event, Extra, Finish, Losses, Opaque, Part, Place, ReasoningBlock,
    Signature, Usage,
};

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    context: ReplyContext,
    /// From `data: {` to `"choices":[`.
    prefix: Vec<u8>,
    /// What follows the list of choices.
    suffix: &'static [u8],
    choices: Vec<Choice>,
    usage: Usage,
}

/// What is to be remembered of a choice.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    /// Tool calls begun.
    calls: u32,
    kind: Kind,
    /// The open reasoning block.
    reasoning: String,
    signature: Option<Signature>,
    /// Characters of content written, and at the start of the open block.
    characters: usize,
    start: usize,
}

#[derive(Debug, Default, PartialEq)]
enum Kind {
    #[default]
    Text,
    Reasoning,
    Refusal,
    Call {
        custom: bool,
        arguments: bool,
    },
    Other,
}

impl Encoder {
    /// An encoder for the client of `context`.
    pub(super) fn new(context: &ReplyContext) -> Self {
        Self {
            context: context.clone(),
            prefix: Vec::new(),
            suffix: match context.stream_usage {
                true => b"],\"usage\":null}\n\n",
                false => b"]}\n\n",
            },
            choices: Vec::new(),
            usage: Usage::default(),
        }
    }

    fn start(&mut self, id: Option<&str>, model: Option<&str>, created: Option<u64>, extra: &Extra) {
        let out = &mut self.prefix;
        out.clear();
        out.extend_from_slice(b"data: ");
        let mut object = Object::open(out);
        match id {
            Some(id) => object.member("id", id),
            None => object.member("id", &made_id(&self.context)),
        }
        object.member("object", "chat.completion.chunk");
        object.member("created", &created.unwrap_or(self.context.created));
        object.member("model", model.unwrap_or(&self.context.model));
        for (name, content) in extra.of(ID).into_iter().flatten() {
            match content.as_str() {
                Some(tier) if name == "service_tier" => object.member(name, service_tier(tier)),
                _ => object.member(name, content),
            }
        }
        object.key("choices").push(b'[');
    }

    /// Position of a choice; its first chunk says the role.
    fn choice(&mut self, index: u32, out: &mut Vec<u8>) -> usize {
        if let Some(position) = self.choices.iter().position(|choice| choice.index == index) {
            return position;
        }
        if self.prefix.is_empty() {
            self.start(None, None, None, &Extra::none());
        }
        self.choices.push(Choice {
            index,
            ..Choice::default()
        });
        self.delta(index, out, |out| {
            out.extend_from_slice(br#""role":"assistant","content":"""#);
        });
        self.choices.len() - 1
    }

    /// A chunk whose choice grows by the members that `write` appends.
    fn delta(&self, index: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.chunk(index, out, write, |out| {
            out.extend_from_slice(b"\"finish_reason\":null")
        });
    }

    fn chunk(
        &self,
        index: u32,
        out: &mut Vec<u8>,
        delta: impl FnOnce(&mut Vec<u8>),
        rest: impl FnOnce(&mut Vec<u8>),
    ) {
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b"{\"index\":");
        number(out, u64::from(index));
        out.extend_from_slice(b",\"delta\":{");
        delta(out);
        out.extend_from_slice(b"},");
        rest(out);
        out.push(b'}');
        out.extend_from_slice(self.suffix);
    }

    fn begin(&mut self, candidate: u32, kind: &BlockKind, extra: &Extra, out: &mut Vec<u8>) -> bool {
        let position = self.choice(candidate, out);
        let Some(choice) = self.choices.get_mut(position) else {
            return false;
        };
        let mut written = true;
        choice.start = choice.characters;
        choice.kind = match kind {
            BlockKind::Text => Kind::Text,
            BlockKind::Refusal => Kind::Refusal,
            BlockKind::Reasoning => {
                choice.reasoning.clear();
                choice.signature = None;
                Kind::Reasoning
            }
            BlockKind::Redacted(data) => {
                let block = ReasoningBlock {
                    redacted: Some(data.clone()),
                    ..ReasoningBlock::default()
                };
                self.thinking_block(candidate, block, out);
                return true;
            }
            BlockKind::ToolCall {
                id,
                name,
                custom,
                signature,
            } => {
                let call = choice.calls;
                choice.calls += 1;
                choice.kind = Kind::Call {
                    custom: *custom,
                    arguments: false,
                };
                self.call(
                    candidate,
                    call,
                    (id, name, *custom),
                    signature.as_ref(),
                    extra,
                    out,
                );
                return true;
            }
            BlockKind::Media(_) | BlockKind::Opaque(_) => {
                written = false;
                Kind::Other
            }
        };
        written
    }

    fn call(
        &self,
        candidate: u32,
        call: u32,
        (id, name, custom): (&str, &str, bool),
        signature: Option<&Signature>,
        extra: &Extra,
        out: &mut Vec<u8>,
    ) {
        let (kind, text) = if custom {
            ("custom", "input")
        } else {
            ("function", "arguments")
        };
        self.delta(candidate, out, |out| {
            out.extend_from_slice(b"\"tool_calls\":[");
            let mut object = Object::open(out);
            object.member("index", &call);
            object.member("id", id);
            object.member("type", kind);
            object.object(kind, |object| {
                object.member("name", name);
                object.member(text, "");
            });
            let proof = signature.filter(|signature| signature.dialect == DialectId::Gemini);
            if let Some(proof) = proof {
                object.object("extra_content", |object| {
                    object.object("google", |object| {
                        object.member("thought_signature", &proof.value)
                    });
                });
            }
            object.extra(extra, &[if proof.is_some() { "extra_content" } else { "" }]);
            object.close();
            out.push(b']');
        });
    }

    fn arguments(&self, candidate: u32, call: u32, custom: bool, text: &str, out: &mut Vec<u8>) {
        self.delta(candidate, out, |out| {
            out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
            number(out, u64::from(call));
            out.extend_from_slice(match custom {
                true => b",\"custom\":{\"input\":".as_slice(),
                false => b",\"function\":{\"arguments\":".as_slice(),
            });
            value(out, text);
            out.extend_from_slice(b"}}]");
        });
    }

    fn text(&self, candidate: u32, name: &'static [u8], text: &str, out: &mut Vec<u8>) {
        self.delta(candidate, out, |out| {
            out.extend_from_slice(name);
            value(out, text);
        });
    }

    /// Writes a delta; false when it cannot be said.
    fn grow(&mut self, candidate: u32, delta: &Delta, out: &mut Vec<u8>) -> bool {
        let position = self.choice(candidate, out);
        let Some(choice) = self.choices.get_mut(position) else {
            return false;
        };
        match delta {
            Delta::Text(text) => match choice.kind {
                Kind::Reasoning => {
                    choice.reasoning.push_str(text);
                    self.text(candidate, b"\"reasoning_content\":", text, out);
                }
                Kind::Refusal => self.text(candidate, b"\"refusal\":", text, out),
                Kind::Text => {
                    choice.characters += text.chars().count();
                    self.text(candidate, b"\"content\":", text, out);
                }
                Kind::Call { .. } | Kind::Other => return false,
            },
            Delta::Arguments(text) => {
                let Kind::Call { custom, arguments } = &mut choice.kind else {
                    return false;
                };
                *arguments |= !text.is_empty();
                let (custom, call) = (*custom, choice.calls.saturating_sub(1));
                self.arguments(candidate, call, custom, text, out);
            }
            Delta::Signature(signature) => choice.signature = Some(signature.clone()),
            Delta::Citation(citation) => {
                let Some(annotation) = annotation(citation, choice.start, choice.characters) else {
                    return false;
                };
                self.delta(candidate, out, |out| {
                    out.extend_from_slice(b"\"annotations\":[");
                    value(out, &annotation);
                    out.push(b']');
                });
            }
            Delta::Logprobs(logprobs) if logprobs.dialect == ID => self.chunk(
                candidate,
                out,
                |_| {},
                |out| {
                    out.extend_from_slice(b"\"logprobs\":");
                    value(out, &logprobs.value);
                    out.extend_from_slice(b",\"finish_reason\":null");
                },
            ),
            Delta::Logprobs(_) | Delta::Opaque(_) => return false,
        }
        true
    }

    fn stop(&mut self, candidate: u32, out: &mut Vec<u8>) {
        let position = self.choice(candidate, out);
        let Some(choice) = self.choices.get_mut(position) else {
            return;
        };
        match std::mem::replace(&mut choice.kind, Kind::Other) {
            // Clients parse the arguments, and nothing is not JSON.
            Kind::Call {
                custom: false,
                arguments: false,
            } => {
                let call = choice.calls.saturating_sub(1);
                self.arguments(candidate, call, false, "{}", out);
            }
            Kind::Reasoning if choice.signature.is_some() => {
                let block = ReasoningBlock {
                    text: Some(std::mem::take(&mut choice.reasoning)),
                    signature: choice.signature.take(),
                    redacted: None,
                };
                self.thinking_block(candidate, block, out);
            }
            _ => {}
        }
    }

    fn thinking_block(&self, candidate: u32, reasoning: ReasoningBlock, out: &mut Vec<u8>) {
        let block = thinking(
            &reasoning,
            &Block::new(Part::Reasoning(ReasoningBlock::default())),
        );
        self.delta(candidate, out, |out| {
            out.extend_from_slice(b"\"thinking_blocks\":[");
            out.extend_from_slice(&block);
            out.push(b']');
        });
    }

    fn finish(&mut self, candidate: u32, finish: &Finish, out: &mut Vec<u8>) {
        self.choice(candidate, out);
        self.chunk(
            candidate,
            out,
            |_| {},
            |out| {
                out.extend_from_slice(b"\"finish_reason\":");
                value(out, finish_word(finish));
            },
        );
    }

    /// A chunk of this dialect that the representation has no word for.
    fn opaque(&mut self, opaque: &Opaque, out: &mut Vec<u8>) {
        let Some(members) = opaque.value.as_object() else {
            return;
        };
        if self.prefix.is_empty() {
            self.start(None, None, None, &Extra::none());
        }
        out.extend_from_slice(&self.prefix);
        let choices = members.get("choices").and_then(Value::as_array);
        for (index, choice) in choices.into_iter().flatten().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            value(out, choice);
        }
        out.push(b']');
        for (name, content) in members.iter().filter(|(name, _)| *name != "choices") {
            out.push(b',');
            value(out, name);
            out.push(b':');
            value(out, content);
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.context.stream_usage && !self.usage.is_empty() {
            if self.prefix.is_empty() {
                self.start(None, None, None, &Extra::none());
            }
            out.extend_from_slice(&self.prefix);
            out.extend_from_slice(b"],\"usage\":");
            usage::write(out, &self.usage, None);
            out.extend_from_slice(b"}\n\n");
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
                self.start(id.as_deref(), model.as_deref(), *created, extra);
                losses.report_extra(Place::ROOT, extra, ID);
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
                    let member = if matches!(delta, Delta::Citation(_)) {
                        "citations"
                    } else {
                        ""
                    };
                    losses.report(place(*block), member);
                }
            }
            Event::BlockStop { candidate, .. } => self.stop(*candidate, out),
            Event::Finish { candidate, finish } => {
                if finish.stop_sequence.is_some() {
                    losses.report(Place::ROOT, "stop_sequence");
                }
                self.finish(*candidate, finish, out);
            }
            Event::Usage(usage) => self.usage.merge(usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Error(error) => encode_stream_error(error, out),
            Event::Opaque(opaque) if opaque.dialect == ID => self.opaque(opaque, out),
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
