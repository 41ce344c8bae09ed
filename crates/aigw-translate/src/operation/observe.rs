//! Usage of passed-through answers, whatever the operation.

use serde::Deserialize;

use super::table::Operation;
use crate::dialect::{self, Dialect, FrameRole, Observation, openai_chat::OpenAiChat};
use crate::ir::{Error, Usage};

/// Looks at a whole answer.
pub fn observe_body(operation: Operation, body: &[u8], observation: &mut Observation) {
    match operation.conversation().and_then(dialect::find) {
        Some(dialect) => dialect.observe_body(body, observation),
        None => {
            if let Ok(answer) = serde_json::from_slice::<Answer<'_>>(body) {
                answer.note(observation);
            }
        }
    }
}

/// Looks at one event of a stream.
pub fn observe_frame(
    operation: Operation,
    event: Option<&str>,
    data: &[u8],
    observation: &mut Observation,
) -> FrameRole {
    match operation.conversation().and_then(dialect::find) {
        Some(dialect) => dialect.observe_frame(event, data, observation),
        // Legacy completions stream like chat.
        None if operation == Operation::Completions => OpenAiChat.observe_frame(event, data, observation),
        None => generic_frame(event, data, observation),
    }
}

/// Events of the Responses API (`response.completed` carries the whole answer) and of audio streams (`transcript.text.done`
/// carries `usage`). See <https://platform.openai.com/docs/api-reference/responses-streaming>.
fn generic_frame(event: Option<&str>, data: &[u8], observation: &mut Observation) -> FrameRole {
    if memchr::memmem::find(data, b"\"usage\"").is_some()
        && let Ok(answer) = serde_json::from_slice::<Answer<'_>>(data)
    {
        answer.note(observation);
    }
    let named = match event {
        Some(name) => Some(std::borrow::Cow::Borrowed(name)),
        // Some servers leave the name to the data.
        None => serde_json::from_slice::<Named<'_>>(data)
            .ok()
            .map(|named| named.r#type),
    };
    match named.as_deref() {
        Some(name) if name.ends_with(".delta") => return FrameRole::Content,
        Some("response.completed" | "response.incomplete") => observation.complete = true,
        Some("response.failed" | "error") => {
            let message = "The upstream's stream ended with an error.";
            observation.error = Some(Error::gateway(502, "upstream_stream_error", message));
        }
        None if data.trim_ascii() == b"[DONE]" => observation.complete = true,
        _ => {}
    }
    FrameRole::Other
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    r#type: std::borrow::Cow<'a, str>,
}

/// The members that OpenAI's and Cohere's answers tell usage with.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, borrow)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    model: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    usage: Option<Counts>,
    /// The Responses API's events hold the answer in here.
    #[serde(default, borrow)]
    response: Option<Box<Answer<'a>>>,
    /// Cohere's and some vendors' `meta.billed_units`.
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    billed_units: Option<Counts>,
}

/// Counts under OpenAI's two sets of names. Vendors send floats where whole numbers are meant, so numbers are read loosely.
#[derive(Deserialize)]
struct Counts {
    #[serde(default, alias = "prompt_tokens")]
    input_tokens: Option<f64>,
    #[serde(default, alias = "completion_tokens")]
    output_tokens: Option<f64>,
    #[serde(default)]
    total_tokens: Option<f64>,
    #[serde(default, alias = "prompt_tokens_details")]
    input_tokens_details: Option<Details>,
    #[serde(default, alias = "completion_tokens_details")]
    output_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<f64>,
    #[serde(default)]
    reasoning_tokens: Option<f64>,
    #[serde(default)]
    audio_tokens: Option<f64>,
}

impl Answer<'_> {
    fn note(self, observation: &mut Observation) {
        if let Some(inner) = self.response {
            inner.note(observation);
        }
        if let Some(id) = self.id {
            observation.id = Some(id.into_owned());
        }
        if let Some(model) = self.model {
            observation.model = Some(model.into_owned());
        }
        let counts = self
            .usage
            .or_else(|| self.meta.and_then(|meta| meta.billed_units));
        if let Some(counts) = counts {
            observation.usage.merge(&counts.usage());
        }
    }
}

impl Counts {
    fn usage(&self) -> Usage {
        let input = self.input_tokens_details.as_ref();
        let output = self.output_tokens_details.as_ref();
        Usage {
            input: whole(self.input_tokens),
            output: whole(self.output_tokens),
            total: whole(self.total_tokens),
            cache_read: whole(input.and_then(|details| details.cached_tokens)),
            reasoning: whole(output.and_then(|details| details.reasoning_tokens)),
            audio_input: whole(input.and_then(|details| details.audio_tokens)),
            audio_output: whole(output.and_then(|details| details.audio_tokens)),
            ..Usage::default()
        }
    }
}

/// A count of tokens is never negative nor near 2^53.
fn whole(value: Option<f64>) -> Option<u64> {
    let value = value.filter(|value| value.is_finite() && *value >= 0.0 && *value < 9e15)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    Some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_found_under_every_name() {
        let mut seen = Observation::default();
        observe_body(
            Operation::Embeddings,
            br#"{"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}"#,
            &mut seen,
        );
        assert_eq!(
            (seen.usage.input, seen.usage.total, seen.model.as_deref()),
            (Some(7), Some(7), Some("m"))
        );
        let mut seen = Observation::default();
        let event = br#"{"type":"response.completed","response":{"id":"r","model":"m","usage":{"input_tokens":5,"output_tokens":3,
            "input_tokens_details":{"cached_tokens":2},"output_tokens_details":{"reasoning_tokens":1}}}}"#;
        observe_frame(Operation::Responses, Some("response.completed"), event, &mut seen);
        assert_eq!(
            (
                seen.usage.input,
                seen.usage.output,
                seen.usage.cache_read,
                seen.usage.reasoning
            ),
            (Some(5), Some(3), Some(2), Some(1))
        );
        assert_eq!(seen.id.as_deref(), Some("r"));
        let mut seen = Observation::default();
        observe_body(
            Operation::Rerank,
            br#"{"results":[],"meta":{"billed_units":{"input_tokens":4.0}}}"#,
            &mut seen,
        );
        assert_eq!(seen.usage.input, Some(4));
    }

    #[test]
    fn an_answer_of_another_shape_tells_nothing() {
        let mut seen = Observation::default();
        observe_body(
            Operation::AudioTranscriptions,
            br#"{"text":"hello","usage":"none"}"#,
            &mut seen,
        );
        observe_body(Operation::Embeddings, b"[]", &mut seen);
        assert_eq!(seen, Observation::default());
    }
}
