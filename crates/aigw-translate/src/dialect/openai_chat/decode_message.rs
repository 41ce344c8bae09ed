//! Reads messages: of a request, and the assistant's in an answer.

use std::collections::HashMap;

use serde_json::Value;

use super::decode_content::{content, opaque, redacted, thinking};
use super::fields::Fields;
use super::schema::{ID, role};
use crate::ir::{
    Block, Citations, DialectId, Error, Extra, Message, Opaque, Part, Place, ReasoningBlock, Role, Signature,
    ToolCall, ToolResult,
};

/// Reads the messages of a request one after the other; remembers which tool each call named.
#[derive(Debug, Default)]
pub(super) struct Messages {
    names: HashMap<String, String>,
    /// Id made for the last call in the old form, which the next `function` message answers.
    legacy: Option<String>,
}

impl Messages {
    /// Reads the message at `index`.
    pub(super) fn read(&mut self, value: Value, index: usize) -> Result<Message, Error> {
        let place = Place::item("messages", index);
        let mut fields = Fields::of(value, place)?;
        let word = fields.required("role")?;
        let role = role(&word).ok_or_else(|| {
            fields.wrong(
                "role",
                "must be one of system, developer, user, assistant, tool, function",
            )
        })?;
        let name = fields.text("name")?;
        let mut message = Message {
            role,
            name,
            content: Vec::new(),
            extra: Extra::none(),
            place,
        };
        match role {
            Role::Assistant => {
                message.content = assistant(&mut fields, place)?;
                self.remember(&message.content);
            }
            Role::Tool => {
                let block = self.result(&mut fields, &word, message.name.take())?;
                message.content.push(block);
            }
            Role::System | Role::Developer | Role::User => {
                message.content = content(fields.take("content"), place)?;
            }
        }
        // A marker of the message is one of its last piece.
        let cache = fields.cache();
        if let Some(last) = message.content.last_mut() {
            last.cache = cache.or(last.cache.take());
        }
        message.extra = fields.rest();
        Ok(message)
    }

    fn remember(&mut self, content: &[Block]) {
        for block in content {
            if let Part::ToolCall(call) = &block.part {
                self.names.insert(call.id.clone(), call.name.clone());
                if block.place.innermost() == Some("function_call") {
                    self.legacy = Some(call.id.clone());
                }
            }
        }
    }

    fn result(&mut self, fields: &mut Fields, role: &str, name: Option<String>) -> Result<Block, Error> {
        let call_id = match fields.text("tool_call_id")? {
            Some(id) => id,
            None if role == "function" => self.legacy.take().unwrap_or_default(),
            None => return Err(fields.wrong("tool_call_id", "is required")),
        };
        let place = fields.place();
        let content = content(fields.take("content"), place)?;
        let name = name.or_else(|| self.names.get(&call_id).cloned());
        let is_error = says_error(&content).then_some(true);
        Ok(Block {
            place,
            ..Block::new(Part::ToolResult(ToolResult {
                call_id,
                name,
                content,
                is_error,
            }))
        })
    }
}

/// The dialect has no member for a tool's failure; by custom the content is then a JSON object with an `error`.
pub(super) fn says_error(content: &[Block]) -> bool {
    let [block] = content else {
        return false;
    };
    let Part::Text { text, .. } = &block.part else {
        return false;
    };
    if !text.trim_start().starts_with('{') || !text.contains("\"error\"") {
        return false;
    }
    let value: Option<Value> = serde_json::from_str(text).ok();
    let error = value.as_ref().and_then(|value| value.get("error"));
    !matches!(error, None | Some(Value::Null | Value::Bool(false)))
}

/// Reads what an assistant said: reasoning, content, refusal, tool calls.
pub(super) fn assistant(fields: &mut Fields, place: Place) -> Result<Vec<Block>, Error> {
    let mut blocks = reasoning(fields, place)?;
    let mut said = content(fields.take("content"), place)?;
    annotate(fields, &mut said, place);
    blocks.append(&mut said);
    if let Some(refusal) = fields.text("refusal")? {
        blocks.push(placed(Part::Refusal(refusal), place.member("refusal")));
    }
    for (index, call) in fields.list("tool_calls")?.into_iter().flatten().enumerate() {
        blocks.push(tool_call(call, place, index)?);
    }
    if let Some(mut call) = fields.object("function_call")? {
        let id = format!("call_{}", path_number(place));
        let name = call.required("name")?;
        let call = ToolCall {
            id,
            name,
            arguments: arguments(&mut call, "arguments")?,
            custom: false,
            signature: None,
        };
        blocks.push(placed(Part::ToolCall(call), place.member("function_call")));
    }
    // An empty text beside something else says nothing, and some vendors refuse it.
    if blocks.len() > 1 {
        blocks.retain(|block| !matches!(&block.part, Part::Text { text, .. } if text.is_empty()));
    }
    Ok(blocks)
}

fn placed(part: Part, place: Place) -> Block {
    Block {
        place,
        ..Block::new(part)
    }
}

fn path_number(place: Place) -> String {
    place.pointer().rsplit('/').next().unwrap_or_default().to_owned()
}

