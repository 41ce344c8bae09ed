//! The native HTTP host: listeners, one engine exchange for each request, and the connections to upstreams.

mod exchange;
mod listener;
mod transport;
mod upstream;

pub use exchange::PEER_HEADER;
pub use listener::{Place, ServeError, Server, bind_socket, serve, serve_at};
pub use upstream::{Answer, AnswerBody, Proxies, Upstreams};
