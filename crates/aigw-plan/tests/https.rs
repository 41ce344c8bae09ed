//! HTTPS listeners: certificates in Secrets, by host name, and what becomes of bad ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use aigw_config::{Credentials, PemSource, compile};
use aigw_plan::cluster::{ClusterPlan, plan_cluster};
use aigw_translate::host::Registry;
use common::{MEANS, cluster, condition, gateway, object, of, options, plan, remove, served, status, world};
use serde_json::{Value, json};

/// A Secret of type `kubernetes.io/tls` with a certificate for `name`.
fn secret(namespace: &str, name: &str, version: &str) -> Value {
    let made = rcgen::generate_simple_self_signed(vec![format!("{name}.example.com")]).unwrap();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": version},
        "stringData": {"tls.crt": made.cert.pem(), "tls.key": made.signing_key.serialize_pem()},
    })
}

fn https(name: &str, hostname: Option<&str>, secrets: &[&str]) -> Value {
    let refs: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
    let mut one = json!({"name": name, "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": refs}});
    if let Some(hostname) = hostname {
        one["hostname"] = json!(hostname);
    }
    one
}

/// The small cluster with these listeners too, and their Secrets `a`, `b` and `every`.
fn with(listeners: &[Value]) -> Vec<Value> {
    let mut all = cluster();
    let own = &mut object(&mut all, "Gateway", "gw")["spec"]["listeners"];
    own.as_array_mut().unwrap().extend(listeners.iter().cloned());
    all.extend(["a", "b", "every"].map(|name| secret("ai", name, "1")));
    all
}

fn three() -> Vec<Value> {
    with(&[
        https("a", Some("A.example.com"), &["a"]),
        https("b", Some("*.b.example.com"), &["b"]),
        https("every", None, &["every"]),
    ])
}

/// Host name (or `-`) and Secret of each certificate of port 443.
fn certificates(plan: &ClusterPlan) -> Vec<String> {
    let listeners = &gateway(plan, "gw").document.listeners;
    let one = listeners.iter().find(|one| one.name == "ai/gw/443");
    let tls = one.and_then(|one| one.tls.clone()).unwrap_or_default();
    let show = |one: &aigw_config::CertificateSpec| {
        let (PemSource::Credential(chain), PemSource::Credential(key)) = (&one.certificate, &one.key) else {
            panic!("{one:?}");
        };
        let secret = chain
            .strip_prefix("secret/ai/")
            .unwrap()
            .strip_suffix("/tls.crt")
            .unwrap();
        assert_eq!(*key, format!("secret/ai/{secret}/tls.key"));
        let hostname = one.hostnames.first().map_or("-", String::as_str);
        format!("{hostname} {secret}")
    };
    tls.certificates.iter().map(show).collect()
}

fn says(plan: &ClusterPlan, listener: &str, of: &str) -> (String, String) {
    let all = status(plan, "Gateway", "gw").value["listeners"]
        .as_array()
        .unwrap();
    condition(all.iter().find(|one| one["name"] == listener).unwrap(), of)
}

/// What a plan after `before` says, with a ready pod that serves all of it.
fn after(objects: &[Value], before: &ClusterPlan) -> ClusterPlan {
    let mut world = world(objects);
    world.in_service = gateway(before, "gw").credentials.clone();
    let first = plan_cluster(&world, &options(), MEANS);
    world.reports = vec![common::report(gateway(&first, "gw"), "pod")];
    plan_cluster(&world, &options(), MEANS)
}

