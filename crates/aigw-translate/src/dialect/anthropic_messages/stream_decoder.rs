//! Turns the vendor's stream into events.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::decode_content;
use super::error;
use super::read::{BlockIn, Members};
use super::response::finish;
use super::usage::Counts;
use crate::dialect::contract::StreamDecoder;
use crate::ir::{
    BlockKind, Delta, DialectId, Event, Extra, Finish, FinishReason, Opaque, Part, Place, Signature,
    ToolCall, Usage,
};

const THIS: DialectId = DialectId::AnthropicMessages;

/// A stream's decoder.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    usage: Usage,
    /// Number of the next block.
    next: u32,
    open: Option<Open>,
    finished: bool,
    ended: bool,
}

/// The block that is growing.
#[derive(Debug)]
struct Open {
    block: u32,
    opaque: bool,
    /// Arguments that came whole with the start; deltas, when there are any, say them instead.
    input: Option<String>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// The hot frame.
#[derive(Deserialize)]
struct Grown<'a> {
    #[serde(borrow)]
    delta: DeltaIn<'a>,
}

#[derive(Deserialize)]
struct DeltaIn<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    text: Option<String>,
    thinking: Option<String>,
    partial_json: Option<String>,
    signature: Option<String>,
    citation: Option<Value>,
}

#[derive(Deserialize)]
struct Begun {
    content_block: BlockIn,
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, event: Option<&str>, data: &[u8], out: &mut Vec<Event>) -> Result<(), String> {
        // Servers that leave the event's name out still say it inside.
        let kind = match event {
            Some(kind) => Cow::Borrowed(kind),
            None => parse::<Kind<'_>>(data)?.kind,
        };
        if self.ended {
            return Ok(());
        }
        match kind.as_ref() {
            "content_block_delta" => return self.grow(data, out),
            "content_block_start" => self.begin(parse::<Begun>(data)?.content_block, out),
            "content_block_stop" => self.stop(out),
            "message_start" => self.start(Members(parse(data)?), out),
            "message_delta" => self.change(Members(parse(data)?), out),
            "message_stop" => self.end(out),
            "ping" => out.push(Event::Ping),
            "error" => {
                let error =
                    error::from_value(None, parse(data)?).ok_or("an error event without a message")?;
                self.ended = true;
                out.push(Event::Error(error));
            }
            _ => out.push(Event::Opaque(Opaque {
                dialect: THIS,
                value: parse(data)?,
            })),
        }
        Ok(())
    }

    /// A stream that told why it ended is whole, even where its last frame is missing.
    fn finish(&mut self, out: &mut Vec<Event>) -> bool {
        if self.finished && !self.ended {
            self.end(out);
        }
        self.finished && self.ended
    }
}

fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(data).map_err(|error| format!("not an event of a message stream: {error}"))
}

impl Decoder {
    fn start(&mut self, mut frame: Members, out: &mut Vec<Event>) {
        let mut message = frame.object("message").unwrap_or_default();
        for known in ["type", "role", "content", "stop_reason", "stop_sequence"] {
            message.take(known);
        }
        let mut counts = message.object("usage").unwrap_or_default();
        Counts::take(&mut counts).apply(&mut self.usage);
        message.put_back("usage", counts);
        // Before the start, so that an encoder that tells usage at the start can.
        out.push(Event::Usage(self.usage));
        self.started = true;
        out.push(Event::Start {
            id: message.text("id"),
            model: message.text("model"),
            created: None,
            extra: message.rest(),
        });
    }

