//! The workload that serves a Gateway: Deployment, Service, ServiceAccount, Role, RoleBinding, PodDisruptionBudget and, when
//! asked for, HorizontalPodAutoscaler, as a pure function of the Gateway, its settings and the operator's options.
//!
//! Why the objects are as they are: `docs/design/workloads.md`.

mod access;
mod autoscaling;
mod build;
mod container;
mod deployment;
mod envoyproxy;
mod labels;
mod options;
mod pod;
mod ports;
mod service;
mod settings;
mod volume;

pub use build::{Ignored, Input, Workload, WorkloadError, workload};
pub use labels::{GATEWAY_NAME, GATEWAY_NAMESPACE, MANAGED_BY, POD_TEMPLATE};
pub use options::{Family, Images, WorkloadOptions};
pub use ports::{ADMIN_PORT, STATUS_PORT, STATUS_PORT_NAME, container_ports};
