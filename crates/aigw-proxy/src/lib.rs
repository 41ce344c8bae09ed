//! The native HTTP host: listeners, one engine exchange for each request, and the connections to upstreams.

mod exchange;
mod listener;
mod transport;
mod upstream;

pub use listener::{ServeError, Server, serve};
pub use upstream::{Answer, AnswerBody, Proxies, Upstreams};
