//! What Envoy is told: resources made from the snapshot, and the server that it takes them from.

mod access_log;
mod cluster;
mod goal;
mod listener;
mod local_reply;
mod materials;
mod options;
mod processor;
mod resources;
mod route;
mod secret;
mod server;
mod service;
mod session;
mod shared;
mod spread;
mod state;
mod typed;
mod upstream_tls;
mod warm;
mod watchdog;

pub use materials::Materials;
pub use options::{DataPath, Options};
pub use resources::{Kind, LeftOut, ResourceError, Resources, resources};
pub use server::{PublishError, Published, Server, ServerOptions};
pub use service::Service;
pub use state::{KindState, Rejection, State};
