//! Server-sent events, as the HTML standard reads them
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).

mod block;
mod decoder;
mod sieve;
mod write;

pub use decoder::{DEFAULT_LIMIT, Decoder, Frame, Frames, Tail, TooLarge};
pub use sieve::Sieve;
pub use write::{write_comment, write_event};
