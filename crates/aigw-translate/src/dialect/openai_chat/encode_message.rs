//! Writes messages: splits tool results from what the user says, and keeps them right behind the calls they answer.
//!
//! A tool message holds text only. An image or a document that a tool returned follows in the next user message, where a sentence
//! says which call it belongs to; the tool message points at it.

use super::decode_message::says_error;
use super::encode_content::{Joint, Source, cache_marker, content, parts, thinking};
use super::schema::ID;
use super::write::{List, Object, WriteExtra, value};
use crate::ir::{Block, DialectId, Message, Part, ReasoningBlock, Role, ToolCall, ToolResult};

/// Writes the messages of one request.
pub(super) struct Messages<'a, 'b> {
    list: List<'a>,
    source: Source<'b>,
    /// Parts that wait for the next user message.
    pending: Vec<Vec<u8>>,
    count: usize,
}

impl<'a, 'b> Messages<'a, 'b> {
    /// Opens the list.
    pub(super) fn open(out: &'a mut Vec<u8>, source: Source<'b>) -> Self {
        Self {
            list: List::open(out),
            source,
            pending: Vec::new(),
            count: 0,
        }
    }

    /// Closes the list; returns how many messages it has.
    pub(super) fn close(mut self) -> usize {
        self.flush();
        self.list.close();
        self.count
    }

    /// Writes one message of the representation as one or more of the dialect.
    pub(super) fn message(&mut self, message: &Message) {
        let (results, said): (Vec<&Block>, Vec<&Block>) = message
            .content
            .iter()
            .partition(|block| matches!(block.part, Part::ToolResult(_)));
        for block in &results {
            if let Part::ToolResult(result) = &block.part {
                self.result(message, block, result);
            }
        }
        self.source.losses.report_extra(message.place, &message.extra, ID);
        if said.is_empty() && (!results.is_empty() || message.role == Role::Tool) {
            return;
        }
        match message.role {
            Role::Assistant => {
                self.flush();
                self.assistant(message, &said);
            }
            Role::System | Role::Developer => {
                self.flush();
                let role = match message.role {
                    Role::Developer if self.source.quirks.developer_role => "developer",
                    _ => "system",
                };
                self.plain(message, role, &said);
            }
            Role::User | Role::Tool => self.plain(message, "user", &said),
        }
    }

    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return;
        }
        self.count += 1;
        let mut object = Object::open(self.list.next());
        object.member("role", "user");
        content(
            object.key("content"),
            &[],
            &pending,
            Joint::Paragraph,
            &mut self.source,
        );
        object.close();
    }

    fn plain(&mut self, message: &Message, role: &str, said: &[&Block]) {
        let system = role != "user";
        let sayable = |block: &&Block| match &block.part {
            Part::Text { .. } => true,
            Part::Opaque(opaque) => opaque.dialect == ID,
            _ => !system,
        };
        let (said, lost): (Vec<&Block>, Vec<&Block>) = said.iter().copied().partition(sayable);
        for block in lost {
            self.source.lost(block.place);
        }
        let pending = if system {
            Vec::new()
        } else {
            std::mem::take(&mut self.pending)
        };
        let mut text = Vec::new();
        if !content(&mut text, &said, &pending, Joint::Paragraph, &mut self.source) {
            if !message.content.is_empty() {
                return;
            }
            text.extend_from_slice(b"\"\"");
        }
        self.count += 1;
        let mut object = Object::open(self.list.next());
        object.member("role", role);
        object.optional("name", message.name.as_ref());
        object.key("content").extend_from_slice(&text);
        object.extra(&message.extra, &[]);
        object.close();
    }

    fn result(&mut self, message: &Message, block: &Block, result: &ToolResult) {
        let (said, shown): (Vec<&Block>, Vec<&Block>) = result
            .content
            .iter()
            .partition(|block| !matches!(block.part, Part::Media(_) | Part::Document(_)));
        let mut attached = Vec::new();
        for block in shown {
            attached.extend(parts(block, &mut self.source));
        }
        let mut note = Vec::new();
        if !attached.is_empty() {
            note.push(text_part(
                "The content of this result follows in the next user message.",
            ));
            self.pending.push(text_part(&format!(
                "Content of the result of tool call {}:",
                result.call_id
            )));
            self.pending.append(&mut attached);
        }
        let mut text = Vec::new();
        let texts = said.iter().all(|block| matches!(block.part, Part::Text { .. }));
        if !note.is_empty() && said.is_empty() {
            value(
                &mut text,
                "The content of this result follows in the next user message.",
            );
        } else if !note.is_empty() && texts {
            let mut all: Vec<Block> = said.into_iter().cloned().collect();
            all.push(Block::text(
                "The rest of this result follows in the next user message.",
            ));
            let all: Vec<&Block> = all.iter().collect();
            content(&mut text, &all, &[], Joint::Paragraph, &mut self.source);
        } else if !content(&mut text, &said, &note, Joint::Paragraph, &mut self.source) {
            text.extend_from_slice(b"\"\"");
        }
        if result.is_error == Some(true) && !says_error(&result.content) {
            self.source.lost_member(block.place, self.source.names.is_error);
        }
        self.source.lost_cache(block.place, block.cache.as_ref());
        self.source.lost_extra(block);
        self.count += 1;
        let mut object = Object::open(self.list.next());
        object.member("role", "tool");
        object.member("tool_call_id", &result.call_id);
        object.key("content").extend_from_slice(&text);
        cache_marker(&mut object, block.cache.as_ref(), self.source.own);
        if message.role == Role::Tool {
            object.extra(&message.extra, &[]);
        }
        object.extra(&block.extra, &[]);
        object.close();
    }

    fn assistant(&mut self, message: &Message, said: &[&Block]) {
        let mut spoken = Spoken::default();
        for block in said {
            spoken.sort(block, &mut self.source);
        }
        let mut text = Vec::new();
        let has_text = content(&mut text, &spoken.content, &[], Joint::Nothing, &mut self.source);
        if spoken.is_silent() && !has_text && !message.content.is_empty() {
            return;
        }
        self.count += 1;
        let mut object = Object::open(self.list.next());
        object.member("role", "assistant");
        object.optional("name", message.name.as_ref());
        if !has_text {
            text.extend_from_slice(b"null");
        }
        object.key("content").extend_from_slice(&text);
        spoken.write(&mut object, &mut self.source);
        object.extra(&message.extra, &[]);
        object.close();
    }
}

