//! One gateway's configuration cut into small, compressed pieces for a store of small objects, and put together again.
//!
//! [`cut`] makes shards of a document, its credentials and the hashes of what it was made from; [`Cut::writes`] places them into
//! a fixed pool of slots, changed ones only, and the index last, so that a reader sees the old snapshot or the new one and
//! nothing between; [`assemble`] checks and joins them. The store itself is somebody else's: everything here is a pure function.
//! What the bytes mean and how large a gateway may be: `docs/design/snapshot.md`.

mod assemble;
mod credential;
mod cut;
mod document;
mod error;
mod format;
mod index;
mod name;
mod pack;
mod payload;
mod plan;

pub use assemble::{Contents, assemble, assemble_with};
pub use cut::{Cut, Shard, cut};
pub use error::ShardError;
pub use format::{FORMAT, FORMATS};
pub use index::{Index, ShardKind, ShardRef};
pub use name::{INDEX_KEY, MAX_BASE, Place, SHARD_KEY, SLOTS, base, names};
pub use pack::{pack, unpack};
pub use payload::{MAX_PLAIN, MAX_STORED, Payload};
pub use plan::Write;
