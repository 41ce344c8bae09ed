//! One wiring element broken at a time: the right object says so, with the right reason, and what does not hang on it is
//! served as before.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{cluster, gateway, object, objects, of, remove, served, status};
use serde_json::{Value, json};

/// Object, condition, and what it says.
type Says = (&'static str, &'static str, &'static str, &'static str);

struct Row {
    name: &'static str,
    breaks: fn(&mut Vec<Value>),
    says: &'static [Says],
}

const ROUTE: &str = "AIGatewayRoute";
const BACKEND: &str = "AIServiceBackend";
const POLICY: &str = "BackendSecurityPolicy";

const ROWS: &[Row] = &[
    Row {
        name: "backend missing",
        breaks: |all| remove(all, BACKEND, "hosted"),
        says: &[
            (ROUTE, "chat", "ResolvedRefs", "False/BackendNotFound"),
            (ROUTE, "chat", "Accepted", "True/Accepted"),
            (ROUTE, "chat", "Programmed", "True/Programmed"),
        ],
    },
    Row {
        name: "Secret missing",
        breaks: |all| remove(all, "Secret", "groq-key"),
        says: &[
            (BACKEND, "hosted", "CredentialsReady", "False/SecretNotFound"),
            (BACKEND, "hosted", "Accepted", "True/Accepted"),
            (BACKEND, "hosted", "Programmed", "False/LeftOut"),
            (ROUTE, "chat", "ResolvedRefs", "False/BackendNotReady"),
        ],
    },
    Row {
        name: "Secret with another entry",
        breaks: |all| object(all, "Secret", "vendor-key")["data"] = json!({"key": "eA=="}),
        says: &[
            (POLICY, "vendor-key", "CredentialsReady", "False/KeyNotFound"),
            (POLICY, "vendor-key", "Programmed", "False/LeftOut"),
            (BACKEND, "vendor", "CredentialsReady", "False/KeyNotFound"),
        ],
    },
    Row {
        name: "Secret that is no base64",
        breaks: |all| object(all, "Secret", "vendor-key")["data"]["apiKey"] = json!("%%"),
        says: &[(POLICY, "vendor-key", "CredentialsReady", "False/SecretInvalid")],
    },
    Row {
        name: "Secret that is empty",
        breaks: |all| object(all, "Secret", "groq-key")["data"]["apiKey"] = json!(""),
        says: &[(BACKEND, "hosted", "CredentialsReady", "False/SecretInvalid")],
    },
    Row {
        name: "grant of routes revoked",
        breaks: |all| remove(all, "ReferenceGrant", "far/routes"),
        says: &[
            (ROUTE, "chat", "ResolvedRefs", "False/RefNotPermitted"),
            (BACKEND, "far/distant", "Programmed", "False/NotUsed"),
        ],
    },
    Row {
        name: "grant of Backends revoked",
        breaks: |all| remove(all, "ReferenceGrant", "places/backends"),
        says: &[(BACKEND, "far/distant", "ResolvedRefs", "False/RefNotPermitted")],
    },
    Row {
        name: "grant of Secrets revoked",
        breaks: |all| remove(all, "ReferenceGrant", "keys/keys"),
        says: &[(
            BACKEND,
            "far/distant",
            "CredentialsReady",
            "False/RefNotPermitted",
        )],
    },
    Row {
        name: "Backend missing",
        breaks: |all| remove(all, "Backend", "vendor"),
        says: &[
            (BACKEND, "vendor", "ResolvedRefs", "False/BackendNotFound"),
            (ROUTE, "chat", "ResolvedRefs", "False/BackendNotReady"),
        ],
    },
    Row {
        name: "Backend without endpoints",
        breaks: |all| object(all, "Backend", "vendor")["spec"]["endpoints"] = json!([]),
        says: &[(BACKEND, "vendor", "ResolvedRefs", "False/Invalid")],
    },
    Row {
        name: "authorities missing",
        breaks: |all| remove(all, "ConfigMap", "vendor-ca"),
        says: &[(BACKEND, "vendor", "ResolvedRefs", "False/InvalidCACertificateRef")],
    },
    Row {
        name: "Service missing",
        breaks: |all| remove(all, "Service", "vllm"),
        says: &[(BACKEND, "pods", "ResolvedRefs", "False/BackendNotFound")],
    },
    Row {
        name: "Service without the port",
        breaks: |all| object(all, BACKEND, "pods")["spec"]["service"]["port"] = json!(1),
        says: &[(BACKEND, "pods", "ResolvedRefs", "False/PortNotFound")],
    },
    Row {
        name: "Service of another namespace without a grant",
        breaks: |all| object(all, BACKEND, "pods")["spec"]["service"]["namespace"] = json!("far"),
        says: &[(BACKEND, "pods", "ResolvedRefs", "False/RefNotPermitted")],
    },
    Row {
        name: "Service without ready pods",
        breaks: |all| remove(all, "EndpointSlice", "vllm-1"),
        says: &[
            (BACKEND, "pods", "Warning", "True/NoReadyEndpoints"),
            (BACKEND, "pods", "ResolvedRefs", "True/ResolvedRefs"),
        ],
    },
    Row {
        name: "provider unknown",
        breaks: |all| object(all, BACKEND, "hosted")["spec"]["provider"] = json!("grok"),
        says: &[
            (BACKEND, "hosted", "Accepted", "False/UnknownProvider"),
            (ROUTE, "chat", "ResolvedRefs", "False/BackendNotReady"),
        ],
    },
    Row {
        name: "schema that is not built",
        breaks: |all| object(all, BACKEND, "vendor")["spec"]["schema"]["name"] = json!("GCPVertexAI"),
        says: &[(BACKEND, "vendor", "Accepted", "False/NotSupportedYet")],
    },
    Row {
        name: "schema that nobody knows",
        breaks: |all| object(all, BACKEND, "vendor")["spec"]["schema"]["name"] = json!("Telepathy"),
        says: &[
            (BACKEND, "vendor", "Accepted", "False/Invalid"),
            (ROUTE, "chat", "ResolvedRefs", "False/BackendNotFound"),
        ],
    },
    Row {
        name: "secretRef beside a policy",
        breaks: |all| object(all, BACKEND, "vendor")["spec"]["secretRef"] = json!({"name": "groq-key"}),
        says: &[(BACKEND, "vendor", "Accepted", "False/Conflicted")],
    },
    Row {
        name: "two policies of one backend",
        breaks: |all| {
            let mut second = object(all, POLICY, "vendor-key").clone();
            second["metadata"]["name"] = json!("second");
            all.push(second);
        },
        says: &[
            (BACKEND, "vendor", "Accepted", "False/Conflicted"),
            (POLICY, "vendor-key", "Accepted", "False/Conflicted"),
            (POLICY, "second", "Accepted", "False/Conflicted"),
        ],
    },
    Row {
        name: "credentials of a cloud",
        breaks: |all| {
            let spec = &mut object(all, POLICY, "vendor-key")["spec"];
            spec["type"] = json!("AWSCredentials");
            spec.as_object_mut().unwrap().remove("anthropicAPIKey");
            spec["awsCredentials"] = json!({"region": "eu-west-1"});
        },
        says: &[
            (POLICY, "vendor-key", "CredentialsReady", "False/NotSupportedYet"),
            (BACKEND, "vendor", "CredentialsReady", "False/NotSupportedYet"),
        ],
    },
    Row {
        name: "credentialOverride",
        breaks: |all| {
            object(all, POLICY, "vendor-key")["spec"]["credentialOverride"] =
                json!({"fromRequestHeaders": {"header": "x-key"}});
        },
        says: &[(POLICY, "vendor-key", "CredentialsReady", "False/NotSupportedYet")],
    },
    Row {
        name: "two blocks in a policy",
        breaks: |all| {
            object(all, POLICY, "vendor-key")["spec"]["apiKey"] =
                json!({"secretRef": {"name": "vendor-key"}});
        },
        says: &[
            (POLICY, "vendor-key", "Accepted", "False/Invalid"),
            (BACKEND, "vendor", "CredentialsReady", "False/Invalid"),
        ],
    },
    Row {
        name: "policy of nothing",
        breaks: |all| {
            object(all, POLICY, "vendor-key")["spec"]["targetRefs"][0]["name"] = json!("nobody");
        },
        says: &[
            (POLICY, "vendor-key", "ResolvedRefs", "False/TargetNotFound"),
            (POLICY, "vendor-key", "Programmed", "False/LeftOut"),
        ],
    },
    Row {
        name: "policy of an InferencePool",
        breaks: |all| {
            object(all, POLICY, "vendor-key")["spec"]["targetRefs"] =
                json!([{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "vendor"}]);
        },
        says: &[(POLICY, "vendor-key", "ResolvedRefs", "False/NotSupportedYet")],
    },
    Row {
        name: "InferencePool",
        breaks: |all| {
            object(all, ROUTE, "chat")["spec"]["rules"][0]["backendRefs"] =
                json!([{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool"}]);
        },
        says: &[(ROUTE, "chat", "ResolvedRefs", "False/NotSupportedYet")],
    },
    Row {
        name: "bad CEL",
        breaks: |all| {
            object(all, ROUTE, "chat")["spec"]["llmRequestCosts"] =
                json!([{"metadataKey": "cost", "type": "CEL", "cel": "input_tokens +"}]);
        },
        says: &[
            (ROUTE, "chat", "Accepted", "False/Invalid"),
            (ROUTE, "chat", "Programmed", "False/LeftOut"),
        ],
    },
    Row {
        name: "bad regular expression",
        breaks: |all| {
            object(all, ROUTE, "chat")["spec"]["rules"][0]["matches"][0]["headers"][0] =
                json!({"name": "x-ai-eg-model", "type": "RegularExpression", "value": "("});
        },
        says: &[
            (ROUTE, "chat", "Accepted", "False/Invalid"),
            (ROUTE, "chat", "Programmed", "False/LeftOut"),
        ],
    },
    Row {
        name: "bad header mutation",
        breaks: |all| {
            object(all, BACKEND, "vendor")["spec"]["headerMutation"] =
                json!({"set": [{"name": "no name", "value": "1"}]});
        },
        says: &[
            (BACKEND, "vendor", "Accepted", "False/Invalid"),
            (ROUTE, "chat", "ResolvedRefs", "False/BackendNotReady"),
            (ROUTE, "chat", "Accepted", "True/Accepted"),
        ],
    },
    Row {
        name: "rule name taken twice",
        breaks: |all| {
            for at in [0, 1] {
                object(all, ROUTE, "chat")["spec"]["rules"][at]["name"] = json!("same");
            }
        },
        says: &[(ROUTE, "chat", "Accepted", "False/Invalid")],
    },
    Row {
        name: "no such Gateway",
        breaks: |all| object(all, ROUTE, "chat")["spec"]["parentRefs"][0]["name"] = json!("nowhere"),
        says: &[
            (ROUTE, "chat", "Accepted", "False/NoMatchingParent"),
            (ROUTE, "chat", "Programmed", "False/LeftOut"),
        ],
    },
    Row {
        name: "no such listener",
        breaks: |all| object(all, ROUTE, "chat")["spec"]["parentRefs"][0]["sectionName"] = json!("nowhere"),
        says: &[(ROUTE, "chat", "Accepted", "False/NoMatchingParent")],
    },
    Row {
        name: "no parent",
        breaks: |all| object(all, ROUTE, "chat")["spec"]["parentRefs"] = json!([]),
        says: &[(ROUTE, "chat", "Accepted", "False/NoMatchingParent")],
    },
    Row {
        name: "one parent of two",
        breaks: |all| {
            object(all, ROUTE, "chat")["spec"]["parentRefs"] = json!([{"name": "gw"}, {"name": "nowhere"}]);
        },
        says: &[(ROUTE, "chat", "Accepted", "False/NoMatchingParent")],
    },
    Row {
        name: "namespace that is not let in",
        breaks: |all| {
            let route = object(all, ROUTE, "chat");
            route["metadata"]["namespace"] = json!("far");
            route["spec"]["parentRefs"][0] = json!({"name": "gw", "namespace": "ai", "sectionName": "alt"});
        },
        says: &[(ROUTE, "far/chat", "Accepted", "False/NotAllowedByListeners")],
    },
    Row {
        name: "host names apart",
        breaks: |all| {
            let spec = &mut object(all, ROUTE, "chat")["spec"];
            spec["hostnames"] = json!(["elsewhere.org"]);
            spec["parentRefs"][0]["sectionName"] = json!("alt");
        },
        says: &[(ROUTE, "chat", "Accepted", "False/NoMatchingListenerHostname")],
    },
    Row {
        name: "GatewayConfig with a bad cost",
        breaks: |all| {
            all.extend(objects(
                "{apiVersion: aigateway.envoyproxy.io/v1beta1, kind: GatewayConfig, metadata: {name: c, namespace: ai},
                  spec: {globalLLMRequestCosts: [{metadataKey: x, type: CEL, cel: '1 +'}]}}",
            ));
        },
        says: &[("GatewayConfig", "c", "Accepted", "False/Invalid")],
    },
    Row {
        name: "kinds that are not built",
        breaks: |all| {
            all.extend(objects(
                "{apiVersion: aigateway.envoyproxy.io/v1beta1, kind: QuotaPolicy, metadata: {name: q, namespace: ai}, spec: {}}\n\
                 ---\n\
                 {apiVersion: aigateway.envoyproxy.io/v1beta1, kind: MCPRoute, metadata: {name: m, namespace: ai}, spec: {}}",
            ));
        },
        says: &[
            ("QuotaPolicy", "q", "Accepted", "False/NotSupportedYet"),
            ("MCPRoute", "m", "Accepted", "False/NotSupportedYet"),
        ],
    },
];

#[test]
fn what_is_broken_says_so_and_the_rest_is_served_as_before() {
    let before = served(&cluster());
    for row in ROWS {
        let mut objects = cluster();
        (row.breaks)(&mut objects);
        assert_ne!(objects, cluster(), "{}: nothing is broken", row.name);
        let after = served(&objects);
        for (kind, name, condition, expected) in row.says {
            let found = of(&after, kind, name, condition);
            let value = &status(&after, kind, name).value;
            assert_eq!(
                found, *expected,
                "{}: {kind} {name} {condition}: {value:#}",
                row.name
            );
        }
        for (kind, name) in [
            (ROUTE, "other"),
            (BACKEND, "bystander"),
            (POLICY, "bystander-key"),
        ] {
            assert_eq!(
                status(&before, kind, name),
                status(&after, kind, name),
                "{}: {kind} {name}",
                row.name
            );
        }
        let (old, new) = (gateway(&before, "gw"), gateway(&after, "gw"));
        assert_eq!(old.document.listeners, new.document.listeners, "{}", row.name);
        let route = |plan: &aigw_plan::cluster::GatewayPlan| {
            let found = plan.document.routes.iter().find(|one| one.name == "ai/other");
            found.cloned().unwrap()
        };
        assert_eq!(route(old), route(new), "{}", row.name);
        let backend = |plan: &aigw_plan::cluster::GatewayPlan| {
            let found = plan
                .document
                .backends
                .iter()
                .find(|one| one.name == "ai/bystander");
            found.cloned().unwrap()
        };
        assert_eq!(backend(old), backend(new), "{}", row.name);
        for (object, hash) in &old.hashes {
            if object.ends_with("other") || object.contains("bystander") {
                assert_eq!(Some(hash), new.hashes.get(object), "{}: {object}", row.name);
            }
        }
    }
}

/// A backend that has lost its key, its place or its TLS is in no document: nothing is sent without.
#[test]
fn nothing_is_sent_without_its_key() {
    for (kind, name, backend) in [
        ("Secret", "groq-key", "ai/hosted"),
        ("Secret", "vendor-key", "ai/vendor"),
        ("ConfigMap", "vendor-ca", "ai/vendor"),
        ("ReferenceGrant", "keys/keys", "far/distant"),
    ] {
        let mut objects = cluster();
        remove(&mut objects, kind, name);
        let plan = served(&objects);
        let document = &gateway(&plan, "gw").document;
        assert!(document.backends.iter().all(|one| one.name != backend), "{name}");
        let refs = document.routes.iter().flat_map(|route| &route.rules);
        assert!(
            refs.flat_map(|rule| &rule.backends)
                .all(|one| one.name != backend),
            "{name}"
        );
    }
}