#[test]
fn listeners_of_a_port_have_certificates_by_host_name() {
    let plan = served(&three());
    assert_eq!(
        certificates(&plan),
        ["a.example.com a", "*.b.example.com b", "- every"]
    );
    for name in ["a", "b", "every"] {
        for of in ["Accepted", "ResolvedRefs", "Programmed"] {
            assert_eq!(says(&plan, name, of).0, format!("True/{of}"), "{name}");
        }
    }
    assert_eq!(of(&plan, "Gateway", "gw", "Programmed"), "True/Programmed");
    let one = gateway(&plan, "gw");
    let ports: Vec<(u16, u16)> = one.ports.iter().map(|one| (one.port, one.container)).collect();
    assert_eq!(ports, [(80, 10080), (443, 10443), (8080, 8080)]);
    let shown = serde_json::to_string(&one.document).unwrap();
    let (snapshot, _) = compile(one.document.clone(), &Registry).unwrap();
    let https = snapshot
        .listeners
        .iter()
        .find(|one| one.name == "ai/gw/443")
        .unwrap();
    for pair in https.tls.iter().flat_map(aigw_config::Tls::pairs) {
        for source in [&pair.certificate, &pair.key] {
            let PemSource::Credential(id) = source else {
                panic!("{source}");
            };
            let text = one.credentials.find(id).unwrap().reveal();
            assert!(text.starts_with("-----BEGIN"));
            assert!(!shown.contains(text.lines().nth(1).unwrap()), "{id}");
        }
    }
}

#[test]
fn a_renewed_certificate_is_another_hash_and_the_same_document() {
    let objects = three();
    let before = plan(&objects);
    let mut renewed = objects.clone();
    *object(&mut renewed, "Secret", "a") = secret("ai", "a", "2");
    let after = plan(&renewed);
    let (before, after) = (gateway(&before, "gw"), gateway(&after, "gw"));
    assert_eq!(before.document, after.document);
    let changed: Vec<&String> = before
        .hashes
        .keys()
        .filter(|key| before.hashes.get(*key) != after.hashes.get(*key))
        .collect();
    assert_eq!(changed, ["Gateway/ai/gw"]);
    let chain = |credentials: &Credentials| credentials.find("secret/ai/a/tls.crt").cloned();
    assert_ne!(chain(&before.credentials), chain(&after.credentials));
}

#[test]
fn a_bad_certificate_harms_no_other_listener_and_takes_its_own_routes_nowhere() {
    let good = plan(&three());
    let other = secret("ai", "x", "1");
    let entry = |name: &str| other["stringData"][name].clone();
    let breaks: [(&str, Value); 4] = [
        ("tls.key", entry("tls.key")),
        (
            "tls.crt",
            json!("-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----"),
        ),
        ("tls.key", json!("")),
        ("tls.crt", Value::Null),
    ];
    for (field, value) in breaks {
        let mut objects = three();
        let route = object(&mut objects, "AIGatewayRoute", "chat");
        route["spec"]["parentRefs"] = json!([{"name": "gw", "sectionName": "a"}]);
        // As the API server has it: an absent entry is absent.
        match (&value, object(&mut objects, "Secret", "a")) {
            (Value::Null, secret) => drop(secret["stringData"].as_object_mut().unwrap().remove(field)),
            (value, secret) => secret["stringData"][field] = value.clone(),
        }
        let first = served(&objects);
        assert_eq!(certificates(&first), ["*.b.example.com b", "- every"], "{field}");
        let (found, message) = says(&first, "a", "ResolvedRefs");
        assert_eq!(found, "False/InvalidCertificateRef", "{message}");
        assert!(
            message.contains("Secret \"ai/a\"") && !message.contains("in service"),
            "{message}"
        );
        assert_eq!(says(&first, "a", "Programmed").0, "False/Invalid");
        assert_eq!(says(&first, "b", "Programmed").0, "True/Programmed");
        let routes = &gateway(&first, "gw").document.routes;
        assert!(routes.iter().all(|one| one.name != "ai/chat"), "{routes:?}");
        assert_eq!(of(&first, "AIGatewayRoute", "chat", "Accepted"), "True/Accepted");

        // It was good before.
        let kept = after(&objects, &good);
        assert_eq!(certificates(&kept), certificates(&good), "{field}");
        let (found, message) = says(&kept, "a", "ResolvedRefs");
        assert_eq!(found, "False/InvalidCertificateRef", "{message}");
        assert!(
            message.contains("the last good one stays in service"),
            "{message}"
        );
        assert_eq!(says(&kept, "a", "Programmed").0, "True/Programmed");
        let of = |plan: &ClusterPlan| {
            gateway(plan, "gw")
                .credentials
                .find("secret/ai/a/tls.key")
                .cloned()
        };
        assert!(of(&kept).is_some() && of(&kept) == of(&good));
    }
    let mut objects = three();
    remove(&mut objects, "Secret", "a");
    let gone = after(&objects, &good);
    assert_eq!(certificates(&gone), ["*.b.example.com b", "- every"]);
    assert_eq!(says(&gone, "a", "Programmed").0, "False/Invalid");
}

