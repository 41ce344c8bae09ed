//! Where configurations come from: files, directories, the environment, and the operator's snapshots.

mod cluster;
mod environment;
mod expand;
mod file;
mod load;
mod manifest;
mod native;
mod node;
mod reader;
mod ready;
mod secret;

pub use cluster::{Arrived, Cluster, SnapshotName};
pub use environment::{PresetEnv, load_environment};
pub use expand::Environment;
pub(crate) use file::is_configuration;
pub use load::{Loaded, load};
pub use ready::Ready;
