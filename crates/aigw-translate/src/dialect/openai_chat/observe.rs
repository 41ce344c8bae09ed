//! Looks at passed-through answers: whole ones, and streams frame by frame.
//!
//! Most frames are settled by a search for a few words; only those that tell something are read.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::{self, Finder};
use serde_json::Value;

use super::chunk::Chunk;
use super::error::{decode_error, read_error, stream_status};
use super::usage;
use crate::dialect::{FrameRole, Observation};
use crate::ir::Usage;
use crate::json::{self, Reader, peek};

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static FINISH_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"finish_reason\""));

/// How near the end of an answer its last `finish_reason` mostly stands, in bytes.
const NEAR: usize = 1024;

/// Looks at a whole answer. What vendors write before and after the model's text is found without reading that; an answer in
/// another order is walked.
pub(super) fn observe_body(body: &[u8], observation: &mut Observation) {
    let front = json::front(body, ["id", "model"], "choices");
    let mut counts = Usage::default();
    let back = |counts: &mut Usage| {
        json::back(body, &USAGE, |name, reader| {
            if name == "usage" {
                *counts = usage::read_at(reader)?;
                return Some(());
            }
            reader.value().map(|_| ())
        })
    };
    if let (Some([Some(id), Some(model)]), Some(())) = (front, back(&mut counts)) {
        identify(
            id.string(body).as_deref(),
            model.string(body).as_deref(),
            observation,
        );
        note(&counts, body, observation);
    } else {
        walk_body(body, observation);
    }
}

fn walk_body(body: &[u8], observation: &mut Observation) {
    let Ok(found) = peek(body, ["id", "model", "usage", "choices"]) else {
        return;
    };
    identify(
        found.string(body, "id").as_deref(),
        found.string(body, "model").as_deref(),
        observation,
    );
    let raw = |name| found.member(name).map_or("", |member| member.raw(body));
    let counts = usage::read_at(&mut Reader::new(raw("usage"))).unwrap_or_default();
    note(&counts, raw("choices").as_bytes(), observation);
}

fn note(counts: &Usage, choices: &[u8], observation: &mut Observation) {
    observation.usage.merge(counts);
    if let Some(word) = last_finish_reason(choices) {
        observation.finish = Some(word);
    }
    observation.complete = true;
}

/// The last `finish_reason` with a text. As in [`has_value`], a name in quotes is found only where it is a name.
fn last_finish_reason(choices: &[u8]) -> Option<String> {
    let name = FINISH_REASON.needle();
    let reason = |at: usize| {
        let rest = choices.get(at + name.len()..)?.trim_ascii_start();
        json::text_at(rest.strip_prefix(b":")?)
    };
    let near = choices.len().saturating_sub(NEAR);
    // Only searches from the front use vectors.
    let hits = FINISH_REASON.find_iter(choices.get(near..)?);
    let last = hits.filter_map(|at| reason(near + at)).last();
    last.or_else(|| memmem::rfind_iter(choices, name).find_map(reason))
        .map(Cow::into_owned)
}

fn identify(id: Option<&str>, model: Option<&str>, observation: &mut Observation) {
    let slots = [(&mut observation.id, id), (&mut observation.model, model)];
    for (slot, text) in slots {
        if slot.is_none() {
            *slot = text.filter(|text| !text.is_empty()).map(str::to_owned);
        }
    }
}

