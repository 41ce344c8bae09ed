//! Operations: what a client may ask for, by path and method.

mod observe;
mod render;
mod table;

pub use observe::{observe_body, observe_frame};
pub use render::{encode_error, encode_stream_error};
pub use table::{BodyKind, ErrorShape, Lookup, Operation, lookup};
