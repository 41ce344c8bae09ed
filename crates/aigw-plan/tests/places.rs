//! The endpoints of Envoy Gateway's Backend.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use aigw_config::{BackendSpec, EndpointsSpec};
use common::{cluster, condition, gateway, object, of, plan, served, status};
use serde_json::{Value, json};

/// What becomes of the AIServiceBackend `ai/bystander` with those endpoints.
fn placed(endpoints: Value) -> (BackendSpec, Vec<EndpointsSpec>) {
    let mut all = cluster();
    object(&mut all, "Backend", "bystander")["spec"]["endpoints"] = endpoints;
    let plan = plan(&all);
    let document = &gateway(&plan, "gw").document;
    let backend = document.backends.iter().find(|one| one.name == "ai/bystander");
    let endpoints = document.endpoints.iter().filter(|one| one.own_names);
    (backend.unwrap().clone(), endpoints.cloned().collect())
}

#[test]
fn one_place_is_the_url_and_several_are_endpoints() {
    let url = |endpoints: Value| {
        let (backend, endpoints) = placed(endpoints);
        assert!(endpoints.is_empty(), "{endpoints:?}");
        backend.url.unwrap()
    };
    let six = json!({"ip": {"address": "fd00::1", "port": 80}});
    let named = json!({"fqdn": {"hostname": "B.example", "port": 8080}});
    assert_eq!(url(json!([six, six])), "http://[fd00::1]:80");
    assert_eq!(url(json!([named])), "http://b.example:8080");

    let unix = json!({"unix": {"path": "/run/m.sock"}});
    for (endpoints, addresses) in [
        (
            json!([named, unix, six, named]),
            vec!["[fd00::1]:80", "b.example:8080", "unix:/run/m.sock"],
        ),
        (json!([unix]), vec!["unix:/run/m.sock"]),
    ] {
        let (backend, endpoints) = placed(endpoints);
        assert_eq!(backend.url.unwrap(), "http://bystander.ai.backend.invalid:80");
        assert_eq!(endpoints[0].name, "bystander.ai.backend.invalid:80");
        assert_eq!(endpoints[0].addresses, addresses);
        assert_eq!(endpoints.len(), 1);
    }
}

#[test]
fn tls_is_for_all_endpoints() {
    let mut all = cluster();
    let places = json!([
        {"ip": {"address": "10.0.0.1", "port": 443}}, {"ip": {"address": "10.0.0.2", "port": 443}}]);
    for name in ["vendor", "bystander"] {
        object(&mut all, "Backend", name)["spec"]["endpoints"] = places.clone();
    }
    let plan = served(&all);
    let document = &gateway(&plan, "gw").document;
    let backend = |name: &str| document.backends.iter().find(|one| one.name == name).unwrap();
    let vendor = backend("ai/vendor");
    assert_eq!(
        vendor.url.as_deref(),
        Some("https://vendor.ai.backend.invalid:443")
    );
    let tls = vendor.tls.clone().unwrap();
    assert_eq!(tls.server_name.as_deref(), Some("api.vendor.example"));
    assert!(
        document
            .endpoints
            .iter()
            .any(|one| one.name == "vendor.ai.backend.invalid:443")
    );
    // Where nothing turns TLS on, the port of HTTPS is remarkable.
    assert_eq!(of(&plan, "Backend", "bystander", "Accepted"), "True/Accepted");
    let (_, message) = condition(&status(&plan, "Backend", "bystander").value, "Warning");
    assert!(
        message.contains("spec.endpoints[0]") && message.contains("port 443"),
        "{message}"
    );
}

