//! `Programmed`: what pods report, object by object, and hashes that nobody else's edit changes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use aigw_plan::cluster::{ClusterPlan, Report, plan_cluster};
use aigw_translate::host::Registry;
use common::{MEANS, cluster, gateway, key, object, of, options, plan, remove, report, status, world};
use serde_json::{Value, json};

const ROUTE: &str = "AIGatewayRoute";
const BACKEND: &str = "AIServiceBackend";
const POLICY: &str = "BackendSecurityPolicy";

fn reported(objects: &[Value], reports: Vec<Report>) -> ClusterPlan {
    let mut world = world(objects);
    world.reports = reports;
    plan_cluster(&world, &options(), MEANS)
}

fn pod(objects: &[Value], name: &str) -> Report {
    report(gateway(&plan(objects), "gw"), name)
}

#[test]
fn without_ready_pods_nothing_is_programmed() {
    let objects = cluster();
    let mut waiting = pod(&objects, "a");
    waiting.ready = false;
    for reports in [Vec::new(), vec![waiting]] {
        let plan = reported(&objects, reports);
        for (kind, name) in [
            ("Gateway", "gw"),
            (ROUTE, "chat"),
            (BACKEND, "pods"),
            (POLICY, "vendor-key"),
        ] {
            assert_eq!(of(&plan, kind, name, "Programmed"), "False/NoReadyPods", "{kind}");
        }
    }
}

#[test]
fn every_ready_pod_must_serve_the_object_as_it_is() {
    let old = cluster();
    let mut new = cluster();
    object(&mut new, ROUTE, "chat")["spec"]["rules"][0]["streamIdleTimeout"] = json!("9s");
    let says = |reports: Vec<Report>| {
        let plan = reported(&new, reports);
        let other = of(&plan, ROUTE, "other", "Programmed");
        assert_eq!(other, "True/Programmed", "another object's edit flips nothing");
        of(&plan, ROUTE, "chat", "Programmed")
    };
    assert_eq!(says(vec![pod(&new, "a"), pod(&new, "b")]), "True/Programmed");
    assert_eq!(says(vec![pod(&new, "a"), pod(&old, "b")]), "Unknown/Pending");
    let starting = Report {
        ready: false,
        ..pod(&old, "c")
    };
    assert_eq!(says(vec![pod(&new, "a"), starting]), "True/Programmed");
    let refusing = Report {
        rejected: Some("Envoy: no such cluster".to_owned()),
        ..pod(&old, "b")
    };
    let reports = vec![pod(&new, "a"), refusing];
    assert_eq!(says(reports.clone()), "False/Rejected");
    let plan = reported(&new, reports);
    let (_, message) = common::condition(&status(&plan, ROUTE, "chat").value, "Programmed");
    assert!(
        message.contains("pod b") && message.contains("no such cluster"),
        "{message}"
    );
}

#[test]
fn pods_of_another_gateway_say_nothing() {
    let objects = cluster();
    let stranger = Report {
        gateway_uid: "u-former".to_owned(),
        ..pod(&objects, "a")
    };
    let plan = reported(&objects, vec![stranger]);
    assert_eq!(of(&plan, ROUTE, "chat", "Programmed"), "False/NoReadyPods");
}

#[test]
fn an_object_on_two_gateways_needs_both() {
    let mut objects = cluster();
    let mut second = object(&mut objects, "Gateway", "gw").clone();
    second["metadata"]["name"] = json!("second");
    second["metadata"]["uid"] = json!("u-second");
    objects.push(second);
    object(&mut objects, ROUTE, "chat")["spec"]["parentRefs"] = json!([{"name": "gw"}, {"name": "second"}]);
    let plan = reported(&objects, vec![pod(&objects, "a")]);
    assert_eq!(of(&plan, ROUTE, "chat", "Programmed"), "False/NoReadyPods");
    assert_eq!(of(&plan, BACKEND, "pods", "Programmed"), "False/NoReadyPods");
    assert_eq!(of(&plan, ROUTE, "other", "Programmed"), "True/Programmed");
    let parents = &status(&plan, ROUTE, "chat").value["parents"];
    assert_eq!(common::condition(&parents[0], "Programmed").0, "True/Programmed");
    assert_eq!(
        common::condition(&parents[1], "Programmed").0,
        "False/NoReadyPods"
    );
    let other = &plan.gateways[&key("second")];
    assert!(!other.hashes.contains_key("AIGatewayRoute/ai/other"));
    assert!(
        other
            .document
            .backends
            .iter()
            .all(|one| one.name != "ai/bystander")
    );
    assert!(other.credentials.find("secret/ai/bystander-key/apiKey").is_none());
}

