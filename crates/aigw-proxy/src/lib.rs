//! The native HTTP host: listeners, one engine exchange for each request, and the connections to upstreams.

mod upstream;

pub use upstream::{Answer, AnswerBody, Proxies, Upstreams};
