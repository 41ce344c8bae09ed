//! Reads and writes whole answers.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>. Reasoning is `reasoning_content`, as DeepSeek and others say it, and
//! `thinking_blocks` with the proofs that the client is to return in the assistant's message of its next request.

use serde_json::Value;

use super::citation::Annotations;
use super::decode_message::assistant;
use super::encode_content::thinking;
use super::encode_message::write_call;
use super::error::read_error;
use super::fields::Fields;
use super::schema::{ID, finish, finish_word, service_tier};
use super::usage;
use super::write::{List, Object, WriteExtra, nested, value};
use crate::dialect::ReplyContext;
use crate::ir::{
    Block, Candidate, Error, Finish, FinishReason, Losses, Opaque, Part, Place, Response, Usage,
};

/// Reads an answer.
pub(super) fn decode_response(body: &[u8]) -> Result<Response, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("the answer is not JSON: {error}"))?;
    let Value::Object(map) = value else {
        return Err("the answer is not a JSON object".to_owned());
    };
    let mut fields = Fields::new(map, Place::ROOT);
    let choices = match fields.take("choices") {
        Some(Value::Array(choices)) => choices,
        _ => {
            let map = fields.into_map();
            let said = map
                .contains_key("error")
                .then(|| read_error(502, Value::Object(map)).message);
            return Err(said.unwrap_or_else(|| "the answer has no choices".to_owned()));
        }
    };
    read(fields, choices).map_err(|error| error.message)
}

fn read(mut fields: Fields, choices: Vec<Value>) -> Result<Response, Error> {
    let id = fields.lenient_text("id");
    let model = fields.lenient_text("model");
    let created = fields.count("created")?;
    fields.take("object");
    let mut candidates = Vec::with_capacity(choices.len());
    for (index, choice) in choices.into_iter().enumerate() {
        candidates.push(candidate(choice, index)?);
    }
    let service_tier = fields.lenient_text("service_tier");
    let mut counts = Usage::default();
    if let Some(value) = fields.take("usage") {
        counts = usage::read(&value);
        let rest = usage::rest(value);
        if !rest.is_empty() {
            fields.put("usage", Value::Object(rest));
        }
    }
    Ok(Response {
        id,
        model,
        created,
        candidates,
        usage: counts,
        service_tier,
        extra: fields.rest(),
    })
}

fn candidate(choice: Value, position: usize) -> Result<Candidate, Error> {
    let place = Place::item("choices", position);
    let mut fields = Fields::of(choice, place)?;
    let position = u32::try_from(position).unwrap_or(u32::MAX);
    let index = fields.count("index")?.and_then(|index| u32::try_from(index).ok());
    let mut content = Vec::new();
    if let Some(mut message) = fields.object("message")? {
        message.take("role");
        content = assistant(&mut message, place)?;
        content.retain(|block| !matches!(&block.part, Part::Text { text, .. } if text.is_empty()));
        fields.put_rest("message", message);
    }
    let called = content
        .iter()
        .any(|block| matches!(block.part, Part::ToolCall(_)));
    let word = fields.lenient_text("finish_reason");
    let stop = match word.as_deref() {
        Some("stop") => fields.lenient_text("stop_reason"),
        _ => None,
    };
    let logprobs = fields
        .take("logprobs")
        .map(|value| Box::new(Opaque { dialect: ID, value }));
    Ok(Candidate {
        index: index.unwrap_or(position),
        content,
        finish: word.map(|word| finish(&word, called, stop)),
        logprobs,
        extra: fields.rest(),
    })
}

/// Writes an answer.
pub(super) fn encode_response(response: &Response, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut object = Object::open(&mut out);
    match &response.id {
        Some(id) => object.member("id", id),
        None => object.member("id", &made_id(context)),
    }
    object.member("object", "chat.completion");
    object.member("created", &response.created.unwrap_or(context.created));
    object.member("model", response.model.as_ref().unwrap_or(&context.model));
    let mut list = List::open(object.key("choices"));
    for candidate in &response.candidates {
        write_candidate(list.next(), candidate, losses);
    }
    list.close();
    let rest = nested(&response.extra, "usage");
    if !response.usage.is_empty() || rest.is_some() {
        usage::write(object.key("usage"), &response.usage, rest);
    }
    if let Some(tier) = &response.service_tier {
        object.member("service_tier", service_tier(tier));
    }
    losses.report_extra(Place::ROOT, &response.extra, ID);
    object.extra(&response.extra, &["usage"]);
    object.close();
    out
}

/// The id of an answer whose upstream gives none.
pub(super) fn made_id(context: &ReplyContext) -> String {
    format!("chatcmpl-{}", context.id)
}

