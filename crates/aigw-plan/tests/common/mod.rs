//! What tests of plans for clusters share: a small cluster, and ways to look at what comes out.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use aigw_plan::Key;
use aigw_plan::cluster::{ClusterPlan, GatewayPlan, Means, Options, Report, Status, World, plan_cluster};
use aigw_plan::read;
use aigw_translate::host::Registry;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

/// A Gateway with two listeners, and two routes: `chat` over everything that can be wired, `other` beside it.
pub const CLUSTER: &str = include_str!("cluster.yaml");

/// Objects of a YAML stream.
pub fn objects(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_yaml::from_multiple(yaml).unwrap();
    documents.into_iter().filter(|one| !one.is_null()).collect()
}

/// The small cluster.
pub fn cluster() -> Vec<Value> {
    objects(CLUSTER)
}

/// What the data plane can serve.
pub const MEANS: Means<'static> = Means {
    capabilities: &Registry,
    check_certificate,
};

fn check_certificate(chain: &str, key: &str) -> Result<(), String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let chain = chain.map_err(|_| "the certificate is not PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "the key is not PEM")?;
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
        .map(|_| ())
        .map_err(|error| format!("they do not work together: {error}"))
}

pub fn options() -> Options {
    Options {
        bundle_version: Some("v1.4.0".to_owned()),
        ..Options::default()
    }
}

pub fn world(objects: &[Value]) -> World {
    World {
        objects: objects.iter().filter_map(read).collect(),
        ..World::default()
    }
}

pub fn plan(objects: &[Value]) -> ClusterPlan {
    plan_cluster(&world(objects), &options(), MEANS)
}

/// The plan after one ready pod of each Gateway serves all of it.
pub fn served(objects: &[Value]) -> ClusterPlan {
    let mut world = world(objects);
    let first = plan_cluster(&world, &options(), MEANS);
    world.reports = first
        .gateways
        .values()
        .map(|plan| report(plan, "pod-0"))
        .collect();
    plan_cluster(&world, &options(), MEANS)
}

/// What a pod says that serves the plan.
pub fn report(plan: &GatewayPlan, pod: &str) -> Report {
    Report {
        gateway_uid: plan.uid.clone(),
        pod: pod.to_owned(),
        ready: true,
        hashes: plan.hashes.clone(),
        ..Report::default()
    }
}

/// The object of a kind and name (`namespace/name`, or the name in namespace `ai`).
pub fn object<'a>(objects: &'a mut [Value], kind: &str, name: &str) -> &'a mut Value {
    let key = key(name);
    let found = objects.iter_mut().find(|one| {
        let namespace = one["metadata"]["namespace"].as_str().unwrap_or("");
        one["kind"] == kind
            && one["metadata"]["name"] == key.name.as_str()
            && (namespace.is_empty() || namespace == key.namespace)
    });
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// Takes the object away.
pub fn remove(objects: &mut Vec<Value>, kind: &str, name: &str) {
    let gone = object(objects, kind, name).clone();
    objects.retain(|one| *one != gone);
}

pub fn key(name: &str) -> Key {
    match name.split_once('/') {
        Some((namespace, name)) => Key::new(namespace, name),
        None => Key::new("ai", name),
    }
}

pub fn gateway<'a>(plan: &'a ClusterPlan, name: &str) -> &'a GatewayPlan {
    &plan.gateways[&key(name)]
}

pub fn status<'a>(plan: &'a ClusterPlan, kind: &str, name: &str) -> &'a Status {
    let key = key(name);
    let found = plan.statuses.iter().find(|one| {
        one.kind == kind
            && one.name == key.name
            && (one.namespace.is_empty() || one.namespace == key.namespace)
    });
    found.unwrap_or_else(|| panic!("no status of {kind} {name}"))
}

/// `Status/Reason` of a condition, and its message.
pub fn condition(value: &Value, of: &str) -> (String, String) {
    let all = value["conditions"].as_array().unwrap();
    let found = all.iter().find(|one| one["type"] == of);
    let one = found.unwrap_or_else(|| panic!("no condition {of} in {value:#}"));
    let text = |field: &str| one[field].as_str().unwrap().to_owned();
    (format!("{}/{}", text("status"), text("reason")), text("message"))
}

/// `Status/Reason` of an object's condition.
pub fn of(plan: &ClusterPlan, kind: &str, name: &str, of: &str) -> String {
    condition(&status(plan, kind, name).value, of).0
}
