//! From a document to a snapshot, or to findings that say what to change.

mod backend;
mod candidate;
mod capability;
mod cost;
mod credential;
mod ejection;
mod endpoint;
mod limits;
mod listener;
mod model;
mod mutation;
mod report;
mod route;
mod snapshot;

pub use capability::Capabilities;
pub use mutation::{forbidden_body_member, forbidden_header};
pub use report::nearest;
pub(crate) use report::unknown;
pub use snapshot::compile;
