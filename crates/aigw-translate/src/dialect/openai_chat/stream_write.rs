//! Writes chunks; what does not change from chunk to chunk is prepared once.

use serde_json::Value;

use super::encode_content::thinking;
use super::response::made_id;
use super::schema::{ID, service_tier};
use super::usage;
use super::write::{Object, WriteExtra, number, value};
use crate::dialect::ReplyContext;
use crate::ir::{Block, DialectId, Extra, Opaque, Part, ReasoningBlock, Signature, Usage};

/// The frame around what changes.
#[derive(Debug)]
pub(super) struct Chunks {
    /// From `data: {` to `"choices":[`.
    prefix: Vec<u8>,
    /// What follows the list of choices.
    suffix: &'static [u8],
}

/// A call as its first chunk names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallHead<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub custom: bool,
    pub signature: Option<&'a Signature>,
    pub extra: &'a Extra,
}

impl Chunks {
    /// The chunks of an answer that names itself, or leaves it to `context`.
    pub(super) fn new(
        context: &ReplyContext,
        id: Option<&str>,
        model: Option<&str>,
        created: Option<u64>,
        extra: &Extra,
    ) -> Self {
        let mut prefix = b"data: ".to_vec();
        let mut object = Object::open(&mut prefix);
        match id {
            Some(id) => object.member("id", id),
            None => object.member("id", &made_id(context)),
        }
        object.member("object", "chat.completion.chunk");
        object.member("created", &created.unwrap_or(context.created));
        object.member("model", model.unwrap_or(&context.model));
        for (name, content) in extra.of(ID).into_iter().flatten() {
            match content {
                Value::String(tier) if name == "service_tier" => object.member(name, service_tier(tier)),
                // Said once, in a chunk of their own.
                Value::Array(_) | Value::Object(_) => {}
                content => object.member(name, content),
            }
        }
        object.key("choices").push(b'[');
        Self {
            prefix,
            // Where usage was asked for, every other chunk says that it has none.
            suffix: match context.stream_usage {
                true => b"],\"usage\":null}\n\n",
                false => b"]}\n\n",
            },
        }
    }

    /// A chunk with one choice: the members of its delta, and those beside the delta.
    pub(super) fn choice(
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

    /// A chunk whose choice goes on.
    pub(super) fn delta(&self, index: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.choice(index, out, write, |out| {
            out.extend_from_slice(b"\"finish_reason\":null");
        });
    }

    /// The first chunk of a choice.
    pub(super) fn role(&self, index: u32, out: &mut Vec<u8>) {
        self.delta(index, out, |out| {
            out.extend_from_slice(br#""role":"assistant","content":"""#);
        });
    }

    /// A text; `name` is the member with its colon.
    pub(super) fn text(&self, index: u32, name: &'static [u8], text: &str, out: &mut Vec<u8>) {
        self.delta(index, out, |out| {
            out.extend_from_slice(name);
            value(out, text);
        });
    }

    /// A list with one element; `name` is the member with its colon.
    pub(super) fn element(&self, index: u32, name: &'static [u8], element: &Value, out: &mut Vec<u8>) {
        self.delta(index, out, |out| {
            out.extend_from_slice(name);
            out.push(b'[');
            value(out, element);
            out.push(b']');
        });
    }

    /// The beginning of a tool call, the `call`th of its choice.
    pub(super) fn call(&self, index: u32, call: u32, head: CallHead<'_>, out: &mut Vec<u8>) {
        let (kind, text) = match head.custom {
            true => ("custom", "input"),
            false => ("function", "arguments"),
        };
        self.delta(index, out, |out| {
            out.extend_from_slice(b"\"tool_calls\":[");
            let mut object = Object::open(out);
            object.member("index", &call);
            object.member("id", head.id);
            object.member("type", kind);
            object.object(kind, |object| {
                object.member("name", head.name);
                object.member(text, "");
            });
            let gemini = |signature: &&Signature| signature.dialect == DialectId::Gemini;
            let proof = head.signature.filter(gemini);
            if let Some(proof) = proof {
                object.object("extra_content", |object| {
                    object.object("google", |object| {
                        object.member("thought_signature", &proof.value);
                    });
                });
            }
            let written: &[&str] = if proof.is_some() { &["extra_content"] } else { &[] };
            object.extra(head.extra, written);
            object.close();
            out.push(b']');
        });
    }

    /// A piece of a call's arguments.
    pub(super) fn arguments(&self, index: u32, call: u32, custom: bool, text: &str, out: &mut Vec<u8>) {
        self.delta(index, out, |out| {
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

    /// A whole block of reasoning, with its proof.
    pub(super) fn thinking(&self, index: u32, reasoning: &ReasoningBlock, out: &mut Vec<u8>) {
        let block = thinking(reasoning, &Block::new(Part::Reasoning(ReasoningBlock::default())));
        self.delta(index, out, |out| {
            out.extend_from_slice(b"\"thinking_blocks\":[");
            out.extend_from_slice(&block);
            out.push(b']');
        });
    }

    /// A chunk of this dialect that the representation has no word for.
    pub(super) fn opaque(&self, opaque: &Opaque, out: &mut Vec<u8>) {
        let Some(members) = opaque.value.as_object() else {
            return;
        };
        out.extend_from_slice(&self.prefix);
        let choices = members.get("choices").and_then(Value::as_array);
        for (index, choice) in choices.into_iter().flatten().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            value(out, choice);
        }
        out.push(b']');
        members_after(members.iter().filter(|(name, _)| *name != "choices"), out);
    }

    /// The members of a whole answer that are too large to be said in every chunk.
    pub(super) fn once(&self, extra: &Extra, out: &mut Vec<u8>) {
        let large = |content: &Value| content.is_object() || content.is_array();
        let members = extra.of(ID).into_iter().flatten();
        let mut members = members.filter(|(_, content)| large(content)).peekable();
        if members.peek().is_some() {
            out.extend_from_slice(&self.prefix);
            out.push(b']');
            members_after(members, out);
        }
    }

    /// The chunk without choices that has the usage.
    pub(super) fn usage(&self, usage: &Usage, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b"],\"usage\":");
        usage::write(out, usage, None);
        out.extend_from_slice(b"}\n\n");
    }
}

/// The members that follow `choices`, and the end of the chunk.
fn members_after<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>, out: &mut Vec<u8>) {
    for (name, content) in members {
        out.push(b',');
        value(out, name);
        out.push(b':');
        value(out, content);
    }
    out.extend_from_slice(b"}\n\n");
}
