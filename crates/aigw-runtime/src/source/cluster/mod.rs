//! A gateway's snapshot in a cluster: the index is watched, shards that changed are fetched, and the last good snapshot is kept.
//! What lies there: `docs/design/snapshot.md`.

mod keep;
mod problem;
mod reader;
mod store;

pub use reader::{Arrived, Cluster};
pub use store::SnapshotName;
