//! The Envoy host: the external processor that carries events between Envoy and the engine, and the xDS server that programs that Envoy.

mod admin;
mod bootstrap;
mod calls;
mod door;
pub mod names;
mod outbox;
mod places;
mod ports;
mod processor;
mod quiet;
mod supervise;
pub mod xds;

pub use admin::{requests_under_way, send_away};
pub use bootstrap::{At, BootstrapOptions, bootstrap};
pub use door::Door;
pub use places::Places;
pub use ports::{PortError, Ports};
pub use processor::{Processor, metadata};
pub use supervise::{Envoy, EnvoyError, EnvoyState, Launch, find as find_envoy};
