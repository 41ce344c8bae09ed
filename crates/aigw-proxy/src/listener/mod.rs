//! The way in: sockets, TLS and HTTP versions of the snapshot's listeners, and the end of it all.

mod certificate;
mod connection;
mod on_wake;
mod parked;
mod place;
mod server;
mod socket;
mod timer;

pub use certificate::{check_certificate, read_certificate};
pub use parked::{ParkedServer, serve_parked};
pub use place::{Place, bind_socket};
pub use server::{ServeError, Server, serve, serve_at};
