//! The door: one client request is one engine exchange, driven on the connection's own task.
//!
//! [`serve`] reads the request and runs attempts until the engine has a head to answer with; from there on the answer's body,
//! a [`reply::Reply`], owns the exchange and takes it to its end at the client's pace. Whoever drops either one before the
//! end has, to the engine, gone away.

mod door;
mod parked;
mod reply;
mod session;

pub(crate) use door::{Client, Context, serve};
pub use door::{PEER_HEADER, WATCHDOG};
pub(crate) use parked::resume;
pub use parked::{EXCHANGE_HEADER, Hold, Parking};
