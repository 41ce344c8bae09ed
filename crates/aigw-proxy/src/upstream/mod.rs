//! The way out: connections to providers, kept and reused, and the answers that come back over them.

mod answer;
mod connect;
mod failure;
mod host;
mod http1;
mod http2;
mod known;
mod pool;
mod probe;
mod proxies;
mod share;
mod tls;

pub use answer::{Answer, AnswerBody};
pub use pool::Upstreams;
pub use proxies::{Proxies, Proxy};
pub use tls::read_authorities;
