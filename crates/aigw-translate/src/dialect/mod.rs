//! Conversation dialects: each written once as decode-to-IR and encode-from-IR.

pub mod anthropic_messages;
mod contract;
pub mod openai_chat;

pub use contract::{Dialect, FrameRole, Observation, ReplyContext, StreamDecoder, StreamEncoder, Target};

use crate::ir::DialectId;

/// Every dialect that is built, in the order of their names.
pub static ALL: &[&dyn Dialect] = &[&anthropic_messages::AnthropicMessages, &openai_chat::OpenAiChat];

/// The dialect with this id, when it is built.
pub fn find(id: DialectId) -> Option<&'static dyn Dialect> {
    ALL.iter().copied().find(|dialect| dialect.id() == id)
}
