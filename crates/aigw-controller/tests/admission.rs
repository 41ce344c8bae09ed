//! What a real API server makes of objects of our kinds: tables of what it takes, with defaults, and of what it refuses, with its words.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use http::{Method, Request};
use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde::Deserialize;
use serde_json::{Value, json};

use common::{Space, cluster, read_manifests};

const GROUP: &str = "aigateway.envoyproxy.io";

/// A row of a table; `admission/aigatewayroute.yaml` says what the members mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "newest")]
    version: String,
    was: Option<Value>,
    spec: Option<Value>,
    #[serde(default)]
    error: Vec<String>,
    stored: Option<Value>,
}

fn newest() -> String {
    "v1beta1".to_owned()
}

#[tokio::test]
async fn routes() {
    table("AIGatewayRoute", "aigatewayroutes").await;
}

#[tokio::test]
async fn backends() {
    table("AIServiceBackend", "aiservicebackends").await;
}

#[tokio::test]
async fn security_policies() {
    table("BackendSecurityPolicy", "backendsecuritypolicies").await;
}

#[tokio::test]
async fn gateway_configs() {
    table("GatewayConfig", "gatewayconfigs").await;
}

#[tokio::test]
async fn mcp_routes() {
    table("MCPRoute", "mcproutes").await;
}

#[tokio::test]
async fn quota_policies() {
    table("QuotaPolicy", "quotapolicies").await;
}