#[test]
fn several_certificates_of_a_listener_and_one_bad_among_them() {
    let objects = with(&[https("a", Some("a.example.com"), &["a", "gone", "b"])]);
    let plan = served(&objects);
    assert_eq!(certificates(&plan), ["a.example.com a", "a.example.com b"]);
    assert_eq!(says(&plan, "a", "ResolvedRefs").0, "False/InvalidCertificateRef");
    assert_eq!(says(&plan, "a", "Programmed").0, "True/Programmed");
}

#[test]
fn a_secret_of_another_namespace_needs_a_grant() {
    let mut listener = https("a", None, &["web"]);
    listener["tls"]["certificateRefs"][0]["namespace"] = json!("keys");
    let mut objects = with(&[listener]);
    objects.push(secret("keys", "web", "1"));
    let refused = served(&objects);
    assert_eq!(says(&refused, "a", "ResolvedRefs").0, "False/RefNotPermitted");
    assert_eq!(says(&refused, "a", "Programmed").0, "False/Invalid");
    assert!(
        gateway(&refused, "gw")
            .credentials
            .find("secret/keys/web/tls.key")
            .is_none()
    );
    objects.push(json!({
        "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
        "metadata": {"name": "web", "namespace": "keys"},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "ai"}],
            "to": [{"group": "", "kind": "Secret", "name": "web"}],
        },
    }));
    let permitted = served(&objects);
    assert_eq!(says(&permitted, "a", "ResolvedRefs").0, "True/ResolvedRefs");
    assert_eq!(says(&permitted, "a", "Programmed").0, "True/Programmed");
    assert!(
        gateway(&permitted, "gw")
            .credentials
            .find("secret/keys/web/tls.key")
            .is_some()
    );
    // Taken back: it is served no more.
    objects.pop();
    let taken = after(&objects, &permitted);
    assert_eq!(says(&taken, "a", "Programmed").0, "False/Invalid");
}

#[test]
fn a_port_that_asks_clients_for_certificates_stays_closed() {
    let validation =
        json!({"validation": {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}});
    let rows = [
        (json!({"default": validation}), false),
        (
            json!({"default": {}, "perPort": [{"port": 443, "tls": validation}]}),
            false,
        ),
        (
            json!({"default": {}, "perPort": [{"port": 444, "tls": validation}]}),
            true,
        ),
        (
            json!({"default": validation, "perPort": [{"port": 443, "tls": {}}]}),
            true,
        ),
    ];
    for (frontend, serves) in rows {
        let mut objects = three();
        object(&mut objects, "Gateway", "gw")["spec"]["tls"] = json!({"frontend": frontend});
        let plan = served(&objects);
        let expected = if serves {
            "True/Accepted"
        } else {
            "False/NotSupportedYet"
        };
        assert_eq!(says(&plan, "a", "Accepted").0, expected, "{frontend}");
        assert_eq!(certificates(&plan).is_empty(), !serves, "{frontend}");
        assert_eq!(says(&plan, "http", "Accepted").0, "True/Accepted", "{frontend}");
    }
}
