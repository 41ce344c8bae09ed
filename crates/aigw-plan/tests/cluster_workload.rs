//! Workloads in the plan for a cluster: settings are found, what cannot be followed changes nothing, and pods listen where the
//! Service sends requests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use aigw_config::shard;
use aigw_plan::cluster::{ClusterPlan, GatewayPlan};
use aigw_plan::workload::container_ports;
use common::{cluster, gateway, object, objects, plan, status};
use proptest::prelude::*;
use serde_json::{Value, json};

const PROXY: &str = "
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: { name: settings, namespace: ai }
spec:
  ipFamily: DualStack
  provider: { type: Kubernetes, kubernetes: { envoyDeployment: { replicas: 3, patch: { value: { a: 1 } } } } }
";

/// The small cluster with a Gateway that names the EnvoyProxy.
fn with_proxy() -> Vec<Value> {
    let mut all = cluster();
    all.extend(objects(PROXY));
    let reference = json!({"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "settings"});
    object(&mut all, "Gateway", "gw")["spec"]["infrastructure"] = json!({"parametersRef": reference});
    all
}

fn made<'a>(plan: &'a GatewayPlan, kind: &str) -> &'a Value {
    plan.objects.iter().find(|one| one["kind"] == kind).unwrap()
}

/// The condition of the Gateway.
fn says(plan: &ClusterPlan, of: &str) -> Value {
    let all = status(plan, "Gateway", "gw").value["conditions"]
        .as_array()
        .unwrap();
    all.iter().find(|one| one["type"] == of).unwrap().clone()
}

#[test]
fn pods_listen_where_the_service_sends_requests() {
    let plan = plan(&cluster());
    let gw = gateway(&plan, "gw");
    let targets: BTreeMap<u64, String> = made(gw, "Service")["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| {
            let target = &port["targetPort"];
            (port["port"].as_u64().unwrap(), format!("0.0.0.0:{target}"))
        })
        .collect();
    let listeners = &gw.document.listeners;
    let served: BTreeSet<&str> = listeners.iter().map(|one| one.address.as_str()).collect();
    assert_eq!(served, targets.values().map(String::as_str).collect());
    assert_eq!(targets.keys().copied().collect::<Vec<_>>(), [80, 8080]);
    let kinds: Vec<&str> = gw.objects.iter().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(
        kinds,
        [
            "ServiceAccount",
            "Role",
            "RoleBinding",
            "Service",
            "PodDisruptionBudget",
            "Deployment"
        ]
    );
}

#[test]
fn settings_are_followed_and_those_without_effect_are_named() {
    let followed = plan(&with_proxy());
    let gw = gateway(&followed, "gw");
    assert_eq!(made(gw, "Deployment")["spec"]["replicas"], json!(3));
    assert_eq!(gw.document.listeners[0].address, "[::]:10080");
    let warning = says(&followed, "Warning");
    let message = warning["message"].as_str().unwrap();
    assert!(message.contains("EnvoyProxy \"ai/settings\""), "{message}");
    assert!(
        message.contains("spec.provider.kubernetes.envoyDeployment.patch"),
        "{message}"
    );

    // A GatewayConfig comes first, and one that the class names counts as well.
    let mut all = with_proxy();
    let mut config = json!({"apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "GatewayConfig"});
    config["metadata"] = json!({"name": "settings", "namespace": "ai"});
    config["spec"] = json!({"dataPlane": "Native", "replicas": 4});
    all.push(config);
    let reference = json!({"group": "aigateway.envoyproxy.io", "kind": "GatewayConfig", "name": "settings", "namespace": "ai"});
    let class = all.iter_mut().find(|one| one["kind"] == "GatewayClass").unwrap();
    class["spec"]["parametersRef"] = reference;
    let plan = plan(&all);
    let deployment = made(gateway(&plan, "gw"), "Deployment");
    assert_eq!(deployment["spec"]["replicas"], json!(4));
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"][0]["name"],
        json!("aigw")
    );
}

#[test]
fn what_cannot_be_followed_leaves_what_is_there() {
    let mut unreadable = with_proxy();
    object(&mut unreadable, "EnvoyProxy", "settings")["spec"]["concurrency"] = json!("many");
    let mut missing = with_proxy();
    missing.retain(|one| one["kind"] != "EnvoyProxy");
    for (all, why) in [
        (unreadable, "EnvoyProxy: spec: cannot be read"),
        (missing, "no EnvoyProxy is named"),
    ] {
        let plan = plan(&all);
        let gw = gateway(&plan, "gw");
        assert!(gw.keeps && gw.objects.is_empty());
        assert_eq!(gw.document.listeners.len(), 2, "it is served all the same");
        let accepted = says(&plan, "Accepted");
        assert_eq!(
            (&accepted["status"], &accepted["reason"]),
            (&json!("False"), &json!("InvalidParameters"))
        );
        assert!(accepted["message"].as_str().unwrap().contains(why), "{accepted}");
    }
}

proptest! {
    /// Names of objects are names to Kubernetes, and two Gateways never share one.
    #[test]
    fn names_are_short_and_differ(one in "[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?", other in "[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?") {
        let base = shard::base(&one);
        prop_assert!(base.len() <= 63);
        prop_assert!(base.starts_with(|c: char| c.is_ascii_lowercase()));
        prop_assert!(base.ends_with(|c: char| c.is_ascii_alphanumeric()));
        prop_assert!(base.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        prop_assert_eq!(&base, &shard::base(&one));
        prop_assert_eq!(one == other, base == shard::base(&other));
    }

    /// Every port has a place that needs no privileges, is nobody else's and none of ours.
    #[test]
    fn ports_have_places_of_their_own(ports in proptest::collection::btree_set(1u16.., 0..64)) {
        let places = container_ports(ports.iter().copied());
        prop_assert_eq!(places.keys().copied().collect::<BTreeSet<u16>>(), ports);
        let taken: BTreeSet<u16> = places.values().copied().collect();
        prop_assert_eq!(taken.len(), places.len());
        prop_assert!(taken.iter().all(|port| *port >= 1024 && *port != 1064 && *port != 1065));
    }
}