/// `thinking_blocks` when they say it, else `reasoning_content` or `reasoning`, which then are the same text without proofs.
fn reasoning(fields: &mut Fields, place: Place) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::new();
    for (index, value) in fields.list("thinking_blocks")?.into_iter().flatten().enumerate() {
        blocks.push(thinking_block(value, place.child("thinking_blocks", index))?);
    }
    let shown = |block: &Block| matches!(&block.part, Part::Reasoning(r) if r.text.as_ref().is_some_and(|t| !t.is_empty()));
    let told = blocks.iter().any(shown);
    for name in ["reasoning_content", "reasoning"] {
        let Some(value) = fields.take(name) else {
            continue;
        };
        let place = place.member(name);
        match reasoning_value(value) {
            Ok(reasoning) if !told && blocks.iter().all(|block| !shown(block)) => {
                if reasoning != ReasoningBlock::default() {
                    blocks.push(placed(Part::Reasoning(reasoning), place));
                }
            }
            Ok(_) => {}
            Err(value) => fields.put(name, value),
        }
    }
    Ok(blocks)
}

pub(super) fn thinking_block(value: Value, place: Place) -> Result<Block, Error> {
    let mut fields = Fields::of(value, place)?;
    let kind = fields.text("type")?.unwrap_or_else(|| "thinking".to_owned());
    let reasoning = match kind.as_str() {
        "thinking" => thinking(&mut fields)?,
        "redacted_thinking" => redacted(&mut fields)?,
        _ => return Ok(opaque(kind, fields)),
    };
    let cache = fields.cache();
    Ok(Block {
        part: Part::Reasoning(reasoning),
        cache,
        extra: fields.rest(),
        place,
    })
}

/// A text, or an object in the form of Bedrock's `reasoningContent` that some gateways use. `Err`: something else.
fn reasoning_value(value: Value) -> Result<ReasoningBlock, Value> {
    if let Value::String(text) = value {
        let text = (!text.is_empty()).then_some(text);
        return Ok(ReasoningBlock {
            text,
            ..ReasoningBlock::default()
        });
    }
    let inner = value.get("reasoningContent").unwrap_or(&value);
    let member = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    let proof = |text| Signature::read(DialectId::AnthropicMessages, text);
    let shown = inner.get("reasoningText").unwrap_or(inner);
    let reasoning = ReasoningBlock {
        text: member(shown, "text"),
        signature: member(shown, "signature").map(proof),
        redacted: member(inner, "redactedContent").map(proof),
    };
    if reasoning == ReasoningBlock::default() {
        Err(value)
    } else {
        Ok(reasoning)
    }
}

/// `annotations` cite from the message's only text; anything else stays where it is. The text's place is then the message, so that
/// `annotations` are found there.
fn annotate(fields: &mut Fields, said: &mut [Block], place: Place) {
    let Some(Value::Array(list)) = fields
        .take("annotations")
        .filter(|list| list != &Value::Array(Vec::new()))
    else {
        return;
    };
    if let [block] = said
        && let Part::Text { citations, .. } = &mut block.part
    {
        let cited = list.into_iter().map(|value| Opaque { dialect: ID, value });
        *citations = Citations(cited.collect());
        block.place = place;
    } else {
        fields.put("annotations", Value::Array(list));
    }
}

fn tool_call(value: Value, message: Place, index: usize) -> Result<Block, Error> {
    let place = message.child("tool_calls", index);
    let mut fields = Fields::of(value, place)?;
    let kind = fields.text("type")?.unwrap_or_else(|| "function".to_owned());
    let (object, text) = match kind.as_str() {
        "function" | "" => ("function", "arguments"),
        "custom" => ("custom", "input"),
        _ => return Ok(opaque(kind, fields)),
    };
    let Some(mut inner) = fields.object(object)? else {
        return Err(fields.wrong(object, "is required"));
    };
    let id = fields.text("id")?.filter(|id| !id.is_empty());
    // A position in the list is no part of an answer's or request's call, but some servers leave it there.
    fields.take("index");
    let call = ToolCall {
        id: id.unwrap_or_else(|| format!("call_{}_{index}", path_number(message))),
        name: inner.required("name")?,
        arguments: arguments(&mut inner, text)?,
        custom: object == "custom",
        signature: thought_signature(&mut fields)?,
    };
    let cache = fields.cache().or(inner.cache());
    fields.put_rest(object, inner);
    Ok(Block {
        part: Part::ToolCall(call),
        cache,
        extra: fields.rest(),
        place,
    })
}

/// The arguments as text; some senders write the object itself.
fn arguments(fields: &mut Fields, name: &str) -> Result<String, Error> {
    match fields.take(name) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(value @ Value::Object(_)) => Ok(value.to_string()),
        Some(_) => Err(fields.wrong(name, "must be a string of JSON")),
    }
}

/// Gemini's proof of a call, as its OpenAI-compatible endpoint says it: `extra_content.google.thought_signature`
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
fn thought_signature(fields: &mut Fields) -> Result<Option<Signature>, Error> {
    let Some(mut outer) = fields.object("extra_content")? else {
        return Ok(None);
    };
    let mut signature = None;
    if let Some(mut google) = outer.object("google")? {
        signature = google.text("thought_signature")?;
        outer.put_rest("google", google);
    }
    fields.put_rest("extra_content", outer);
    Ok(signature.map(|value| Signature {
        dialect: DialectId::Gemini,
        value,
    }))
}
