//! Turns events into the vendor's stream.
//!
//! The order is the documented one: `message_start`, the blocks one after another, `message_delta`, `message_stop`. What the
//! upstream tells at its end only, such as the input's size, stands in `message_delta`, whose counts are cumulative.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>

use serde::Serialize;
use serde_json::Value;

use super::encode_content::tool_id;
use super::error;
use super::response::{message_id, stop_reason};
use super::usage;
use super::write::{Object, WriteExtra, nested, value};
use crate::dialect::contract::{ReplyContext, StreamEncoder};
use crate::ir::{BlockKind, Delta, DialectId, Event, Extra, Finish, Losses, Opaque, Place, Signature, Usage};

const THIS: DialectId = DialectId::AnthropicMessages;

/// A stream's encoder.
#[derive(Debug)]
pub(super) struct Encoder {
    context: ReplyContext,
    started: bool,
    ended: bool,
    /// Number of the next block that is written.
    next: u32,
    open: Option<Open>,
    usage: Usage,
    finish: Option<Finish>,
    refused: bool,
    calls: bool,
}

/// The block that is being written.
#[derive(Debug)]
struct Open {
    /// Its number among the events' blocks.
    block: u32,
    /// Its number on the wire.
    index: u32,
    /// Its text is reasoning.
    reasoning: bool,
    /// Plain text of a free-form call, which becomes an object when it is whole.
    custom: Option<String>,
}

impl Encoder {
    pub(super) fn new(context: &ReplyContext) -> Self {
        Self {
            context: context.clone(),
            started: false,
            ended: false,
            next: 0,
            open: None,
            usage: Usage::default(),
            finish: None,
            refused: false,
            calls: false,
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>, losses: &mut Losses) {
        if self.ended {
            return;
        }
        match event {
            Event::Delta {
                candidate: 0,
                block,
                delta,
            } => self.delta(*block, delta, out, losses),
            Event::Start { id, model, extra, .. } => {
                losses.report_extra(Place::ROOT, extra, THIS);
                self.start(id.as_deref(), model.as_deref(), extra, out);
            }
            Event::BlockStart {
                candidate: 0,
                block,
                kind,
                extra,
            } => self.begin(*block, kind, extra, out, losses),
            Event::BlockStop { candidate: 0, .. } => self.stop(out, losses),
            Event::Finish { candidate: 0, finish } => self.finish = Some(finish.clone()),
            Event::BlockStart { candidate, .. } => {
                losses.report(
                    Place::item("choices", usize::try_from(*candidate).unwrap_or(0)),
                    "",
                );
            }
            Event::Delta { .. } | Event::BlockStop { .. } | Event::Finish { .. } => {}
            Event::Usage(usage) => self.usage.merge(usage),
            Event::Ping => out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n"),
            Event::Error(error) => {
                self.ended = true;
                error::encode_stream(error, out);
            }
            Event::Opaque(opaque) => self.opaque(opaque, out, losses),
            Event::End => self.end(out, losses),
        }
    }
}

impl Encoder {
    fn start(&mut self, id: Option<&str>, model: Option<&str>, extra: &Extra, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        out.extend_from_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
        let mut object = Object::open(out);
        object.member("id", &message_id(id, &self.context));
        object.member("type", "message");
        object.member("role", "assistant");
        object.member("model", model.unwrap_or(&self.context.model));
        object.member("content", &[(); 0]);
        object.member("stop_reason", &Value::Null);
        object.member("stop_sequence", &Value::Null);
        let mut counts = Object::open(object.key("usage"));
        usage::write(&mut counts, &self.usage);
        counts.merge(extra, "usage");
        counts.close();
        object.extra(extra, &["usage"]);
        object.close();
        out.extend_from_slice(b"}\n\n");
    }

    fn started(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.start(None, None, &Extra::none(), out);
        }
    }

    fn begin(&mut self, block: u32, kind: &BlockKind, extra: &Extra, out: &mut Vec<u8>, losses: &mut Losses) {
        self.started(out);
        self.stop(out, losses);
        let place = Place::item("content", usize::try_from(block).unwrap_or(0));
        let known = match kind {
            BlockKind::Media(_) => false,
            BlockKind::Opaque(opaque) => opaque.dialect == THIS,
            _ => true,
        };
        if !known {
            losses.report(place, "");
            return;
        }
        losses.report_extra(place, extra, THIS);
        let mut open = Open {
            block,
            index: self.next,
            reasoning: false,
            custom: None,
        };
        self.next += 1;
        out.extend_from_slice(
            b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":",
        );
        value(out, &open.index);
        out.extend_from_slice(b",\"content_block\":");
        if let BlockKind::Opaque(opaque) = kind {
            value(out, &opaque.value);
        } else {
            let mut object = Object::open(out);
            self.members(&mut object, kind, &mut open, place, losses);
            object.extra(extra, &[]);
            object.close();
        }
        out.extend_from_slice(b"}\n\n");
        self.open = Some(open);
    }

