//! One exchange as a state machine: events in, effects out. Routing, attempts, mutation, limits and usage; no I/O, no clock,
//! no randomness.
//!
//! A host (the native proxy, Envoy's ext_proc, a script in a test) makes an [`Exchange`] for each client request and feeds it
//! [`Event`]s; after each one it carries out the [`Effect`]s in order and waits for what happens next or for
//! [`Exchange::deadline`].

mod attempt;
mod cost;
mod effect;
mod event;
mod exchange;
mod explain;
mod headers;
mod health;
mod ingress;
mod ledger;
mod models;
mod mutate;
mod reply;
mod route;
mod shared;

pub use attempt::PATIENCE;
pub use effect::{Attempt, AttemptBody, Effect, Effects, ResponseHead};
pub use event::{Event, Failure, FailureKind, Inputs, RequestHead};
pub use exchange::Exchange;
pub use explain::{CandidateExplanation, Explanation, Inquiry, explain};
pub use health::{CheckedBackend, EjectedBackend};
pub use ledger::{AttemptRecord, ErrorClass, Outcome, UsageRecord, rfc3339};
pub use shared::{Permit, Shared};
