//! From Kubernetes objects to the document that the data plane serves. Pure: objects in, document and findings out, so that
//! the operator and the standalone binary plan alike.
//!
//! What hangs on an object that is missing, bad or not supported is left out and reported; everything else serves. Where
//! leaving out would open what should be closed, the route answers 503 in its place.

mod backend;
mod certificate;
pub mod cluster;
mod condition;
mod cost;
mod credential;
mod door;
mod endpoint;
mod finding;
mod gateway;
mod health;
mod index;
mod listener;
mod object;
mod places;
mod plan;
mod policy;
mod read;
mod route;
mod rule;
mod selector;
mod sign;
mod target;
mod time;
mod times;
mod tolerant;
mod traffic;
mod unread;
mod validate;
pub mod workload;

pub use backend::Wanted;
pub use index::Key;
pub use object::{Kind, Object, Unreadable};
pub use plan::{Planned, plan};
pub use read::{read, read_as};
pub use tolerant::compile_tolerantly;
