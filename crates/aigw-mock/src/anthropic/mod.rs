//! Anthropic's API (<https://docs.anthropic.com/en/api/messages>).

mod blocks;
mod cache;
mod check;
mod dispatch;
mod input;
mod messages;
mod models;
mod parameters;
mod render;
mod schema;
mod stream;
mod tools;
mod turns;

pub(crate) use dispatch::{answer, error_event, headers, unauthorised};
