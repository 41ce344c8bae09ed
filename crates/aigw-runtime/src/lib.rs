//! What every host of a process shares: the live snapshot, telemetry, sources and the admin port.

mod admin;
mod alarm;
mod drive;
mod entropy;
mod live;
mod onward;
mod source;
mod status;
mod telemetry;
mod watch;

pub use admin::{admin, status};
pub use alarm::Alarm;
pub use drive::{Drive, FAILED};
pub use entropy::next as random;
pub use live::{Gateway, Live, Sink};
pub use onward::Onward;
pub use source::{Arrived, Cluster, SnapshotName};
pub use source::{Environment, Loaded, PresetEnv, Ready, load, load_environment};
pub use status::{EnvoyReport, Host, Refused, Report, Served, Status};
pub use telemetry::{EnvoyMetrics, LogFormat, Metrics, Telemetry};
pub use watch::Watcher;
