//! What a plan for a cluster is made from, and what comes out.

use std::collections::{BTreeMap, BTreeSet};

use aigw_config::{Capabilities, Credentials, Document};
use serde_json::Value;

use super::condition::Verdicts;
use crate::backend::Wanted;
use crate::certificate::CheckCertificate;
use crate::index::Key;
use crate::object::Object;
use crate::workload::WorkloadOptions;

/// The controller that GatewayClasses of Envoy Gateway name.
pub const ENVOY_GATEWAY_CONTROLLER: &str = "gateway.envoyproxy.io/gatewayclass-controller";

/// An object by `Kind/namespace/name`.
pub type ObjectKey = String;

/// The key of an object.
pub fn object_key(kind: &str, key: &Key) -> ObjectKey {
    format!("{kind}/{key}")
}

/// What a plan asks of those who serve it.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// What documents may say.
    pub capabilities: &'a (dyn Capabilities + Send + Sync),
    /// What certificates may be.
    pub check_certificate: CheckCertificate,
}

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Objects of all kinds that have a meaning here, in any order. Of Secrets and ConfigMaps only those that an earlier
    /// plan [wanted](ClusterPlan::wanted) need be there.
    pub objects: Vec<Object>,
    /// What the data plane's pods say.
    pub reports: Vec<Report>,
    /// Credentials of the last plan: a key or certificate whose Secret cannot be used any more stays in service.
    pub in_service: Credentials,
}

/// What a pod of a data plane says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Uid of the Gateway that it serves.
    pub gateway_uid: String,
    /// Name of the pod.
    pub pod: String,
    /// Whether it takes requests. Pods that do not are no obstacle.
    pub ready: bool,
    /// Version of the snapshot that it serves.
    pub version: Option<String>,
    /// The newest format of snapshots that it reads.
    pub format: u32,
    /// Hashes of the objects as it serves them.
    pub hashes: BTreeMap<ObjectKey, String>,
    /// Why it does not serve the newest snapshot that it has seen.
    pub rejected: Option<String>,
}

/// Whether GatewayClasses of Envoy Gateway are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// Only while no Envoy Gateway runs in the cluster.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the operator is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// GatewayClasses that name it are ours.
    pub controller_name: String,
    /// GatewayClasses that name [`ENVOY_GATEWAY_CONTROLLER`].
    pub claim: Claim,
    /// Whether an Envoy Gateway runs in the cluster.
    pub envoy_gateway_runs: bool,
    /// Kinds that the cluster has, as `Kind.group`. A reference to a kind that is not installed says so.
    pub installed: BTreeSet<String>,
    /// Version of Gateway API's CRDs, such as `v1.4.0`, from their annotation `gateway.networking.k8s.io/bundle-version`.
    pub bundle_version: Option<String>,
    /// Serve what policies close that are not honoured (SecurityPolicy, `rateLimit`), in place of answering 503.
    pub serve_despite_policies: bool,
    /// What serves Gateways that say nothing else.
    pub workload: WorkloadOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controller_name: "aigateway.envoyproxy.io/aigw".to_owned(),
            claim: Claim::Auto,
            envoy_gateway_runs: false,
            installed: BTreeSet::new(),
            bundle_version: None,
            serve_despite_policies: false,
            workload: WorkloadOptions::default(),
        }
    }
}

/// What a cluster comes to.
#[derive(Clone, Debug, Default)]
pub struct ClusterPlan {
    /// The Gateways that are ours.
    pub gateways: BTreeMap<Key, GatewayPlan>,
    /// What statuses are to say, sorted by kind, namespace and name.
    pub statuses: Vec<Status>,
    /// Secrets and ConfigMaps whose data are needed.
    pub wanted: Wanted,
    /// What was found about the objects.
    pub(super) verdicts: Verdicts,
}

/// What one Gateway comes to.
#[derive(Clone, Debug, Default)]
pub struct GatewayPlan {
    /// Uid of the Gateway.
    pub uid: String,
    /// What its data plane is to serve.
    pub document: Document,
    /// Bytes of the credentials that the document names.
    pub credentials: Credentials,
    /// What each object comes to in the document; see `docs/design/plan.md`.
    pub hashes: BTreeMap<ObjectKey, String>,
    /// Ports of listeners that serve.
    pub ports: Vec<Port>,
    /// Objects that are to exist for it, to be applied as they are, in this order.
    pub objects: Vec<Value>,
    /// Its settings cannot be followed: `objects` is empty, and those that exist stay as they are.
    pub keeps: bool,
}

/// A port that clients connect to, and the one that the pod listens on for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The listener's.
    pub port: u16,
    /// The pod's; never below 1024.
    pub container: u16,
}

/// What the status of an object is to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Group, and its newest version; a cluster may have an older one alone.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for kinds that have none.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid of the object that was looked at.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// `.status`, without `lastTransitionTime` in conditions.
    pub value: Value,
}
