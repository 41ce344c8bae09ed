//! Looks at passed-through answers without taking them apart.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::Value;

use super::error;
use super::usage::Counts;
use crate::dialect::contract::{FrameRole, Observation};
use crate::json;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Seen {
    id: Option<String>,
    model: Option<String>,
    stop_reason: Option<String>,
    usage: Option<Counts>,
}

impl Seen {
    fn note(self, observation: &mut Observation) {
        if let Some(counts) = self.usage {
            counts.apply(&mut observation.usage);
        }
        for (slot, seen) in [
            (&mut observation.id, self.id),
            (&mut observation.model, self.model),
            (&mut observation.finish, self.stop_reason),
        ] {
            if seen.is_some() {
                *slot = seen;
            }
        }
    }
}

#[derive(Deserialize)]
struct Started {
    message: Seen,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Changed {
    delta: Seen,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

static STOP_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"stop_reason\""));

/// Looks at a whole answer. What the vendor writes before and after the model's content is read without that; an answer in another
/// order is read as a whole.
pub(super) fn body(body: &[u8], observation: &mut Observation) {
    if let Some(seen) = ends(body).or_else(|| serde_json::from_slice(body).ok()) {
        seen.note(observation);
        observation.complete = true;
    }
}

/// Reads both ends of an answer; `None` when anything is not as it always is.
fn ends(body: &[u8]) -> Option<Seen> {
    let [id, model] = json::front(body, ["id", "model"], "content")?;
    let (mut stop_reason, mut usage) = (None, None);
    json::back(body, &STOP_REASON, |name, reader| {
        let value = reader.value()?;
        match name {
            "stop_reason" => stop_reason = Some(serde_json::from_str::<Option<String>>(value).ok()?),
            "usage" if usage.is_some() => return None,
            "usage" => usage = Some(serde_json::from_str::<Counts>(value).ok()?),
            _ => {}
        }
        Some(())
    })?;
    Some(Seen {
        id: Some(id?.string(body)?.into_owned()),
        model: Some(model?.string(body)?.into_owned()),
        stop_reason: stop_reason?,
        usage: Some(usage?),
    })
}

/// Looks at a frame.
pub(super) fn frame(event: Option<&str>, data: &[u8], observation: &mut Observation) -> FrameRole {
    // Servers that leave the event's name out still say it inside.
    let kind = match event {
        Some(kind) => Cow::Borrowed(kind),
        None => match serde_json::from_slice::<Kind<'_>>(data) {
            Ok(kind) => kind.kind,
            Err(_) => return FrameRole::Other,
        },
    };
    match kind.as_ref() {
        "content_block_delta" => return FrameRole::Content,
        "message_start" => {
            if let Ok(started) = serde_json::from_slice::<Started>(data) {
                started.message.note(observation);
            }
        }
        "message_delta" => {
            if let Ok(Changed { delta, usage }) = serde_json::from_slice(data) {
                Seen { usage, ..delta }.note(observation);
            }
        }
        "message_stop" => observation.complete = true,
        "error" => {
            let value = serde_json::from_slice::<Value>(data).ok();
            observation.error = value.and_then(|value| error::from_value(None, value));
        }
        _ => {}
    }
    FrameRole::Other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ErrorKind;

    #[test]
    fn a_stream_tells_its_usage_and_end() {
        let mut seen = Observation::default();
        let start = br#"{"type":"message_start","message":{"id":"msg_1","model":"claude-x","content":[],"stop_reason":null,
            "usage":{"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":1}}}"#;
        assert_eq!(frame(Some("message_start"), start, &mut seen), FrameRole::Other);
        let delta = br#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
        assert_eq!(
            frame(Some("content_block_delta"), delta, &mut seen),
            FrameRole::Content
        );
        assert_eq!(frame(None, delta, &mut seen), FrameRole::Content);
        let end =
            br#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#;
        frame(Some("message_delta"), end, &mut seen);
        assert!(!seen.complete);
        frame(Some("message_stop"), br#"{"type":"message_stop"}"#, &mut seen);
        assert_eq!((seen.usage.input, seen.usage.output), (Some(12), Some(9)));
        assert_eq!(seen.id.as_deref(), Some("msg_1"));
        assert_eq!(seen.model.as_deref(), Some("claude-x"));
        assert_eq!(seen.finish.as_deref(), Some("end_turn"));
        assert!(seen.complete);
        assert_eq!(seen.error, None);
    }

    #[test]
    fn an_error_event_is_an_error() {
        let mut seen = Observation::default();
        let data = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        frame(Some("error"), data, &mut seen);
        let error = seen.error.unwrap();
        assert_eq!((error.status, error.kind), (529, ErrorKind::Overloaded));
    }

    #[test]
    fn a_body_tells_its_usage() {
        let mut seen = Observation::default();
        let whole = br#"{"id":"msg_2","type":"message","model":"m","content":[{"type":"text","text":"x"}],"stop_reason":"max_tokens",
            "usage":{"input_tokens":1,"output_tokens":2}}"#;
        body(whole, &mut seen);
        assert_eq!((seen.usage.input, seen.usage.output), (Some(1), Some(2)));
        assert_eq!(seen.finish.as_deref(), Some("max_tokens"));
        let before = seen.clone();
        body(b"<html>", &mut seen);
        assert_eq!(seen, before);
    }

    #[test]
    fn both_ends_tell_what_the_whole_does() {
        let read = [
            r#"{"model":"m","id":"msg_3","content":[{"type":"tool_use","input":{"stop_reason":"x","usage":{"input_tokens":9}}}],
                "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":1},
                "output_tokens_details":{"thinking_tokens":4},"output_tokens":5,"service_tier":"standard"},"container":null}"#,
            r#"{"id":"msg_4","model":"m","content":[],"stop_reason":null,"usage":{}}"#,
        ];
        let left = [
            r#"{"usage":{"input_tokens":3},"id":"msg_5","model":"m","content":[],"stop_reason":"end_turn"}"#,
            r#"{"id":"msg_6","model":"m","stop_reason":"end_turn","usage":{"input_tokens":3},"content":[{"stop_reason":1,"usage":2}]}"#,
            r#"{"id":7,"model":"m","content":[],"stop_reason":"end_turn","usage":{"input_tokens":3}}"#,
            r#"{"id":"msg_8","model":"m","content":[],"stop_reason":"end_turn","usage":{"input_tokens":-3}}"#,
            r#"{"id":"msg_9","model":"m","content":[],"stop_reason":"end_turn"}"#,
        ];
        for (text, ends_read) in read
            .map(|text| (text, true))
            .into_iter()
            .chain(left.map(|text| (text, false)))
        {
            let (mut seen, mut whole) = (Observation::default(), Observation::default());
            body(text.as_bytes(), &mut seen);
            if let Ok(read) = serde_json::from_str::<Seen>(text) {
                read.note(&mut whole);
                whole.complete = true;
            }
            assert_eq!(seen, whole, "{text}");
            assert_eq!(ends(text.as_bytes()).is_some(), ends_read, "{text}");
        }
    }
}
