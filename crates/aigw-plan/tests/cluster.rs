//! Plans for a cluster: what is served, and what statuses say when all is well.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{cluster, condition, gateway, of, plan, served, status};
use serde_json::json;

#[test]
fn a_healthy_cluster_is_served_and_says_so() {
    let plan = served(&cluster());
    for one in &plan.statuses {
        let value = match one.value["ancestors"].as_array() {
            Some(ancestors) => &ancestors[0],
            None => &one.value,
        };
        for condition in value["conditions"].as_array().unwrap() {
            assert_ne!(
                condition["type"], "Warning",
                "{} {}: {condition:#}",
                one.kind, one.name
            );
            assert_eq!(
                condition["status"], "True",
                "{} {}: {condition:#}",
                one.kind, one.name
            );
            assert_eq!(condition["observedGeneration"], one.generation);
        }
    }
    let kinds: Vec<&str> = plan.statuses.iter().map(|one| one.kind.as_str()).collect();
    let count = |kind: &str| kinds.iter().filter(|one| **one == kind).count();
    assert_eq!(count("AIGatewayRoute"), 2);
    assert_eq!(count("AIServiceBackend"), 5);
    assert_eq!(count("BackendSecurityPolicy"), 2);
    assert_eq!((count("Gateway"), count("GatewayClass")), (1, 1));
}

#[test]
fn the_document_has_listeners_routes_backends_keys_and_endpoints() {
    let plan = plan(&cluster());
    let gw = gateway(&plan, "gw");
    assert_eq!(gw.uid, "u-gw");
    let listeners: Vec<(&str, &str)> = gw
        .document
        .listeners
        .iter()
        .map(|one| (one.name.as_str(), one.address.as_str()))
        .collect();
    assert_eq!(
        listeners,
        [("ai/gw/80", "0.0.0.0:10080"), ("ai/gw/8080", "0.0.0.0:8080")]
    );
    let routes: Vec<_> = gw
        .document
        .routes
        .iter()
        .map(|one| (one.name.as_str(), one.listeners.clone(), one.hostnames.clone()))
        .collect();
    let text = |texts: &[&str]| texts.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    // The older route is tried first; a route has an entry for each set of host names.
    assert_eq!(
        routes,
        [
            ("ai/other", text(&["ai/gw/80"]), text(&[])),
            ("ai/chat", text(&["ai/gw/80"]), text(&[])),
            ("ai/chat@1", text(&["ai/gw/8080"]), text(&["*.example.com"])),
        ]
    );
    let urls: Vec<(&str, Option<&str>)> = gw
        .document
        .backends
        .iter()
        .map(|one| (one.name.as_str(), one.url.as_deref()))
        .collect();
    assert_eq!(
        urls,
        [
            ("ai/bystander", Some("http://bystander.example:8080")),
            ("ai/hosted", None),
            ("ai/pods", Some("http://vllm.ai.svc:8000")),
            ("ai/vendor", Some("https://api.vendor.example:443")),
            ("far/distant", Some("http://10.9.0.1:8080")),
        ]
    );
    let [endpoints] = gw.document.endpoints.as_slice() else {
        panic!("{:?}", gw.document.endpoints);
    };
    assert_eq!(endpoints.name, "vllm.ai.svc:8000");
    assert_eq!(endpoints.addresses, text(&["10.1.0.1:8001", "10.1.0.2:8001"]));
    let key = gw.credentials.find("secret/ai/vendor-key/apiKey").unwrap();
    assert_eq!(key.reveal(), "sk-vendor");
    let mut ids: Vec<&str> = gw.credentials.ids().collect();
    ids.sort_unstable();
    let named: Vec<&str> = gw
        .document
        .credentials
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(ids, named);
    assert_eq!(ids.len(), 4);
}

#[test]
fn the_status_of_a_route_has_its_parents() {
    let plan = served(&cluster());
    let route = status(&plan, "AIGatewayRoute", "chat");
    assert_eq!((route.uid.as_str(), route.generation), ("u-chat", 2));
    assert_eq!(route.api_version, "aigateway.envoyproxy.io/v1beta1");
    let [parent] = route.value["parents"].as_array().unwrap().as_slice() else {
        panic!("{:#}", route.value);
    };
    assert_eq!(
        parent["parentRef"],
        json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"})
    );
    assert_eq!(parent["controllerName"], "aigateway.envoyproxy.io/aigw");
    for one in ["Accepted", "ResolvedRefs", "Programmed"] {
        assert_eq!(condition(parent, one).0, format!("True/{one}"));
        assert_eq!(of(&plan, "AIGatewayRoute", "chat", one), format!("True/{one}"));
    }
}

#[test]
fn listeners_count_their_routes_and_name_their_kinds() {
    let plan = served(&cluster());
    let value = &status(&plan, "Gateway", "gw").value;
    let listeners = value["listeners"].as_array().unwrap();
    let counted: Vec<_> = listeners
        .iter()
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["attachedRoutes"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counted, [("http", 2), ("alt", 1)]);
    for one in listeners {
        assert_eq!(
            one["supportedKinds"],
            json!([{"group": "aigateway.envoyproxy.io", "kind": "AIGatewayRoute"}])
        );
        assert_eq!(condition(one, "Conflicted").0, "False/NoConflicts");
        for condition in ["Accepted", "ResolvedRefs", "Programmed"] {
            assert_eq!(common::condition(one, condition).0, format!("True/{condition}"));
        }
    }
}

#[test]
fn what_is_referred_to_is_wanted() {
    let mut objects = cluster();
    objects.retain(|one| one["kind"] != "Secret" && one["kind"] != "ConfigMap");
    let wanted = plan(&objects).wanted;
    let names = |keys: &std::collections::BTreeSet<aigw_plan::Key>| {
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&wanted.secrets),
        [
            "ai/bystander-key",
            "ai/groq-key",
            "ai/vendor-key",
            "keys/distant-key"
        ]
    );
    assert_eq!(names(&wanted.config_maps), ["ai/vendor-ca"]);
}
