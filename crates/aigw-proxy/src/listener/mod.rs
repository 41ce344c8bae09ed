//! The way in: sockets, TLS and HTTP versions of the snapshot's listeners, and the end of it all.

mod certificate;
mod connection;
mod server;
mod socket;

pub use server::{ServeError, Server, serve};
