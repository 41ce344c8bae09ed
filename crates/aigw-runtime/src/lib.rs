//! What every host of a process shares: the live snapshot, telemetry, sources and the admin port.

mod admin;
mod drive;
mod entropy;
mod live;
mod source;
mod telemetry;
mod watch;

pub use admin::admin;
pub use drive::{Drive, FAILED};
pub use live::{Gateway, Live, Sink};
pub use source::{Environment, Loaded, PresetEnv, Ready, load, load_environment};
pub use telemetry::{EnvoyMetrics, LogFormat, Metrics, Telemetry};
pub use watch::Watcher;
