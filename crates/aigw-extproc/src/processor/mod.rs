//! The external processor: carries events between an Envoy and the engine, one gRPC stream an exchange, and has no behaviour of
//! its own.
//!
//! A request is read to its end, whatever Envoy does with it afterwards is decided by the engine: it is answered at once, sent
//! by Envoy itself (*direct*: one attempt, no stream), or parked for the native host of this process to go on with.

mod acting;
mod answer;
mod call;
mod clusters;
mod flags;
mod forward;
mod headers;
mod metadata;
mod service;
mod stream;
mod wire;

pub use metadata::metadata;
pub use service::Processor;
pub(crate) use service::health;
