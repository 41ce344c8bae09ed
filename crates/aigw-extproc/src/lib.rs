//! The Envoy host: the external processor that carries events between Envoy and the engine, and the xDS server that programs that Envoy.

pub mod names;
mod places;

pub use places::Places;
