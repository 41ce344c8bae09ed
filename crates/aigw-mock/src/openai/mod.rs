//! OpenAI's API (<https://platform.openai.com/docs/api-reference>), and what servers compatible with it add to it.

mod audio;
mod chat;
mod chat_input;
mod chat_render;
mod check;
mod completions;
mod dispatch;
mod embeddings;
mod images;
mod models;
mod moderations;
mod parameters;
mod rerank;
mod responses;
mod responses_input;
mod responses_render;
mod tokenize;
mod tools;

pub(crate) use dispatch::{answer, error_event, headers, unauthorised};
pub(crate) use models::KNOWN as KNOWN_MODELS;
