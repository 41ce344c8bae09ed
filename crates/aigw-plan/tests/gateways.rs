//! GatewayClasses, Gateways and their listeners.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use aigw_plan::cluster::{Claim, ClusterPlan, Options, Port, plan_cluster};
use common::{MEANS, cluster, condition, gateway, object, objects, of, options, plan, served, status, world};
use serde_json::{Value, json};

fn listener<'a>(plan: &'a ClusterPlan, name: &str) -> &'a Value {
    let all = status(plan, "Gateway", "gw").value["listeners"]
        .as_array()
        .unwrap();
    all.iter().find(|one| one["name"] == name).unwrap()
}

/// The small cluster with one more listener.
fn with_listener(more: &Value) -> Vec<Value> {
    let mut objects = cluster();
    let listeners = &mut object(&mut objects, "Gateway", "gw")["spec"]["listeners"];
    listeners.as_array_mut().unwrap().push(more.clone());
    objects
}

#[test]
fn a_bad_listener_harms_no_other() {
    type Row = (&'static str, Value, &'static [(&'static str, &'static str)]);
    let rows: Vec<Row> = vec![
        (
            "TCP",
            json!({"name": "new", "port": 9000, "protocol": "TCP"}),
            &[
                ("Accepted", "False/UnsupportedProtocol"),
                ("Programmed", "False/Invalid"),
            ],
        ),
        (
            "UDP on a port that is taken",
            json!({"name": "new", "port": 80, "protocol": "UDP"}),
            &[
                ("Accepted", "False/UnsupportedProtocol"),
                ("Conflicted", "False/NoConflicts"),
            ],
        ),
        (
            "TLS",
            json!({"name": "new", "port": 9443, "protocol": "TLS", "tls": {"mode": "Passthrough"}}),
            &[("Accepted", "False/UnsupportedProtocol")],
        ),
        (
            "HTTPS passed through",
            json!({"name": "new", "port": 443, "protocol": "HTTPS", "tls": {"mode": "Passthrough"}}),
            &[("Accepted", "False/NotSupportedYet")],
        ),
        (
            "HTTPS without certificates",
            json!({"name": "new", "port": 443, "protocol": "HTTPS"}),
            &[
                ("Accepted", "True/Accepted"),
                ("ResolvedRefs", "False/InvalidCertificateRef"),
                ("Programmed", "False/Invalid"),
            ],
        ),
        (
            "HTTPS with a Secret that is missing",
            json!({"name": "new", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "web"}]}}),
            &[("ResolvedRefs", "False/InvalidCertificateRef")],
        ),
        (
            "HTTPS with a Secret that is no certificate",
            json!({"name": "new", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "groq-key"}]}}),
            &[("ResolvedRefs", "False/InvalidCertificateRef")],
        ),
        (
            "HTTPS with a Secret of another namespace",
            json!({"name": "new", "port": 443, "protocol": "HTTPS",
                   "tls": {"certificateRefs": [{"name": "distant-key", "namespace": "keys"}]}}),
            &[("ResolvedRefs", "False/RefNotPermitted")],
        ),
        (
            "a kind that cannot attach",
            json!({"name": "new", "port": 9000, "protocol": "HTTP", "allowedRoutes": {"kinds": [{"kind": "TCPRoute"}]}}),
            &[
                ("ResolvedRefs", "False/InvalidRouteKinds"),
                ("Accepted", "True/Accepted"),
            ],
        ),
        (
            "a selector that cannot be read",
            json!({"name": "new", "port": 9000, "protocol": "HTTP",
                   "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}}}),
            &[("Accepted", "False/Invalid")],
        ),
    ];
    let before = served(&cluster());
    for (name, more, says) in rows {
        let objects = with_listener(&more);
        let after = served(&objects);
        for (of, expected) in says {
            let (found, message) = condition(listener(&after, "new"), of);
            assert_eq!(found, *expected, "{name}: {of}: {message}");
        }
        assert_eq!(
            of(&after, "Gateway", "gw", "Accepted"),
            "True/ListenersNotValid",
            "{name}"
        );
        for old in ["http", "alt"] {
            assert_eq!(listener(&before, old), listener(&after, old), "{name}: {old}");
        }
        let (old, new) = (gateway(&before, "gw"), gateway(&after, "gw"));
        assert_eq!(
            old.document.listeners.len() + usize::from(name.starts_with("a kind")),
            new.document.listeners.len(),
            "{name}"
        );
        assert_eq!(
            of(&after, "AIGatewayRoute", "other", "Accepted"),
            "True/Accepted",
            "{name}"
        );
    }
}

