//! The native HTTP host: listeners, one engine exchange for each request, and the connections to upstreams.

mod exchange;
mod listener;
mod transport;
mod upstream;

pub use exchange::{EXCHANGE_HEADER, Hold, PEER_HEADER, Parking, WATCHDOG};
pub use listener::{
    ParkedServer, Place, ServeError, Server, bind_socket, read_certificate, serve, serve_at, serve_parked,
};
pub use upstream::{Answer, AnswerBody, Proxies, Proxy, Upstreams, check_authorities};