fn text_part(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::open(&mut out);
    object.member("type", "text");
    object.member("text", text);
    object.close();
    out
}

/// What an assistant's message says, by the member that says it.
#[derive(Default)]
struct Spoken<'a> {
    content: Vec<&'a Block>,
    refusal: Option<&'a str>,
    calls: Vec<&'a Block>,
    thinking: Vec<Vec<u8>>,
    reasoning: Option<(&'static str, &'a str)>,
    /// Reasoning of another dialect, for a target that wants it back.
    retold: String,
}

impl<'a> Spoken<'a> {
    fn sort(&mut self, block: &'a Block, source: &mut Source<'_>) {
        let home = block.place.innermost();
        match &block.part {
            Part::Text { citations, .. } => {
                if citations.0.iter().any(|citation| citation.dialect != ID) {
                    source.lost_member(block.place, source.names.citations);
                }
                self.content.push(block);
            }
            Part::Refusal(text) if home != Some("content") || !source.own => self.refusal = Some(text),
            Part::Reasoning(ReasoningBlock { text: Some(text), .. })
                if !source.own && source.quirks.reasoning_history =>
            {
                self.retold.push_str(text)
            }
            Part::Reasoning(_) if !source.own => source.lost(block.place),
            Part::Reasoning(reasoning) => match (home, reasoning.text.as_deref()) {
                (Some("content"), _) => self.content.push(block),
                (Some(name @ ("reasoning_content" | "reasoning")), Some(text)) => {
                    self.reasoning = Some((name, text));
                    if reasoning.signature.is_some() {
                        self.thinking.push(thinking(reasoning, block));
                    }
                }
                _ => self.thinking.push(thinking(reasoning, block)),
            },
            Part::Opaque(opaque) if opaque.dialect == ID && home == Some("tool_calls") => {
                self.calls.push(block)
            }
            Part::Opaque(opaque) if opaque.dialect == ID && home == Some("thinking_blocks") => {
                self.thinking.push(opaque.value.to_string().into_bytes());
            }
            Part::ToolCall(_) => self.calls.push(block),
            Part::Media(_) | Part::Document(_) | Part::ToolResult(_) => source.lost(block.place),
            Part::Refusal(_) | Part::Opaque(_) => self.content.push(block),
        }
    }

