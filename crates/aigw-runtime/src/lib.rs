//! What every host of a process shares: the live snapshot, telemetry, sources and the admin port.

mod live;

pub use live::{Gateway, Live, Sink};
