//! Envoy Gateway's kinds: what is honoured, what is named, and what closes its target.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use aigw_config::{EjectionSpec, HealthCheckSpec, Millis, RouteSpec, StatusSpec};
use aigw_plan::cluster::{ClusterPlan, Options, plan_cluster};
use common::{MEANS, cluster, condition, gateway, object, objects, of, options, plan, served, status, world};
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
        "retry: {numRetries: 4, perRetry: {timeout: 3s, backOff: {maxInterval: 2s}}},
         timeout: {tcp: {connectTimeout: 2s}, http: {streamIdleTimeout: 7s, maxStreamDuration: 1h}},
         circuitBreaker: {maxParallelRequests: 5, maxConnections: 7, maxPendingRequests: 1024, perEndpoint: {maxConnections: 3}},
         healthCheck: {active: {type: TCP, interval: 5s, unhealthyThreshold: 2, tcp: {send: {type: Text, text: hi}}},
           panicThreshold: 40, passive: {consecutive5XxErrors: 3, baseEjectionTime: 10s,
           alwaysEjectOneEndpoint: true, consecutiveLocalOriginFailures: 5, splitExternalLocalOriginErrors: false}}",
    ));
    let rule = &route(&plan, "ai/chat").rules[0];
    let retry = rule.retry.as_ref().unwrap();
    assert_eq!(retry.attempts, Some(5));
    assert_eq!(retry.timeout, Some(Millis(3_000)));
    let backoff = retry.backoff.as_ref().unwrap();
    assert_eq!((backoff.base, backoff.max), (Millis(25), Some(Millis(2_000))));
    let timeouts = rule.timeouts.as_ref().unwrap();
    assert_eq!(
        (timeouts.connect, timeouts.idle),
        (Some(Millis(2_000)), Some(Millis(7_000)))
    );
    assert_eq!(rule.max_concurrent, Some(5));
    let expected = EjectionSpec {
        errors: Some(3),
        time: Some(Millis(10_000)),
        max_percent: Some(10),
        always_one: true,
        ..EjectionSpec::default()
    };
    assert_eq!(rule.ejection, Some(expected));
    let expected = HealthCheckSpec {
        tcp: true,
        interval: Some(Millis(5_000)),
        unhealthy: Some(2),
        ..HealthCheckSpec::default()
    };
    assert_eq!(rule.health_check, Some(expected));
    assert_eq!(route(&plan, "ai/other").rules[0].retry, None);
    let one = ancestor(&plan, "BackendTrafficPolicy");
    assert_eq!(one["ancestorRef"]["name"], "gw");
    assert_eq!(condition(one, "Accepted").0, "True/Accepted");
    let (says, message) = condition(one, "Warning");
    assert_eq!(says, "True/UnsupportedField");
    for field in [
        "spec.healthCheck.active.tcp",
        "spec.healthCheck.panicThreshold",
        "spec.circuitBreaker.maxConnections",
        "spec.circuitBreaker.perEndpoint",
        "spec.timeout.http.maxStreamDuration",
    ] {
        assert!(message.contains(field), "{field}: {message}");
    }
    // What an API server fills in is not named, nor what is honoured.
    for field in [
        "maxPendingRequests",
        "maxParallelRe",
        "perRetry",
        "streamIdle",
        "passive",
        "active.interval",
    ] {
        assert!(!message.contains(field), "{field}: {message}");
    }
}

#[test]
fn active_checks_over_http_are_honoured() {
    let plan = plan(&policy(
        "BackendTrafficPolicy",
        CHAT,
        "healthCheck: {active: {type: HTTP, timeout: 500ms, interval: 5s, initialJitter: 1s, unhealthyThreshold: 4, healthyThreshold: 2,
           http: {path: /up, method: HEAD, hostname: models.test, expectedStatuses: [200, 204], retriableStatuses: [503],
             expectedResponse: {type: Text, text: fine}}}}",
    ));
    let expected = HealthCheckSpec {
        path: Some("/up".to_owned()),
        method: Some("HEAD".to_owned()),
        host: Some("models.test".to_owned()),
        statuses: Some(vec![StatusSpec::One(200), StatusSpec::One(204)]),
        tcp: false,
        interval: Some(Millis(5_000)),
        timeout: Some(Millis(500)),
        initial_jitter: Some(Millis(1_000)),
        unhealthy: Some(4),
        healthy: Some(2),
    };
    let rule = &route(&plan, "ai/chat").rules[0];
    assert_eq!(rule.health_check.as_ref(), Some(&expected));
    assert_eq!(rule.ejection, None);
    assert_eq!(route(&plan, "ai/other").rules[0].health_check, None);
    let one = ancestor(&plan, "BackendTrafficPolicy");
    assert_eq!(condition(one, "Accepted").0, "True/Accepted");
    let (_, message) = condition(one, "Warning");
    for field in ["active.http.retriableStatuses", "active.http.expectedResponse"] {
        assert!(message.contains(field), "{field}: {message}");
    }
    for field in ["hostname", "expectedStatuses", "Jitter", "Threshold"] {
        assert!(!message.contains(field), "{field}: {message}");
    }
}