    fn is_silent(&self) -> bool {
        self.refusal.is_none()
            && self.calls.is_empty()
            && self.thinking.is_empty()
            && self.reasoning.is_none()
            && self.retold.is_empty()
    }

    fn write(&self, object: &mut Object<'_>, source: &mut Source<'_>) {
        object.optional("refusal", self.refusal.as_ref());
        if let Some((name, text)) = self.reasoning {
            object.member(name, text);
        }
        // Such a target refuses calls without their reasoning, even if there was none.
        let calls = source.quirks.reasoning_history && !source.own && !self.calls.is_empty();
        if calls || !self.retold.is_empty() {
            object.member("reasoning_content", &self.retold);
        }
        if !self.thinking.is_empty() {
            let mut list = List::open(object.key("thinking_blocks"));
            for block in &self.thinking {
                list.next().extend_from_slice(block);
            }
            list.close();
        }
        self.write_annotations(object);
        if !self.calls.is_empty() {
            let mut list = List::open(object.key("tool_calls"));
            for block in &self.calls {
                call(list.next(), block, source);
            }
            list.close();
        }
    }

    fn write_annotations(&self, object: &mut Object<'_>) {
        let cited = self.content.iter().flat_map(|block| match &block.part {
            Part::Text { citations, .. } => citations.0.as_slice(),
            _ => &[],
        });
        let mut cited = cited.filter(|citation| citation.dialect == ID).peekable();
        if cited.peek().is_some() {
            let mut list = List::open(object.key("annotations"));
            for citation in cited {
                value(list.next(), &citation.value);
            }
            list.close();
        }
    }
}

fn call(out: &mut Vec<u8>, block: &Block, source: &mut Source<'_>) {
    let call = match &block.part {
        Part::ToolCall(call) => call,
        Part::Opaque(opaque) => return value(out, &opaque.value),
        _ => return,
    };
    let foreign_proof = call.signature.is_some() && !source.own;
    if foreign_proof {
        source.losses.report(block.place, "signature");
    }
    source.lost_extra(block);
    source.lost_cache(block.place, block.cache.as_ref());
    write_call(out, call, block, source.own);
}

/// Writes an element of `tool_calls`; `proofs`: with a vendor's proof and a cache marker.
pub(super) fn write_call(out: &mut Vec<u8>, call: &ToolCall, block: &Block, proofs: bool) {
    let mut object = Object::open(out);
    object.member("id", &call.id);
    let (kind, text) = if call.custom {
        ("custom", "input")
    } else {
        ("function", "arguments")
    };
    object.member("type", kind);
    object.object(kind, |object| {
        object.member("name", &call.name);
        let arguments = match call.arguments.as_str() {
            "" if !call.custom => "{}",
            arguments => arguments,
        };
        object.member(text, arguments);
        object.merge(&block.extra, kind);
    });
    let proof = call.signature.as_ref().filter(|_| proofs);
    if let Some(proof) = proof.filter(|proof| proof.dialect == DialectId::Gemini) {
        object.object("extra_content", |object| {
            object.object("google", |object| {
                object.member("thought_signature", &proof.value)
            });
        });
    }
    object.extra(
        &block.extra,
        &[kind, if proof.is_some() { "extra_content" } else { "" }],
    );
    cache_marker(&mut object, block.cache.as_ref(), proofs);
    object.close();
}
