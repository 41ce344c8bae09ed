//! The events of a streamed answer.
//!
//! Order that decoders keep and encoders may rely on: one [`Event::Start`]; then for each block one [`Event::BlockStart`],
//! any number of [`Event::Delta`] and one [`Event::BlockStop`] (blocks of one candidate never interleave; blocks of several
//! candidates may); a [`Event::Finish`] a candidate; [`Event::Usage`] any time, even before the start, cumulative; one [`Event::End`] last.
//! [`Event::Error`] may come instead of the rest. `block` counts from 0 within a candidate in order of start.

use super::error::Error;
use super::extra::{Extra, Opaque};
use super::request::{Media, Signature};
use super::response::Finish;
use super::usage::Usage;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start {
        /// The vendor's id.
        id: Option<String>,
        /// The model that answers.
        model: Option<String>,
        /// Seconds since 1970.
        created: Option<u64>,
        /// Other members that hold for the whole answer.
        extra: Extra,
    },
    /// A block begins.
    BlockStart {
        /// Candidate.
        candidate: u32,
        /// Block.
        block: u32,
        /// What it is.
        kind: BlockKind,
        /// Other members of the block.
        extra: Extra,
    },
    /// A block grows.
    Delta {
        /// Candidate.
        candidate: u32,
        /// Block.
        block: u32,
        /// By what.
        delta: Delta,
    },
    /// A block is complete.
    BlockStop {
        /// Candidate.
        candidate: u32,
        /// Block.
        block: u32,
    },
    /// A candidate is complete.
    Finish {
        /// Candidate.
        candidate: u32,
        /// Why.
        finish: Finish,
    },
    /// Token counts so far.
    Usage(Usage),
    /// The connection is alive.
    Ping,
    /// The answer failed.
    Error(Error),
    /// An event of a type that the representation does not know.
    Opaque(Opaque),
    /// The answer is complete.
    End,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockKind {
    /// Text.
    Text,
    /// Reasoning.
    Reasoning,
    /// Encrypted reasoning, whole.
    Redacted(Signature),
    /// A tool call; its arguments follow.
    ToolCall {
        /// Id.
        id: String,
        /// Tool's name.
        name: String,
        /// Free-form tool.
        custom: bool,
        /// Proof that belongs to the call.
        signature: Option<Signature>,
    },
    /// The model declines.
    Refusal,
    /// A generated image or recording, whole.
    Media(Media),
    /// A block of a type that the representation does not know; its deltas are [`Delta::Opaque`].
    Opaque(Opaque),
}

/// What a block grows by.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Text of a text, reasoning or refusal block.
    Text(String),
    /// JSON text of a tool call's arguments.
    Arguments(String),
    /// Proof of a reasoning block; the last one counts.
    Signature(Signature),
    /// A citation of a text block, in the vendor's form.
    Citation(Opaque),
    /// Log probabilities of what came before, in the vendor's form.
    Logprobs(Opaque),
    /// A delta of a type that the representation does not know.
    Opaque(Opaque),
}