#[test]
fn endpoints_that_cannot_be_say_which_and_why() {
    let good = json!({"ip": {"address": "10.0.0.1", "port": 80}});
    let long = format!("/{}", "x".repeat(120));
    let rows = [
        (json!({}), "endpoints[1]: has none of `fqdn`, `ip` and `unix`"),
        (
            json!({"fqdn": {"hostname": "", "port": 80}}),
            "endpoints[1]: `:80` is no address",
        ),
        (json!({"fqdn": {"hostname": "a", "port": 0}}), "no usable port"),
        (
            json!({"ip": {"address": "models", "port": 80}}),
            "`models` is no IP address; for a name use `fqdn`",
        ),
        (
            json!({"ip": {"address": "10.0.0.1", "port": 0}}),
            "no usable port",
        ),
        (json!({"unix": {"path": "run/m.sock"}}), "no absolute path"),
        (json!({"unix": {"path": long}}), "107 bytes at most"),
        (
            json!({"unix": {"path": "/run/aigw/envoy/admin.sock"}}),
            "may not be asked",
        ),
        (json!({"unix": {"path": "/run//aigw/x.sock"}}), "may not be asked"),
        (
            json!({"unix": {"path": "/run/./aigw/x.sock"}}),
            "may not be asked",
        ),
        (
            json!({"unix": {"path": "/tmp/../run/aigw/x.sock"}}),
            "may not be asked",
        ),
        (
            json!({"unix": {"path": "/proc/1/root/run/aigw/x.sock"}}),
            "may not be asked",
        ),
    ];
    for (bad, says) in rows {
        let mut all = cluster();
        object(&mut all, "Backend", "bystander")["spec"]["endpoints"] = json!([good, bad]);
        let plan = served(&all);
        let (found, message) = condition(&status(&plan, "Backend", "bystander").value, "Accepted");
        assert_eq!(found, "False/Invalid", "{bad}");
        assert!(message.contains(says), "{bad}: {message}");
        assert_eq!(
            of(&plan, "AIServiceBackend", "bystander", "ResolvedRefs"),
            "False/Invalid"
        );
        assert!(
            gateway(&plan, "gw")
                .document
                .endpoints
                .iter()
                .all(|one| !one.own_names)
        );
    }
    let mut all = cluster();
    object(&mut all, "Backend", "bystander")["spec"] = json!({"type": "DynamicResolver"});
    let plan = served(&all);
    let (found, message) = condition(&status(&plan, "Backend", "bystander").value, "Accepted");
    assert_eq!(found, "False/NotSupportedYet");
    assert!(message.contains("type DynamicResolver"), "{message}");
}

#[test]
fn another_place_is_another_hash_of_the_backend_alone() {
    let hashes = |port: u16| {
        let mut all = cluster();
        object(&mut all, "Backend", "bystander")["spec"]["endpoints"] = json!([
            {"ip": {"address": "10.0.0.1", "port": 80}}, {"ip": {"address": "10.0.0.2", "port": port}}]);
        gateway(&plan(&all), "gw").hashes.clone()
    };
    let (before, after) = (hashes(80), hashes(81));
    let changed: Vec<&String> = before
        .iter()
        .filter(|(object, hash)| after.get(*object) != Some(*hash))
        .map(|(object, _)| object)
        .collect();
    assert_eq!(changed, ["AIServiceBackend/ai/bystander"]);
}

#[test]
fn what_has_no_effect_is_named() {
    let mut all = cluster();
    object(&mut all, "Backend", "bystander")["spec"] = json!({
        "endpoints": [{"ip": {"address": "10.0.0.1", "port": 80}, "hostname": "m.example", "zone": "z"}],
        "fallback": true, "appProtocols": ["gateway.envoyproxy.io/h2c"]});
    let plan = served(&all);
    assert_eq!(of(&plan, "Backend", "bystander", "Accepted"), "True/Accepted");
    let (says, message) = condition(&status(&plan, "Backend", "bystander").value, "Warning");
    assert_eq!(says, "True/UnsupportedField");
    for field in [
        "fallback",
        "appProtocols",
        "endpoints[0].hostname",
        "endpoints[0].zone",
    ] {
        assert!(message.contains(&format!("spec.{field}")), "{field}: {message}");
    }
}