    fn members(
        &mut self,
        object: &mut Object<'_>,
        kind: &BlockKind,
        open: &mut Open,
        place: Place,
        losses: &mut Losses,
    ) {
        match kind {
            BlockKind::Text | BlockKind::Refusal => {
                self.refused |= *kind == BlockKind::Refusal;
                object.member("type", "text");
                object.member("text", "");
            }
            BlockKind::Reasoning => {
                open.reasoning = true;
                object.member("type", "thinking");
                object.member("thinking", "");
                object.member("signature", "");
            }
            BlockKind::Redacted(redacted) => {
                object.member("type", "redacted_thinking");
                object.member("data", &redacted.write(THIS));
            }
            BlockKind::ToolCall {
                id,
                name,
                custom,
                signature,
            } => {
                self.calls = true;
                if signature.is_some() {
                    losses.report(place, "signature");
                }
                open.custom = custom.then(String::new);
                object.member("type", "tool_use");
                object.member("id", &tool_id(id));
                object.member("name", name);
                object.member("input", &serde_json::Map::new());
            }
            BlockKind::Media(_) | BlockKind::Opaque(_) => {}
        }
    }

    fn delta(&mut self, block: u32, delta: &Delta, out: &mut Vec<u8>, losses: &mut Losses) {
        // Deltas of a block that could not be said are reported with the block.
        let Some(open) = self.open.as_mut().filter(|open| open.block == block) else {
            return;
        };
        let place = Place::item("content", usize::try_from(block).unwrap_or(0));
        match delta {
            Delta::Text(text) if open.reasoning => {
                write_delta(out, open.index, b"thinking_delta\",\"thinking\":", text);
            }
            Delta::Text(text) => write_delta(out, open.index, b"text_delta\",\"text\":", text),
            Delta::Arguments(text) => match &mut open.custom {
                Some(whole) => whole.push_str(text),
                None => write_delta(out, open.index, b"input_json_delta\",\"partial_json\":", text),
            },
            Delta::Signature(signature) if open.reasoning => write_signature(out, open.index, signature),
            Delta::Citation(Opaque { dialect: THIS, value }) => {
                write_delta(out, open.index, b"citations_delta\",\"citation\":", value);
            }
            Delta::Opaque(Opaque {
                dialect: THIS,
                value: content,
            }) => {
                out.extend_from_slice(DELTA);
                value(out, &open.index);
                out.extend_from_slice(b",\"delta\":");
                value(out, content);
                out.extend_from_slice(b"}\n\n");
            }
            Delta::Signature(_) => losses.report(place, "signature"),
            Delta::Citation(_) => losses.report(place, "annotations"),
            Delta::Logprobs(_) => losses.report(Place::item("choices", 0), "logprobs"),
            Delta::Opaque(_) => losses.report(place, ""),
        }
    }

    fn stop(&mut self, out: &mut Vec<u8>, losses: &mut Losses) {
        let Some(open) = self.open.take() else {
            return;
        };
        if let Some(text) = open.custom {
            losses.report(
                Place::item("content", usize::try_from(open.block).unwrap_or(0)),
                "",
            );
            let mut json = Vec::new();
            let mut object = Object::open(&mut json);
            object.member("input", &text);
            object.close();
            let json = String::from_utf8_lossy(&json);
            write_delta(out, open.index, b"input_json_delta\",\"partial_json\":", &json);
        }
        out.extend_from_slice(
            b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":",
        );
        value(out, &open.index);
        out.extend_from_slice(b"}\n\n");
    }

    fn end(&mut self, out: &mut Vec<u8>, losses: &mut Losses) {
        self.started(out);
        self.stop(out, losses);
        self.ended = true;
        let finish = self.finish.as_ref();
        let raw = finish
            .and_then(|finish| finish.raw.as_deref())
            .filter(|raw| raw.dialect == THIS)
            .and_then(|raw| raw.value.as_object());
        let mut rest = Extra::none();
        for (name, content) in raw
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != "stop_reason")
        {
            rest.insert(THIS, name.clone(), content.clone());
        }
        out.extend_from_slice(b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":");
        let mut object = Object::open(out);
        object.member("stop_reason", &stop_reason(finish, self.refused, self.calls));
        object.member(
            "stop_sequence",
            &finish.and_then(|finish| finish.stop_sequence.as_ref()),
        );
        object.extra(&rest, &["usage"]);
        object.close();
        out.extend_from_slice(b",\"usage\":");
        let mut counts = Object::open(out);
        usage::write(&mut counts, &self.usage);
        if let Some(members) = nested(&rest, "usage") {
            counts.members(members);
        }
        counts.close();
        out.extend_from_slice(b"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }

    fn opaque(&mut self, opaque: &Opaque, out: &mut Vec<u8>, losses: &mut Losses) {
        let kind = opaque.value.get("type").and_then(Value::as_str);
        match kind {
            Some(kind) if opaque.dialect == THIS && !kind.contains(['\r', '\n']) => {
                out.extend_from_slice(b"event: ");
                out.extend_from_slice(kind.as_bytes());
                out.extend_from_slice(b"\ndata: ");
                value(out, &opaque.value);
                out.extend_from_slice(b"\n\n");
            }
            _ => losses.report(Place::ROOT, ""),
        }
    }
}

const DELTA: &[u8] = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";

/// `member`: the delta's type and the name of its member, from inside the type's text on.
fn write_delta<T: Serialize + ?Sized>(out: &mut Vec<u8>, index: u32, member: &[u8], content: &T) {
    out.extend_from_slice(DELTA);
    value(out, &index);
    out.extend_from_slice(b",\"delta\":{\"type\":\"");
    out.extend_from_slice(member);
    value(out, content);
    out.extend_from_slice(b"}}\n\n");
}

fn write_signature(out: &mut Vec<u8>, index: u32, signature: &Signature) {
    write_delta(
        out,
        index,
        b"signature_delta\",\"signature\":",
        signature.write(THIS).as_ref(),
    );
}
