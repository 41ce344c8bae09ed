//! Envoy Gateway's kinds: what is honoured, what is named, and what closes its target.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use aigw_config::RouteSpec;
use aigw_plan::cluster::{ClusterPlan, Options, plan_cluster};
use aigw_translate::host::Registry;
use common::{cluster, condition, gateway, object, objects, of, options, plan, served, status, world};
use serde_json::{Value, json};

fn with(yaml: &str) -> Vec<Value> {
    let mut all = cluster();
    all.extend(objects(yaml));
    all
}

fn policy(kind: &str, target: &str, spec: &str) -> Vec<Value> {
    with(&format!(
        "{{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: {kind}, metadata: {{name: p, namespace: ai, generation: 7}},
           spec: {{targetRefs: [{target}], {spec}}}}}"
    ))
}

const CHAT: &str = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: chat}";
const GATEWAY: &str = "{group: gateway.networking.k8s.io, kind: Gateway, name: gw}";

fn route<'a>(plan: &'a ClusterPlan, name: &str) -> &'a RouteSpec {
    let routes = &gateway(plan, "gw").document.routes;
    routes.iter().find(|one| one.name == name).unwrap()
}

/// The only entry of a policy's status.
fn ancestor<'a>(plan: &'a ClusterPlan, kind: &str) -> &'a Value {
    let value = &status(plan, kind, "p").value;
    let [one] = value["ancestors"].as_array().unwrap().as_slice() else {
        panic!("{value:#}");
    };
    one
}

#[test]
fn retries_and_timeouts_of_a_route_are_honoured() {
    let plan = plan(&policy(
        "BackendTrafficPolicy",
        CHAT,
        "retry: {numRetries: 4, perRetry: {timeout: 3s}}, timeout: {tcp: {connectTimeout: 2s}}, healthCheck: {active: {type: TCP}}",
    ));
    let rule = &route(&plan, "ai/chat").rules[0];
    assert_eq!(rule.retry.as_ref().unwrap().attempts, Some(5));
    assert_eq!(
        rule.timeouts.as_ref().unwrap().connect.map(|one| one.0),
        Some(2_000)
    );
    assert_eq!(route(&plan, "ai/other").rules[0].retry, None);
    let one = ancestor(&plan, "BackendTrafficPolicy");
    assert_eq!(one["ancestorRef"]["name"], "gw");
    assert_eq!(condition(one, "Accepted").0, "True/Accepted");
    let (says, message) = condition(one, "Warning");
    assert_eq!(says, "True/UnsupportedField");
    assert!(
        message.contains("spec.healthCheck") && message.contains("spec.retry.perRetry"),
        "{message}"
    );
}

#[test]
fn a_policy_of_one_rule_is_for_that_rule() {
    let mut all = policy(
        "BackendTrafficPolicy",
        "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: chat, sectionName: second}",
        "retry: {numRetries: 4}",
    );
    object(&mut all, "AIGatewayRoute", "chat")["spec"]["rules"][1]["name"] = json!("second");
    let plan = plan(&all);
    let retried: Vec<bool> = route(&plan, "ai/chat")
        .rules
        .iter()
        .map(|rule| rule.retry.is_some())
        .collect();
    assert_eq!(retried, [false, true, false]);
}

#[test]
fn what_protects_and_is_not_honoured_closes() {
    let rows = [
        (
            "SecurityPolicy",
            CHAT,
            "basicAuth: {users: {name: u}}",
            true,
            false,
        ),
        ("SecurityPolicy", GATEWAY, "cors: {}", true, true),
        (
            "BackendTrafficPolicy",
            CHAT,
            "rateLimit: {type: Global}",
            true,
            false,
        ),
        (
            "BackendTrafficPolicy",
            GATEWAY,
            "rateLimit: {type: Local}",
            true,
            true,
        ),
        (
            "BackendTrafficPolicy",
            CHAT,
            "retry: {numRetries: 1}",
            false,
            false,
        ),
    ];
    for (kind, target, spec, chat, other) in rows {
        let all = policy(kind, target, spec);
        let plan = served(&all);
        let closed = |name: &str| route(&plan, name).refuse.is_some();
        assert_eq!(
            (closed("ai/chat"), closed("ai/other")),
            (chat, other),
            "{kind} {target} {spec}"
        );
        for (name, is_closed) in [("chat", chat), ("other", other)] {
            let value = &status(&plan, "AIGatewayRoute", name).value;
            let warned = value["conditions"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one["reason"] == "Closed");
            assert_eq!(warned, is_closed, "{kind} {target} {name}");
        }
        let expected = if chat {
            "False/NotSupportedYet"
        } else {
            "True/Accepted"
        };
        assert_eq!(condition(ancestor(&plan, kind), "Accepted").0, expected);
        let options = Options {
            serve_despite_policies: true,
            ..options()
        };
        let relaxed = plan_cluster(&world(&all), &options, &Registry);
        assert_eq!(route(&relaxed, "ai/chat").refuse, None, "{kind} {target} {spec}");
    }
}

