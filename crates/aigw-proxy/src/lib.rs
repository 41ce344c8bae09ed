//! The native HTTP host: listeners, one engine exchange for each request, the connections to upstreams, and checks of their health.

mod exchange;
mod health;
mod listener;
mod transport;
mod upstream;

pub use exchange::{EXCHANGE_HEADER, Hold, PEER_HEADER, Parking, WATCHDOG};
pub use health::check_health;
pub use listener::{
    ParkedServer, Place, ServeError, Server, bind_socket, check_certificate, read_certificate, serve,
    serve_at, serve_parked,
};
pub use upstream::{Answer, AnswerBody, Proxies, Proxy, Upstreams, read_authorities};
