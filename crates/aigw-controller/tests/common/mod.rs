//! A real API server on a real etcd for tests. No kubelet and no controller of Kubernetes runs: what those would do (the status of a
//! pod, the deletion of what an owner left) a test does itself, and says so.
//!
//! [`cluster`] is shared by the tests of one binary; a test works in a namespace of its own ([`Cluster::space`]). A test that ends the
//! server starts one for itself with [`Cluster::start`]. The binaries come from `KUBEBUILDER_ASSETS`, or from `scripts/kubernetes.sh`.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test binary uses a part of it, and includes it as a module"
)]

mod apply;
mod audit;
mod cluster;
mod keys;
mod network;
mod operator;
mod pod;
mod servers;
mod space;
mod store;

pub use apply::{GROUP, apply_all, apply_crds, condition, kind_api, one_model, read_manifests, status};
pub use audit::Audited;
pub use cluster::{Cluster, cluster};
pub use network::POD_IP;
pub use operator::{Operator, admit, controller_of, options, prepare, rules, user_of};
pub use pod::TestPod;
pub use servers::Process;
pub use space::{Space, eventually};
pub use store::{read_snapshot, try_read_snapshot};
