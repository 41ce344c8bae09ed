//! Reads and writes whole answers.
//!
//! <https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>

use std::borrow::Cow;

use serde_json::{Value, json};

use super::decode_content::content;
use super::encode_content::{Reader, Writing};
use super::read::{ContentIn, MessageIn};
use super::usage::{self, Counts};
use super::write::{Object, WriteExtra};
use crate::dialect::contract::ReplyContext;
use crate::ir::{
    Candidate, DialectId, Finish, FinishReason, Losses, Names, Opaque, Part, Place, Response, Usage,
};

const THIS: DialectId = DialectId::AnthropicMessages;

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<Response, String> {
    let MessageIn {
        mut members,
        content: body,
    } = serde_json::from_slice(body).map_err(|error| format!("not a message: {error}"))?;
    let Some(ContentIn::Blocks(blocks)) = body else {
        return Err("not a message: `content` is no list of blocks".to_owned());
    };
    let blocks = content(ContentIn::Blocks(blocks), |index| Place::item("content", index));
    members.take("type");
    members.take("role");
    let finish = members
        .text("stop_reason")
        .map(|word| finish(word, members.text("stop_sequence")));
    let mut counts = members.object("usage").unwrap_or_default();
    let mut usage = Usage::default();
    Counts::take(&mut counts).apply(&mut usage);
    let service_tier = counts.text("service_tier");
    members.put_back("usage", counts);
    Ok(Response {
        id: members.text("id"),
        model: members.text("model"),
        created: None,
        candidates: vec![Candidate {
            content: blocks.unwrap_or_default(),
            finish,
            ..Candidate::default()
        }],
        usage,
        service_tier,
        extra: members.rest(),
    })
}

/// What a stop reason means.
pub(super) fn finish(word: String, stop_sequence: Option<String>) -> Finish {
    let reason = match word.as_str() {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "pause_turn" => FinishReason::Pause,
        "refusal" => FinishReason::Refusal,
        "model_context_window_exceeded" => FinishReason::ContextWindow,
        _ => FinishReason::Other,
    };
    let raw = (reason == FinishReason::Other).then(|| {
        Box::new(Opaque {
            dialect: THIS,
            value: json!({"stop_reason": word}),
        })
    });
    Finish {
        reason,
        stop_sequence,
        raw,
    }
}

/// The word for why an answer ended. `refused` and `calls`: it has a refusal, or calls tools, which other vendors do not always
/// say in the reason.
pub(super) fn stop_reason(finish: Option<&Finish>, refused: bool, calls: bool) -> Cow<'_, str> {
    let own = finish
        .and_then(|finish| finish.raw.as_deref())
        .filter(|raw| raw.dialect == THIS)
        .and_then(|raw| raw.value.get("stop_reason"))
        .and_then(Value::as_str);
    if let Some(word) = own {
        return Cow::Borrowed(word);
    }
    Cow::Borrowed(match finish.map(|finish| finish.reason) {
        Some(FinishReason::Length) => "max_tokens",
        Some(FinishReason::ContextWindow) => "model_context_window_exceeded",
        Some(FinishReason::ContentFilter | FinishReason::Refusal) => "refusal",
        Some(FinishReason::Pause) => "pause_turn",
        Some(FinishReason::ToolCalls) => "tool_use",
        Some(FinishReason::StopSequence) => "stop_sequence",
        _ if refused => "refusal",
        Some(FinishReason::Stop) | None if calls => "tool_use",
        _ => "end_turn",
    })
}

/// An id of the vendor's form.
pub(super) fn message_id<'a>(upstream: Option<&'a str>, context: &'a ReplyContext) -> Cow<'a, str> {
    match upstream {
        Some(id) if id.starts_with("msg_") => Cow::Borrowed(id),
        _ => Cow::Owned(format!("msg_{}", context.id)),
    }
}

/// Writes an answer.
pub(super) fn encode(response: &Response, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
    for candidate in response.candidates.iter().skip(1) {
        losses.report(
            Place::item("choices", usize::try_from(candidate.index).unwrap_or(0)),
            "",
        );
    }
    let none = Candidate::default();
    let candidate = response.candidates.first().unwrap_or(&none);
    if candidate.logprobs.is_some() {
        losses.report(Place::item("choices", 0), "logprobs");
    }
    losses.report_extra(Place::item("choices", 0), &candidate.extra, THIS);
    losses.report_extra(Place::ROOT, &response.extra, THIS);

    let mut out = Vec::with_capacity(1_024);
    let mut object = Object::open(&mut out);
    object.member("id", &message_id(response.id.as_deref(), context));
    object.member("type", "message");
    object.member("role", "assistant");
    object.member("model", response.model.as_deref().unwrap_or(&context.model));
    let mut writing = Writing {
        reader: Reader::Client,
        // Files and the like are told apart by their dialect only in requests.
        names: const { &Names::OPENAI_CHAT },
        losses,
    };
    writing.blocks(object.key("content"), &candidate.content);
    let finish = candidate.finish.as_ref();
    let has = |what: fn(&Part) -> bool| candidate.content.iter().any(|block| what(&block.part));
    let refused = has(|part| matches!(part, Part::Refusal(_)));
    let calls = has(|part| matches!(part, Part::ToolCall(_)));
    object.member("stop_reason", &stop_reason(finish, refused, calls));
    object.member(
        "stop_sequence",
        &finish.and_then(|finish| finish.stop_sequence.as_ref()),
    );
    let mut counts = Object::open(object.key("usage"));
    usage::write(&mut counts, &response.usage);
    counts.optional(
        "service_tier",
        response.service_tier.as_deref().and_then(service_tier).as_ref(),
    );
    counts.merge(&response.extra, "usage");
    counts.close();
    object.extra(&response.extra, &["usage"]);
    object.close();
    out
}

/// The vendor's word for a tier; other vendors call the standard one `default`.
pub(super) fn service_tier(tier: &str) -> Option<&str> {
    match tier {
        "default" | "standard" => Some("standard"),
        "priority" | "batch" => Some(tier),
        _ => None,
    }
}
