//! Reads members and edits spans of JSON bytes without a full parse.

mod edges;
mod patch;
mod peek;
mod reader;
mod scan;
mod special;
pub(crate) mod write;

pub use edges::{back, front, text_at};
pub use patch::{Edit, literal, patch, patch_peeked, quote};
pub use peek::{Member, PeekError, Peeked, Value, peek};
pub use reader::Reader;
