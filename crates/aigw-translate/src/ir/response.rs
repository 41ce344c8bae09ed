//! A whole answer.

use super::extra::{Extra, Opaque};
use super::request::Block;
use super::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The vendor's id.
    pub id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// Seconds since 1970; encoders of dialects that want one take the time from their context when it is absent.
    pub created: Option<u64>,
    /// Alternatives, mostly one.
    pub candidates: Vec<Candidate>,
    /// Token counts.
    pub usage: Usage,
    /// Service tier in the source's word.
    pub service_tier: Option<String>,
    /// Other members.
    pub extra: Extra,
}

/// One alternative.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Its number, from 0.
    pub index: u32,
    /// Content in order; [`super::Part::Text`], `Reasoning`, `ToolCall`, `Refusal`, `Media` (audio) and `Opaque` occur.
    pub content: Vec<Block>,
    /// Why it ended.
    pub finish: Option<Finish>,
    /// Log probabilities in the vendor's form.
    pub logprobs: Option<Box<Opaque>>,
    /// Other members.
    pub extra: Extra,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// The reason.
    pub reason: FinishReason,
    /// The stop text that was met.
    pub stop_sequence: Option<String>,
    /// The source's word, so that the same dialect writes it back; set when the reason alone would not tell it.
    pub raw: Option<Box<Opaque>>,
}

impl Finish {
    /// A reason with nothing else.
    pub const fn new(reason: FinishReason) -> Self {
        Self {
            reason,
            stop_sequence: None,
            raw: None,
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// A stop text was met.
    StopSequence,
    /// The answer's length limit was met.
    Length,
    /// The model's window was full.
    ContextWindow,
    /// Tools are to be called.
    ToolCalls,
    /// A filter stopped it.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The vendor paused a long turn (Anthropic `pause_turn`): send it back to go on.
    Pause,
    /// The model made an invalid tool call or another fault of generation.
    Malformed,
    /// A word that is not known here.
    Other,
}
