//! The operator: watches the objects of a cluster, plans, applies what the plan wants and reports what came of it.
//!
//! Everything is level-triggered: watches keep tables, a bell says that something in them changed, the planner plans the whole
//! anew, and writers bring the cluster to what the last plan wants. `docs/design/controller.md` has the picture.

mod admin;
mod apply;
mod backoff;
mod bell;
mod caches;
pub mod cleanup;
mod connect;
pub mod crds;
mod discovery;
pub mod doctor;
mod kinds;
mod lease;
pub mod look;
mod managed;
mod memory;
mod metrics;
mod named;
mod notice;
mod operator;
mod options;
mod planner;
mod pod;
mod read;
mod references;
mod reports;
mod rollout;
mod said;
mod snapshot;
mod snapshots;
mod status;
mod surroundings;
mod sweep;
mod table;
mod term;
mod wanted;
mod watch;
mod writer;

pub use connect::{ConnectError, Place, connect};
pub use operator::{Error, run};
pub use options::{Election, Options};