fn write_candidate(out: &mut Vec<u8>, candidate: &Candidate, losses: &mut Losses) {
    let mut object = Object::open(out);
    object.member("index", &candidate.index);
    object.object("message", |object| {
        object.member("role", "assistant");
        Said::new(&candidate.content, losses).write(object);
        object.merge(&candidate.extra, "message");
    });
    let logprobs = candidate.logprobs.as_deref();
    match logprobs.filter(|logprobs| logprobs.dialect == ID) {
        Some(logprobs) => object.member("logprobs", &logprobs.value),
        None => object.member("logprobs", &Value::Null),
    }
    let usual = Finish::new(FinishReason::Stop);
    let finish = candidate.finish.as_ref().unwrap_or(&usual);
    object.member("finish_reason", finish_word(finish));
    object.optional("stop_reason", finish.stop_sequence.as_ref());
    losses.report_extra(Place::ROOT, &candidate.extra, ID);
    object.extra(&candidate.extra, &["message"]);
    object.close();
}

/// What the assistant said, by the member that says it.
#[derive(Default)]
struct Said<'a> {
    text: Option<String>,
    refusal: Option<String>,
    reasoning: Option<String>,
    /// Some reasoning has a proof; then all of it is said in `thinking_blocks`, which a reader prefers.
    proven: bool,
    thinking: Vec<Vec<u8>>,
    calls: Vec<&'a Block>,
    annotations: Annotations,
    parts: Vec<&'a Value>,
}

impl<'a> Said<'a> {
    fn new(content: &'a [Block], losses: &mut Losses) -> Self {
        let proven = content.iter().any(|block| match &block.part {
            Part::Reasoning(reasoning) => reasoning.signature.is_some() || reasoning.redacted.is_some(),
            _ => false,
        });
        let mut said = Self {
            proven,
            ..Self::default()
        };
        for (index, block) in content.iter().enumerate() {
            let place = match block.place {
                Place::ROOT => Place::item("content", index),
                place => place,
            };
            said.add(block, place, losses);
        }
        said
    }

    fn add(&mut self, block: &'a Block, place: Place, losses: &mut Losses) {
        losses.report_extra(place, &block.extra, ID);
        match &block.part {
            Part::Text { text, citations } => {
                let whole = self.text.get_or_insert_default();
                let start = whole.chars().count();
                whole.push_str(text);
                for citation in &citations.0 {
                    if !self.annotations.add(citation, start, whole.chars().count()) {
                        losses.report(place, "citations");
                    }
                }
            }
            Part::Refusal(text) => self.refusal.get_or_insert_default().push_str(text),
            Part::Reasoning(reasoning) => {
                if let Some(text) = reasoning.text.as_ref().filter(|text| !text.is_empty()) {
                    self.reasoning.get_or_insert_default().push_str(text);
                }
                if self.proven {
                    self.thinking.push(thinking(reasoning, block));
                }
            }
            Part::ToolCall(_) => self.calls.push(block),
            Part::Opaque(opaque) if opaque.dialect == ID => match place.innermost() {
                Some("tool_calls") => self.calls.push(block),
                Some("thinking_blocks") => self.thinking.push(opaque.value.to_string().into_bytes()),
                _ => self.parts.push(&opaque.value),
            },
            Part::Opaque(_) | Part::Media(_) | Part::Document(_) | Part::ToolResult(_) => {
                losses.report(place, "")
            }
        }
    }

    fn write(&self, object: &mut Object<'_>) {
        if self.parts.is_empty() {
            object.member("content", &self.text);
        } else {
            let mut list = List::open(object.key("content"));
            if let Some(text) = &self.text {
                value(list.next(), &serde_json::json!({"type": "text", "text": text}));
            }
            for part in &self.parts {
                value(list.next(), part);
            }
            list.close();
        }
        object.member("refusal", &self.refusal);
        object.optional("reasoning_content", self.reasoning.as_ref());
        if !self.thinking.is_empty() {
            let mut list = List::open(object.key("thinking_blocks"));
            for block in &self.thinking {
                list.next().extend_from_slice(block);
            }
            list.close();
        }
        if !self.annotations.0.is_empty() {
            object.member("annotations", &self.annotations.0);
        }
        if !self.calls.is_empty() {
            let mut list = List::open(object.key("tool_calls"));
            for block in &self.calls {
                match &block.part {
                    Part::ToolCall(call) => write_call(list.next(), call, block, true),
                    Part::Opaque(opaque) => value(list.next(), &opaque.value),
                    _ => {}
                }
            }
            list.close();
        }
    }
}