#[test]
fn a_check_that_would_ask_something_else_is_left_out_and_named() {
    // The check, the condition that tells of it, and what that says.
    let rows = [
        (
            "type: GRPC, grpc: {service: x}",
            "Warning",
            "spec.healthCheck.active.type",
        ),
        (
            "type: TCP, tcp: {}, overrides: {port: 81}",
            "Warning",
            "spec.healthCheck.active.overrides.port",
        ),
        ("type: HTTP", "Accepted", "spec.healthCheck.active.http"),
        (
            "type: HTTP, http: {path: up}",
            "Accepted",
            "spec.healthCheck.active.http.path",
        ),
        (
            "type: HTTP, http: {path: /, hostname: 'a b'}",
            "Accepted",
            "spec.healthCheck.active.http.hostname",
        ),
        (
            "type: HTTP, http: {path: /, expectedStatuses: [200, 99]}",
            "Accepted",
            "spec.healthCheck.active.http.expectedStatuses[1]",
        ),
        (
            "type: TCP, tcp: {}, healthyThreshold: 0",
            "Accepted",
            "spec.healthCheck.active.healthyThreshold",
        ),
    ];
    for (check, kind, says) in rows {
        let plan = plan(&policy(
            "BackendTrafficPolicy",
            CHAT,
            &format!("healthCheck: {{active: {{{check}}}, passive: {{consecutive5XxErrors: 3}}}}"),
        ));
        let rule = &route(&plan, "ai/chat").rules[0];
        assert_eq!(rule.health_check, None, "{check}");
        assert!(rule.ejection.is_some(), "{check}");
        let (state, message) = condition(ancestor(&plan, "BackendTrafficPolicy"), kind);
        let expected = if kind == "Warning" {
            "True/UnsupportedField"
        } else {
            "False/Invalid"
        };
        assert_eq!(state, expected, "{check}: {message}");
        assert!(message.contains(says), "{check}: {message}");
    }
}

#[test]
fn no_request_at_a_time_closes_and_bad_durations_are_told() {
    let closed = plan(&policy(
        "BackendTrafficPolicy",
        CHAT,
        "circuitBreaker: {maxParallelRequests: 0}",
    ));
    let rule = &route(&closed, "ai/chat").rules[0];
    assert_eq!(rule.max_concurrent, None);
    assert!(
        rule.refuse.as_ref().unwrap().contains("maxParallelRequests"),
        "{:?}",
        rule.refuse
    );
    assert_eq!(route(&closed, "ai/other").rules[0].refuse, None);
    let bad = plan(&policy(
        "BackendTrafficPolicy",
        CHAT,
        "retry: {numRetries: 1, perRetry: {timeout: soon}}",
    ));
    let retry = route(&bad, "ai/chat").rules[0].retry.as_ref().unwrap();
    assert_eq!((retry.attempts, retry.timeout), (Some(2), None));
    let (says, message) = condition(ancestor(&bad, "BackendTrafficPolicy"), "Accepted");
    assert_eq!(says, "False/Invalid");
    assert!(message.contains("spec.retry.perRetry.timeout"), "{message}");
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
        let relaxed = plan_cluster(&world(&all), &options, MEANS);
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
fn times_of_clients_are_limits_of_their_gateway() {
    let times = "timeout: {http: {requestReceivedTimeout: 20s, idleTimeout: 1m, streamIdleTimeout: 40s, http3: 1s}, tcp: {idleTimeout: 1h}}";
    let plan = plan(&policy("ClientTrafficPolicy", GATEWAY, times));
    let limits = &gateway(&plan, "gw").document.limits;
    let seconds = |time: Option<Millis>| time.map(|time| time.0 / 1000);
    assert_eq!(
        [limits.request_received, limits.client_idle, limits.timeouts.idle].map(seconds),
        [Some(20), Some(60), Some(40)]
    );
    let (says, message) = condition(ancestor(&plan, "ClientTrafficPolicy"), "Warning");
    assert_eq!(says, "True/UnsupportedField");
    assert!(message.contains("spec.timeout.tcp"), "{message}");
    assert!(!message.contains("requestReceivedTimeout"), "{message}");

    let none = "timeout: {http: {requestReceivedTimeout: 0s, idleTimeout: 0s}}";
    let plan = self::plan(&policy("ClientTrafficPolicy", GATEWAY, none));
    let limits = &gateway(&plan, "gw").document.limits;
    assert_eq!((limits.request_received, limits.client_idle), (None, None));
    let (_, message) = condition(ancestor(&plan, "ClientTrafficPolicy"), "Warning");
    assert!(message.contains("spec.timeout.http.idleTimeout"), "{message}");
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
        message.contains("spec.zone") && !message.contains("endpoint"),
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
    let plan = plan_cluster(&world(&cluster()), &options, MEANS);
    assert!(plan.statuses.iter().all(|one| one.kind != "Backend"));
}