#[test]
fn a_security_policy_that_cannot_be_read_closes_its_namespace() {
    let mut all = policy("SecurityPolicy", CHAT, "basicAuth: {}");
    object(&mut all, "SecurityPolicy", "p")["spec"]["targetRefs"] = json!("nonsense");
    let plan = plan(&all);
    assert!(route(&plan, "ai/chat").refuse.is_some() && route(&plan, "ai/other").refuse.is_some());
}

#[test]
fn limits_are_those_of_policies_for_the_gateway() {
    let size = |target: &str| {
        let plan = plan(&policy(
            "ClientTrafficPolicy",
            target,
            "connection: {bufferLimit: 50Mi}",
        ));
        let limits = &gateway(&plan, "gw").document.limits;
        limits.max_request_body.map(|size| size.0)
    };
    assert_eq!(size(GATEWAY), Some(50 << 20));
    assert_eq!(
        size("{group: gateway.networking.k8s.io, kind: Gateway, name: another}"),
        None
    );
    let listener = "{group: gateway.networking.k8s.io, kind: Gateway, name: gw, sectionName: http}";
    assert_eq!(size(listener), None);
    let plan = plan(&policy(
        "ClientTrafficPolicy",
        listener,
        "connection: {bufferLimit: 50Mi}",
    ));
    let (says, message) = condition(ancestor(&plan, "ClientTrafficPolicy"), "Warning");
    assert_eq!(says, "True/UnsupportedField");
    assert!(message.contains("sectionName http"), "{message}");
}

#[test]
fn entries_of_other_controllers_stay() {
    let mut all = policy("BackendTrafficPolicy", CHAT, "retry: {numRetries: 1}");
    let theirs =
        json!({"ancestorRef": {"name": "x"}, "controllerName": "example.com/other", "conditions": []});
    let stale = json!({"ancestorRef": {"name": "y"}, "controllerName": "aigateway.envoyproxy.io/aigw", "conditions": []});
    object(&mut all, "BackendTrafficPolicy", "p")["status"] = json!({"ancestors": [theirs, stale]});
    let entries = |all: &[Value]| {
        let plan = plan(all);
        let found = plan
            .statuses
            .iter()
            .find(|one| one.kind == "BackendTrafficPolicy");
        found.map(|one| {
            let ancestors = one.value["ancestors"].as_array().unwrap();
            let names = ancestors
                .iter()
                .map(|one| one["ancestorRef"]["name"].as_str().unwrap().to_owned());
            names.collect::<Vec<_>>()
        })
    };
    assert_eq!(entries(&all), Some(vec!["x".to_owned(), "gw".to_owned()]));
    let target = &mut object(&mut all, "BackendTrafficPolicy", "p")["spec"]["targetRefs"][0];
    target["name"] = json!("nothing-of-ours");
    assert_eq!(
        entries(&all),
        Some(vec!["x".to_owned()]),
        "our own entry is taken away"
    );
    object(&mut all, "BackendTrafficPolicy", "p")["status"] = json!({"ancestors": [theirs]});
    assert_eq!(entries(&all), None, "nothing of ours, nothing to write");
}

#[test]
fn backends_and_tls_policies_say_what_is_wrong_with_them() {
    let mut all = cluster();
    object(&mut all, "Backend", "vendor")["spec"]["tls"] = json!({"insecureSkipVerify": true});
    common::remove(&mut all, "BackendTLSPolicy", "vendor");
    object(&mut all, "Backend", "bystander")["spec"]["endpoints"] = json!([
        {"fqdn": {"hostname": "a", "port": 1}}, {"fqdn": {"hostname": "b", "port": 1}}]);
    object(&mut all, "Backend", "bystander")["spec"]["zone"] = json!("z");
    let plan = served(&all);
    assert_eq!(
        of(&plan, "Backend", "vendor", "Accepted"),
        "False/NotSupportedYet"
    );
    assert_eq!(
        of(&plan, "Backend", "places/distant", "Accepted"),
        "True/Accepted"
    );
    let (_, message) = condition(&status(&plan, "Backend", "bystander").value, "Warning");
    assert!(
        message.contains("spec.zone") && message.contains("more than one endpoint"),
        "{message}"
    );

    let mut all = cluster();
    common::remove(&mut all, "ConfigMap", "vendor-ca");
    let told = |all: &[Value]| {
        let plan = served(all);
        let found = plan.statuses.iter().find(|one| one.kind == "BackendTLSPolicy");
        found.map(|one| condition(&one.value["ancestors"][0], "ResolvedRefs").0)
    };
    assert_eq!(told(&cluster()).as_deref(), Some("True/ResolvedRefs"));
    assert_eq!(told(&all).as_deref(), Some("False/InvalidCACertificateRef"));
}

#[test]
fn while_an_envoy_gateway_runs_its_backends_are_its_own() {
    let options = Options {
        envoy_gateway_runs: true,
        ..options()
    };
    let plan = plan_cluster(&world(&cluster()), &options, &Registry);
    assert!(plan.statuses.iter().all(|one| one.kind != "Backend"));
}
