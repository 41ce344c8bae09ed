//! Reads members and edits spans of JSON bytes without a full parse.

mod edges;
mod patch;
mod peek;
mod scan;
pub(crate) mod write;

pub use edges::{back, front, members};
pub use patch::{Edit, literal, patch, patch_peeked, quote};
pub use peek::{Member, PeekError, Peeked, Value, peek};
