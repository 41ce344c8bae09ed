//! An Envoy of our own: found, started, started again when it dies, drained, and never left behind.

mod child;
mod find;
mod log;

pub use child::{Envoy, EnvoyError, EnvoyState, Launch};
pub use find::find;
