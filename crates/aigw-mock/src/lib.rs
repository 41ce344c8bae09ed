//! Mock LLM providers that enforce the vendors' documented rules, answer deterministically and fail on request.
//!
//! The mock shares no parsing with the gateway: it judges what the gateway sends.
//!
//! # What it answers
//!
//! The answer follows from the last user message ([`content`](crate)): `ping` → `pong`; `count to N` → N words;
//! a text with `refuse` → a refusal; a text that names a tool → a call of that tool; after a tool result →
//! `The tool said: …`; an image → `I see an image of N bytes (type)`; a document → `I read a document of N bytes`;
//! everything else → `You said: …`. A token is a whitespace-separated word.
//!
//! # Faults
//!
//! See [`Fault`] for the grammar of the `x-mock-fault` header and of model names such as `fault:status=429`.
//!
//! # Records
//!
//! `GET /__mock/requests?since=N` lists what was received, `DELETE /__mock/requests` forgets it.

mod anthropic;
mod body;
mod call;
mod content;
mod encode;
mod error;
mod fault;
mod line;
mod multipart;
mod openai;
mod options;
mod payload;
mod record;
mod reply;
mod route;
mod sample;
mod script;
mod server;
mod service;
mod sign;
mod sse;
mod unit;
mod words;

pub use fault::{BadFault, Fault};
pub use options::Options;
pub use server::serve;
