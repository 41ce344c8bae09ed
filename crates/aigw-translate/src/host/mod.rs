//! Hosts: where a dialect is served (path, auth placement), and the presets of named providers.

mod path;
mod presets;
mod registry;

pub use path::{Service, service, upstream_path};
pub use presets::{PRESETS, Preset};
pub use registry::{Registry, support_matrix};