    fn begin(&mut self, mut block: BlockIn, out: &mut Vec<Event>) {
        self.stop(out);
        if block.members.0.get("type").is_some_and(|kind| kind == "thinking") {
            // Some servers send the signature alone.
            block.members.0.entry("thinking").or_insert_with(|| json!(""));
        }
        let block = decode_content::block(block, Place::ROOT);
        let number = self.next;
        self.next += 1;
        let mut open = Open {
            block: number,
            opaque: false,
            input: None,
        };
        let mut deltas = Vec::new();
        let kind = match block.part {
            Part::Text { text, citations } => {
                deltas.extend(filled(text).map(Delta::Text));
                deltas.extend(citations.0.into_iter().map(Delta::Citation));
                BlockKind::Text
            }
            Part::Reasoning(reasoning) => match reasoning.redacted {
                Some(redacted) => BlockKind::Redacted(redacted),
                None => {
                    deltas.extend(reasoning.text.and_then(filled).map(Delta::Text));
                    deltas.extend(reasoning.signature.map(Delta::Signature));
                    BlockKind::Reasoning
                }
            },
            Part::ToolCall(ToolCall {
                id, name, arguments, ..
            }) => {
                open.input = filled(arguments).filter(|input| input.trim() != "{}");
                BlockKind::ToolCall {
                    id,
                    name,
                    custom: false,
                    signature: None,
                }
            }
            Part::Opaque(opaque) => {
                open.opaque = true;
                BlockKind::Opaque(opaque)
            }
            // Images and documents are not generated.
            _ => return,
        };
        out.push(Event::BlockStart {
            candidate: 0,
            block: number,
            kind,
            extra: block.extra,
        });
        out.extend(deltas.into_iter().map(|delta| grown(number, delta)));
        self.open = Some(open);
    }

    fn grow(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), String> {
        let Some(open) = &mut self.open else {
            return Err("a content_block_delta outside of a block".to_owned());
        };
        let delta = parse::<Grown<'_>>(data)?.delta;
        let known = match delta.kind.as_ref() {
            _ if open.opaque => None,
            "text_delta" => delta.text.map(Delta::Text),
            "thinking_delta" => delta.thinking.map(Delta::Text),
            "input_json_delta" => delta.partial_json.map(|json| {
                if !json.is_empty() {
                    open.input = None;
                }
                Delta::Arguments(json)
            }),
            "signature_delta" => delta
                .signature
                .map(|signature| Delta::Signature(Signature::read(THIS, signature))),
            "citations_delta" => delta
                .citation
                .map(|value| Delta::Citation(Opaque { dialect: THIS, value })),
            _ => None,
        };
        let delta = match known {
            Some(delta) => delta,
            None => Delta::Opaque(Opaque {
                dialect: THIS,
                value: Members(parse(data)?).take("delta").unwrap_or_default(),
            }),
        };
        out.push(grown(open.block, delta));
        Ok(())
    }

    fn stop(&mut self, out: &mut Vec<Event>) {
        if let Some(open) = self.open.take() {
            out.extend(open.input.map(|input| grown(open.block, Delta::Arguments(input))));
            out.push(Event::BlockStop {
                candidate: 0,
                block: open.block,
            });
        }
    }

    fn change(&mut self, mut frame: Members, out: &mut Vec<Event>) {
        let mut counts = frame.object("usage").unwrap_or_default();
        Counts::take(&mut counts).apply(&mut self.usage);
        out.push(Event::Usage(self.usage));
        let mut delta = frame.object("delta").unwrap_or_default();
        let Some(word) = delta.text("stop_reason") else {
            return;
        };
        self.stop(out);
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let mut finish = finish(word, delta.text("stop_sequence"));
        delta.put_back("usage", counts);
        if let Some((_, rest)) = delta.rest().any() {
            let mut members = match finish.raw.take().map(|raw| raw.value) {
                Some(Value::Object(members)) => members,
                _ => serde_json::Map::new(),
            };
            members.extend(rest.clone());
            finish.raw = Some(Box::new(Opaque {
                dialect: THIS,
                value: Value::Object(members),
            }));
        }
        out.push(Event::Finish { candidate: 0, finish });
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.stop(out);
        if !self.started {
            out.push(Event::Start {
                id: None,
                model: None,
                created: None,
                extra: Extra::none(),
            });
        }
        if !std::mem::replace(&mut self.finished, true) {
            out.push(Event::Finish {
                candidate: 0,
                finish: Finish::new(FinishReason::Stop),
            });
        }
        self.ended = true;
        out.push(Event::End);
    }
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn grown(block: u32, delta: Delta) -> Event {
    Event::Delta {
        candidate: 0,
        block,
        delta,
    }
}
