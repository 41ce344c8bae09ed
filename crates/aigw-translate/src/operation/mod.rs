//! Operations: what a client may ask for, by path and method.

mod table;

pub use table::{BodyKind, ErrorShape, Lookup, Operation, lookup};
