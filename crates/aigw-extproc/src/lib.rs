//! The Envoy host: the external processor that carries events between Envoy and the engine, and the xDS server that programs that Envoy.

mod bootstrap;
pub mod names;
mod places;
mod supervise;
pub mod xds;

pub use bootstrap::{At, BootstrapOptions, bootstrap};
pub use places::Places;
pub use supervise::{Envoy, EnvoyError, EnvoyState, Launch, find as find_envoy};