async fn table(kind: &str, plural: &str) {
    let file = folder().join(format!("tests/admission/{}.yaml", kind.to_ascii_lowercase()));
    let cases: Vec<Case> = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let space = cluster().await.space("admission").await;
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let object = Under {
            kind,
            plural,
            name: format!("case-{number}"),
        };
        if let Err(reason) = object.check(&space, case).await {
            wrong.push(format!("{kind} \"{}\": {reason}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// The object of a row.
struct Under<'a> {
    kind: &'a str,
    plural: &'a str,
    name: String,
}

impl Under<'_> {
    async fn check(&self, space: &Space<'_>, case: &Case) -> Result<(), String> {
        let api = self.api(&space.client, &space.name, &case.version);
        let mut object = self.object(&case.version, case.spec.as_ref());
        let outcome = if let Some(was) = &case.was {
            let before = self.object(&case.version, Some(was));
            let before = strictly(&space.client, Method::POST, api.resource_url(), &before);
            let before = before.await.map_err(|error| format!("before: {error}"))?;
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            let url = format!("{}/{}", api.resource_url(), self.name);
            strictly(&space.client, Method::PUT, &url, &object).await
        } else {
            strictly(&space.client, Method::POST, api.resource_url(), &object).await
        };
        match outcome {
            Ok(_) if case.error.is_empty() => self.held(space, case).await,
            Ok(_) => Err(format!("is taken, but should not be: {:?}", case.error)),
            Err(kube::Error::Api(status)) if !case.error.is_empty() => {
                match case
                    .error
                    .iter()
                    .find(|part| !status.message.contains(part.as_str()))
                {
                    Some(part) => Err(format!("\"{}\" lacks \"{part}\"", status.message)),
                    None => Ok(()),
                }
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Both versions show the same, and what the row wants of it.
    async fn held(&self, space: &Space<'_>, case: &Case) -> Result<(), String> {
        let mut seen = Vec::new();
        for version in ["v1alpha1", "v1beta1"] {
            let api = self.api(&space.client, &space.name, version);
            let object = api
                .get(&self.name)
                .await
                .map_err(|error| format!("{version}: {error}"))?;
            seen.push(object.data["spec"].clone());
        }
        if seen[0] != seen[1] {
            return Err(format!(
                "v1alpha1 shows {} and v1beta1 shows {}",
                seen[0], seen[1]
            ));
        }
        match &case.stored {
            Some(stored) if !holds(&seen[0], stored) => Err(format!("holds {}, not {stored}", seen[0])),
            _ => Ok(()),
        }
    }

    fn api(&self, client: &Client, namespace: &str, version: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(GROUP, version, self.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, self.plural);
        Api::namespaced_with(client.clone(), namespace, &resource)
    }

    fn object(&self, version: &str, spec: Option<&Value>) -> Value {
        let mut object = json!({
            "apiVersion": format!("{GROUP}/{version}"),
            "kind": self.kind,
            "metadata": { "name": self.name },
        });
        if let Some(spec) = spec {
            object["spec"] = spec.clone();
        }
        object
    }
}

/// Sends an object as kubectl does: a field that is not known is an error.
async fn strictly(client: &Client, method: Method, url: &str, object: &Value) -> kube::Result<Value> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{url}?fieldValidation=Strict"))
        .header("content-type", "application/json")
        .body(serde_json::to_vec(object).unwrap());
    client.request(request.unwrap()).await
}

/// Whether `found` has all members of `wanted`.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, value)| found.get(name).is_some_and(|one| holds(one, value))),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(one, other)| holds(one, other))
        }
        (found, wanted) => found == wanted,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Manifests that are written for other gateways of these kinds, and those of our examples, apply as they are.
#[tokio::test]
async fn manifests_apply_as_they_are() {
    const FILES: [&str; 5] = [
        "../../examples/kubernetes-manifests/aigw.yaml",
        "../aigw-runtime/tests/golden/manifests-own-members/input.yaml",
        "../aigw-runtime/tests/golden/manifests-security-policy/input.yaml",
        "../aigw-runtime/tests/golden/manifests-tls/input.yaml",
        "../aigw-runtime/tests/golden/manifests-traffic-policies/input.yaml",
    ];
    let space = cluster().await.space("manifests").await;
    for name in ["other", "team", "third"] {
        space
            .apply(&format!(
                "{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}"
            ))
            .await;
    }
    for file in FILES {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        assert!(!read_manifests(&text).is_empty(), "{file} is empty");
        space.apply(&text).await;
    }
}

/// The status is written apart from the rest, has the shapes that the plan writes, and is what `kubectl get` shows.
#[tokio::test]
async fn a_status_is_written_apart_and_shown() {
    let space = cluster().await.space("status").await;
    space
        .apply(
            "{apiVersion: aigateway.envoyproxy.io/v1beta1, kind: AIServiceBackend, metadata: {name: b}, \
             spec: {provider: groq}, status: {conditions: []}}",
        )
        .await;
    let under = Under {
        kind: "AIServiceBackend",
        plural: "aiservicebackends",
        name: "b".to_owned(),
    };
    let api = under.api(&space.client, &space.name, "v1beta1");
    let mut object = json!(api.get("b").await.unwrap());
    assert_eq!(
        object["status"],
        Value::Null,
        "a status comes by its own way alone"
    );

    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": "Accepted", "message": "", "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let parent = json!({
        "parentRef": { "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": "a" },
        "controllerName": "aigateway.envoyproxy.io/aigw",
        "conditions": [condition("Accepted", "True")],
    });
    let conditions = json!([condition("Accepted", "True"), condition("Programmed", "False")]);
    object["status"] = json!({ "conditions": conditions, "parents": [parent] });
    let url = format!("{}/b/status", api.resource_url());
    let written = strictly(&space.client, Method::PUT, &url, &object).await.unwrap();
    assert_eq!(written["status"], object["status"]);

    let table = Request::get(api.resource_url())
        .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .unwrap();
    let table: Value = space.client.request(table).await.unwrap();
    let columns: Vec<&Value> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(
        json!(columns),
        json!(["Name", "Schema", "Provider", "Accepted", "Programmed", "Age"])
    );
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(json!(cells[..5]), json!(["b", null, "groq", "True", "False"]));

    object["metadata"]["resourceVersion"] = written["metadata"]["resourceVersion"].clone();
    object["status"]["conditions"][0]["status"] = "Perhaps".into();
    let refused = strictly(&space.client, Method::PUT, &url, &object)
        .await
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains(r#"status.conditions[0].status: Unsupported value: "Perhaps""#),
        "{refused}"
    );
}
