//! The Envoy host: the external processor that carries events between Envoy and the engine, and the xDS server that programs that Envoy.

pub mod names;
mod places;
mod supervise;

pub use places::Places;
pub use supervise::{Envoy, EnvoyError, EnvoyState, Launch, find as find_envoy};
