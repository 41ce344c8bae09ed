//! The plan for a cluster: what each Gateway's data plane is to serve, and what the status of every object is to say.
//!
//! A pure function of the objects and of what the data plane's pods report. The order of the input does not matter: equal
//! worlds give equal bytes.

mod class;
mod condition;
mod diagnostics;
mod document;
mod gateway;
pub(crate) mod hash;
mod plan;
mod policy;
mod programmed;
mod route;
mod service;
mod status;
mod types;
mod workload;

pub use crate::certificate::CheckCertificate;
pub use class::knows_gateway_api;
pub use plan::plan_cluster;
pub use types::{
    Claim, ClusterPlan, ENVOY_GATEWAY_CONTROLLER, GatewayPlan, Means, ObjectKey, Options, Port, Report,
    Status, World, object_key,
};