#[test]
fn listeners_that_cannot_be_told_apart_are_all_refused() {
    let rows = [
        (
            json!({"name": "new", "port": 8080, "protocol": "HTTP", "hostname": "*.Example.com"}),
            "HostnameConflict",
        ),
        (
            json!({"name": "new", "port": 8080, "protocol": "HTTPS", "hostname": "a.example.com"}),
            "ProtocolConflict",
        ),
    ];
    for (more, reason) in rows {
        let plan = served(&with_listener(&more));
        for name in ["alt", "new"] {
            let one = listener(&plan, name);
            assert_eq!(condition(one, "Conflicted").0, format!("True/{reason}"), "{name}");
            assert_eq!(condition(one, "Accepted").0, format!("False/{reason}"), "{name}");
            assert_eq!(one["attachedRoutes"], 0, "{name}");
        }
        assert_eq!(condition(listener(&plan, "http"), "Accepted").0, "True/Accepted");
        let ports: Vec<u16> = gateway(&plan, "gw").ports.iter().map(|one| one.port).collect();
        assert_eq!(ports, [80]);
    }
}

#[test]
fn aigatewayroutes_attach_wherever_httproutes_may() {
    let kinds = |kinds: Value| {
        let mut objects = cluster();
        object(&mut objects, "Gateway", "gw")["spec"]["listeners"][0]["allowedRoutes"]["kinds"] = kinds;
        of(&plan(&objects), "AIGatewayRoute", "other", "Accepted")
    };
    assert_eq!(kinds(json!([{"kind": "HTTPRoute"}])), "True/Accepted");
    assert_eq!(
        kinds(json!([{"group": "aigateway.envoyproxy.io", "kind": "AIGatewayRoute"}])),
        "True/Accepted"
    );
    assert_eq!(
        kinds(json!([{"kind": "GRPCRoute"}])),
        "False/NotAllowedByListeners"
    );
}