/// Who else's hash changes with an edit: an edit, and the objects whose hashes may differ after it.
#[test]
fn an_edit_changes_no_hash_but_its_own() {
    type Edit = (&'static str, fn(&mut Vec<Value>), &'static [&'static str]);
    let rows: &[Edit] = &[
        (
            "a route",
            |all| object(all, ROUTE, "chat")["spec"]["rules"][0]["streamIdleTimeout"] = json!("9s"),
            &["AIGatewayRoute/ai/chat"],
        ),
        (
            "a backend",
            |all| object(all, BACKEND, "vendor")["spec"]["timeouts"] = json!({"request": "9s"}),
            &["AIServiceBackend/ai/vendor"],
        ),
        (
            "a backend goes",
            |all| remove(all, BACKEND, "hosted"),
            &["AIServiceBackend/ai/hosted"],
        ),
        (
            "the place of a backend",
            |all| object(all, "Backend", "vendor")["spec"]["endpoints"][0]["fqdn"]["port"] = json!(444),
            &["AIServiceBackend/ai/vendor"],
        ),
        (
            "a key of a policy",
            |all| object(all, "Secret", "vendor-key")["metadata"]["resourceVersion"] = json!("21"),
            &["BackendSecurityPolicy/ai/vendor-key"],
        ),
        (
            "a key of a backend",
            |all| object(all, "Secret", "groq-key")["metadata"]["resourceVersion"] = json!("11"),
            &["AIServiceBackend/ai/hosted"],
        ),
        (
            "endpoints",
            |all| object(all, "EndpointSlice", "vllm-1")["endpoints"][0]["addresses"][0] = json!("10.1.0.9"),
            &[],
        ),
        (
            "metadata",
            |all| object(all, ROUTE, "chat")["metadata"]["labels"] = json!({"a": "b"}),
            &[],
        ),
        (
            "a listener",
            |all| object(all, "Gateway", "gw")["spec"]["listeners"][1]["hostname"] = json!("*.example.org"),
            &["Gateway/ai/gw"],
        ),
    ];
    let before = plan(&cluster());
    let before = gateway(&before, "gw");
    for (name, edit, own) in rows {
        let mut objects = cluster();
        edit(&mut objects);
        assert_ne!(objects, cluster(), "{name}");
        let after = plan(&objects);
        let after = gateway(&after, "gw");
        let mut changed: Vec<&str> = Vec::new();
        for (object, hash) in &before.hashes {
            if after.hashes.get(object) != Some(hash) {
                changed.push(object);
            }
        }
        assert_eq!(changed, *own, "{name}");
    }
}

#[test]
fn endpoints_are_no_part_of_the_version() {
    let version = |objects: &[Value]| {
        let document = gateway(&plan(objects), "gw").document.clone();
        let endpoints = document.endpoints.clone();
        let (snapshot, _) = aigw_config::compile(document, &Registry).unwrap();
        (snapshot.version, endpoints)
    };
    let mut moved = cluster();
    object(&mut moved, "EndpointSlice", "vllm-1")["endpoints"][0]["addresses"][0] = json!("10.1.0.9");
    let (before, after) = (version(&cluster()), version(&moved));
    assert_eq!(before.0, after.0);
    assert_ne!(before.1, after.1);
}

#[test]
fn a_key_that_cannot_be_read_any_more_stays_in_service() {
    let mut objects = cluster();
    let in_service = gateway(&plan(&objects), "gw").credentials.clone();
    for (entry, stays) in [(json!({"other": "eA=="}), true), (json!({"apiKey": "%%"}), true)] {
        object(&mut objects, "Secret", "vendor-key")["data"] = entry;
        let mut world = world(&objects);
        world.in_service = in_service.clone();
        let plan = plan_cluster(&world, &options(), MEANS);
        let key = gateway(&plan, "gw")
            .credentials
            .find("secret/ai/vendor-key/apiKey");
        assert_eq!(key.is_some_and(|key| key.reveal() == "sk-vendor"), stays);
        let (says, message) =
            common::condition(&status(&plan, POLICY, "vendor-key").value, "CredentialsReady");
        assert!(says.starts_with("False/"), "{says}");
        assert!(message.contains("last good key"), "{message}");
    }
    remove(&mut objects, "Secret", "vendor-key");
    let mut world = world(&objects);
    world.in_service = in_service;
    let plan = plan_cluster(&world, &options(), MEANS);
    assert!(
        gateway(&plan, "gw")
            .document
            .backends
            .iter()
            .all(|one| one.name != "ai/vendor"),
        "a Secret that is gone was taken away"
    );
}