/// Searches are made once: there are many frames, and frames are short.
type Names<const N: usize> = LazyLock<[Finder<'static>; N]>;

/// Members whose value is something the model said.
static CONTENT: Names<8> = LazyLock::new(|| {
    [
        "\"content\"",
        "\"reasoning_content\"",
        "\"reasoning\"",
        "\"tool_calls\"",
        "\"refusal\"",
        "\"thinking_blocks\"",
        "\"function_call\"",
        "\"audio\"",
    ]
    .map(Finder::new)
});

/// Members that tell something about the answer.
static TELLING: Names<3> = LazyLock::new(|| ["\"usage\"", "\"finish_reason\"", "\"error\""].map(Finder::new));

/// Looks at one frame. A stream is complete with `[DONE]`, or, for servers that do not send it, once a choice has said why it ended
/// and no other choice goes on.
pub(super) fn observe_frame(event: Option<&str>, data: &[u8], observation: &mut Observation) -> FrameRole {
    let data = data.trim_ascii();
    if data == b"[DONE]" {
        observation.complete = true;
        return FrameRole::Other;
    }
    let new = observation.id.is_none() && observation.model.is_none();
    let tells = new
        || event == Some("error")
        || data.starts_with(b"[")
        || TELLING.iter().any(|name| has_value(data, name));
    if tells {
        return read(event, data, observation);
    }
    if CONTENT.iter().any(|name| has_value(data, name)) {
        observation.complete = false;
        return FrameRole::Content;
    }
    FrameRole::Other
}

/// True when the member occurs with a value that is neither null nor empty. In a text the quotes would be escaped, so that a
/// name in quotes is found only where it is a name (or the whole of a text).
fn has_value(data: &[u8], name: &Finder<'_>) -> bool {
    name.find_iter(data).any(|at| {
        let rest = data
            .get(at + name.needle().len()..)
            .unwrap_or_default()
            .trim_ascii_start();
        let Some(value) = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else {
            return false;
        };
        !(value.starts_with(b"null") || value.starts_with(b"\"\"") || value.starts_with(b"[]"))
    })
}

fn read(event: Option<&str>, data: &[u8], observation: &mut Observation) -> FrameRole {
    let chunk: Result<Chunk<'_>, _> = serde_json::from_slice(data);
    let chunk = match chunk {
        Ok(chunk) if chunk.error.is_none() && event != Some("error") => chunk,
        Err(_) if event != Some("error") && !data.starts_with(b"[") => return FrameRole::Other,
        _ => {
            observation.error = Some(match serde_json::from_slice::<Value>(data) {
                Ok(value) => read_error(stream_status(value.get(0).unwrap_or(&value)), value),
                Err(_) => decode_error(500, data),
            });
            return FrameRole::Other;
        }
    };
    identify(chunk.id.text(), chunk.model.text(), observation);
    if let Some(usage) = &chunk.usage {
        observation.usage.merge(&usage::read(usage));
    }
    let choices = chunk.choices.unwrap_or_default();
    if choices.is_empty() {
        return if chunk.usage.is_some() {
            FrameRole::UsageOnly
        } else {
            FrameRole::Other
        };
    }
    let content = CONTENT.iter().any(|name| has_value(data, name));
    let mut finished = false;
    for choice in choices {
        if let Some(word) = choice.finish_reason.into_text() {
            observation.finish = Some(word);
            finished = true;
        }
    }
    if finished {
        observation.complete = true;
    } else if content {
        observation.complete = false;
    }
    if content {
        FrameRole::Content
    } else {
        FrameRole::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(frames: &[&str]) -> (Vec<FrameRole>, Observation) {
        let mut observation = Observation::default();
        let see = |frame: &&str| observe_frame(None, frame.as_bytes(), &mut observation);
        let roles = frames.iter().map(see).collect();
        (roles, observation)
    }

    #[test]
    fn frames_have_roles() {
        let (roles, observation) = roles(&[
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"say \"usage\": 5"},"finish_reason":null}],"usage":null}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]},"finish_reason":null}]}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"reasoning_content":"Hm"},"finish_reason":null}]}"#,
            r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
            r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
            "[DONE]",
        ]);
        let content = FrameRole::Content;
        let other = FrameRole::Other;
        assert_eq!(
            roles,
            [
                other,
                content,
                content,
                content,
                other,
                FrameRole::UsageOnly,
                other
            ]
        );
        assert_eq!(observation.usage.total, Some(3));
        assert_eq!(observation.finish.as_deref(), Some("stop"));
        assert_eq!(observation.id.as_deref(), Some("c"));
        assert!(observation.complete);
    }

    #[test]
    fn a_choice_that_goes_on_is_not_complete() {
        let finish = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        let more = r#"{"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":null}]}"#;
        assert!(roles(&[finish]).1.complete);
        assert!(!roles(&[finish, more]).1.complete);
        assert!(roles(&[finish, more, "[DONE]"]).1.complete);
    }

    #[test]
    fn usage_in_the_last_chunk_with_content_is_content() {
        let (roles, observation) = roles(&[
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#,
        ]);
        assert_eq!(roles, [FrameRole::Content]);
        assert_eq!(observation.usage.input, Some(1));
    }

    #[test]
    fn errors_are_seen() {
        for frame in [
            r#"{"error":{"message":"Overloaded","type":"overloaded_error"}}"#,
            r#"{"id":"c","choices":[],"error":{"message":"Overloaded","code":503}}"#,
        ] {
            let error = roles(&[frame]).1.error.unwrap_or_else(|| panic!("{frame}"));
            assert_eq!((error.status, error.message.as_str()), (503, "Overloaded"));
        }
        let text = r#"{"id":"c","model":"m","choices":[{"delta":{"content":"\"error\": {}"},"error":null}]}"#;
        assert!(roles(&[text]).1.error.is_none());
    }
}