#[test]
fn namespaces_are_let_in_by_their_labels() {
    let far = |namespaces: Value| {
        let mut objects = cluster();
        object(&mut objects, "Gateway", "gw")["spec"]["listeners"] = json!([{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": namespaces}}]);
        let mut route = object(&mut objects, "AIGatewayRoute", "other").clone();
        route["metadata"]["namespace"] = json!("far");
        route["spec"]["parentRefs"] = json!([{"name": "gw", "namespace": "ai"}]);
        objects.push(route);
        let plan = plan(&objects);
        (
            of(&plan, "AIGatewayRoute", "far/other", "Accepted"),
            of(&plan, "AIGatewayRoute", "ai/other", "Accepted"),
        )
    };
    let (yes, no) = ("True/Accepted", "False/NotAllowedByListeners");
    let label = |team: &str| json!({"from": "Selector", "selector": {"matchLabels": {"team": team}}});
    for (namespaces, far_says, ai_says) in [
        (json!({"from": "All"}), yes, yes),
        (json!({"from": "Same"}), no, yes),
        (json!({}), no, yes),
        (json!({"from": "None"}), no, no),
        (label("b"), yes, no),
        (label("a"), no, yes),
        (label("c"), no, no),
    ] {
        assert_eq!(
            far(namespaces.clone()),
            (far_says.to_owned(), ai_says.to_owned()),
            "{namespaces}"
        );
    }
}

#[test]
fn host_names_meet() {
    let on = |hostnames: Value| {
        let mut objects = cluster();
        let spec = &mut object(&mut objects, "AIGatewayRoute", "chat")["spec"];
        spec["hostnames"] = hostnames;
        let plan = plan(&objects);
        let routes = gateway(&plan, "gw").document.routes.clone();
        let mine = routes.into_iter().filter(|one| one.name.starts_with("ai/chat"));
        mine.map(|one| (one.listeners.join(","), one.hostnames.join(",")))
            .collect::<Vec<_>>()
    };
    let row = |rows: &[(&str, &str)]| {
        let owned = rows
            .iter()
            .map(|(listeners, names)| ((*listeners).to_owned(), (*names).to_owned()));
        owned.collect::<Vec<_>>()
    };
    assert_eq!(
        on(json!(["a.example.com"])),
        row(&[("ai/gw/80,ai/gw/8080", "a.example.com")])
    );
    assert_eq!(
        on(json!(["a.example.com", "b.org"])),
        row(&[
            ("ai/gw/8080", "a.example.com"),
            ("ai/gw/80", "a.example.com,b.org")
        ])
    );
    assert_eq!(
        on(json!([])),
        row(&[("ai/gw/80", ""), ("ai/gw/8080", "*.example.com")])
    );
}

#[test]
fn ports_are_those_that_a_process_without_rights_may_have() {
    let mut objects = cluster();
    object(&mut objects, "Gateway", "gw")["spec"]["listeners"] = json!([
        {"name": "a", "port": 80, "protocol": "HTTP"},
        {"name": "b", "port": 10080, "protocol": "HTTP"},
        {"name": "c", "port": 81, "protocol": "HTTP"},
        {"name": "d", "port": 8080, "protocol": "HTTP"},
    ]);
    let plan = plan(&objects);
    let port = |port, container| Port { port, container };
    assert_eq!(
        gateway(&plan, "gw").ports,
        [
            port(80, 10080),
            port(81, 10081),
            port(8080, 8080),
            port(10080, 30000)
        ]
    );
}

#[test]
fn settings_and_addresses_of_a_gateway() {
    type Row = (&'static str, fn(&mut Value), &'static str);
    let rows: &[Row] = &[
        (
            "an address that may be asked for",
            |spec| spec["addresses"] = json!([{"type": "IPAddress", "value": "10.0.0.1"}]),
            "True/Accepted",
        ),
        (
            "an address by name",
            |spec| spec["addresses"] = json!([{"type": "Hostname", "value": "a.example.com"}]),
            "False/UnsupportedAddress",
        ),
        (
            "parameters that are missing",
            |spec| {
                spec["infrastructure"] = json!({"parametersRef": {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "none"}});
            },
            "False/InvalidParameters",
        ),
        (
            "parameters of another kind",
            |spec| {
                spec["infrastructure"] =
                    json!({"parametersRef": {"group": "", "kind": "ConfigMap", "name": "none"}});
            },
            "False/InvalidParameters",
        ),
    ];
    for (name, edit, expected) in rows {
        let mut objects = cluster();
        edit(&mut object(&mut objects, "Gateway", "gw")["spec"]);
        let plan = served(&objects);
        assert_eq!(of(&plan, "Gateway", "gw", "Accepted"), *expected, "{name}");
        // A slip in the settings does not stop traffic.
        assert_eq!(gateway(&plan, "gw").document.routes.len(), 3, "{name}");
        assert_eq!(
            of(&plan, "AIGatewayRoute", "chat", "Programmed"),
            "True/Programmed",
            "{name}"
        );
    }
}

#[test]
fn addresses_come_from_the_gateways_service() {
    let service = |spec: &str, status: &str| {
        let mut objects = cluster();
        objects.extend(common::objects(&format!(
            "{{apiVersion: v1, kind: Service,
               metadata: {{name: made, namespace: ai, ownerReferences: [{{apiVersion: v1, kind: Gateway, name: gw, uid: u-gw}}]}},
               spec: {spec}, status: {status}}}"
        )));
        let plan = served(&objects);
        let addresses = status_of(&plan)["addresses"].clone();
        (addresses, of(&plan, "Gateway", "gw", "Programmed"))
    };
    fn status_of(plan: &ClusterPlan) -> &Value {
        &status(plan, "Gateway", "gw").value
    }
    let ip = |value: &str| json!({"type": "IPAddress", "value": value});
    assert_eq!(
        service(
            "{type: LoadBalancer, clusterIP: 10.0.0.1}",
            "{loadBalancer: {ingress: [{ip: 192.0.2.1}]}}"
        ),
        (json!([ip("192.0.2.1")]), "True/Programmed".to_owned())
    );
    assert_eq!(
        service(
            "{type: LoadBalancer, clusterIP: 10.0.0.1}",
            "{loadBalancer: {ingress: [{hostname: lb.example.com}]}}"
        )
        .0,
        json!([{"type": "Hostname", "value": "lb.example.com"}])
    );
    assert_eq!(
        service("{type: LoadBalancer, clusterIP: 10.0.0.1}", "{}"),
        (json!([]), "False/AddressNotAssigned".to_owned())
    );
    assert_eq!(
        service("{type: ClusterIP, clusterIP: 10.0.0.1}", "{}").0,
        json!([ip("10.0.0.1")])
    );
}

#[test]
fn classes_of_envoy_gateway_are_claimed_as_the_options_say() {
    let mut objects = cluster();
    object(&mut objects, "GatewayClass", "aigw")["spec"]["controllerName"] =
        json!("gateway.envoyproxy.io/gatewayclass-controller");
    let rows = [
        (Claim::Auto, false, true),
        (Claim::Auto, true, false),
        (Claim::Always, true, true),
        (Claim::Never, false, false),
    ];
    for (claim, envoy_gateway_runs, ours) in rows {
        let options = Options {
            claim,
            envoy_gateway_runs,
            ..options()
        };
        let plan = plan_cluster(&world(&objects), &options, MEANS);
        assert_eq!(
            plan.gateways.len(),
            usize::from(ours),
            "{claim:?} {envoy_gateway_runs}"
        );
        let told = plan
            .statuses
            .iter()
            .any(|one| one.kind == "Gateway" || one.kind == "GatewayClass");
        assert_eq!(told, ours, "{claim:?} {envoy_gateway_runs}");
        let route = of(&plan, "AIGatewayRoute", "chat", "Accepted");
        assert_eq!(route == "True/Accepted", ours, "{claim:?}: {route}");
    }
    object(&mut objects, "GatewayClass", "aigw")["spec"]["controllerName"] = json!("example.com/other");
    assert!(plan(&objects).gateways.is_empty());
}

#[test]
fn a_class_says_what_it_can() {
    let told = |version: Option<&str>, edit: fn(&mut Value)| {
        let mut objects = cluster();
        edit(&mut object(&mut objects, "GatewayClass", "aigw")["spec"]);
        let options = Options {
            bundle_version: version.map(str::to_owned),
            ..options()
        };
        let plan = plan_cluster(&world(&objects), &options, MEANS);
        status(&plan, "GatewayClass", "aigw").value.clone()
    };
    let good = told(Some("v1.4.0"), |_| {});
    assert_eq!(condition(&good, "Accepted").0, "True/Accepted");
    assert_eq!(condition(&good, "SupportedVersion").0, "True/SupportedVersion");
    let features: Vec<&str> = good["supportedFeatures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(
        features.is_sorted() && features.contains(&"Gateway"),
        "{features:?}"
    );
    for version in ["v0.8.1", "v2.0.0", "nonsense"] {
        let value = told(Some(version), |_| {});
        assert_eq!(
            condition(&value, "SupportedVersion").0,
            "False/UnsupportedVersion",
            "{version}"
        );
        assert_eq!(condition(&value, "Accepted").0, "True/Accepted");
    }
    let missing = told(Some("v1.4.0"), |spec| {
        spec["parametersRef"] =
            json!({"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "p", "namespace": "ai"});
    });
    assert_eq!(condition(&missing, "Accepted").0, "False/InvalidParameters");
}

#[test]
fn what_is_being_deleted_is_served_no_more() {
    let mut all = cluster();
    object(&mut all, "AIGatewayRoute", "chat")["metadata"]["deletionTimestamp"] =
        json!("2026-01-01T00:00:00Z");
    let plan = plan(&all);
    let routes: Vec<&str> = gateway(&plan, "gw")
        .document
        .routes
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(routes, ["ai/other"]);
    assert!(plan.statuses.iter().all(|one| one.name != "chat"));
    let gone = objects(
        "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g, namespace: ai, uid: u, deletionTimestamp: x},
          spec: {gatewayClassName: aigw, listeners: [{name: a, port: 1, protocol: HTTP}]}}",
    );
    all.extend(gone);
    assert_eq!(common::plan(&all).gateways.len(), 1);
}
