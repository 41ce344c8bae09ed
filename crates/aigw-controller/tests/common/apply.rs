//! Manifests → the API server.

use std::path::Path;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use serde_json::{Value, json};

use super::eventually;

/// The documents of a YAML file.
pub fn read_manifests(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_yaml::from_multiple(yaml).unwrap();
    all.into_iter().filter(|one| !one.is_null()).collect()
}

/// Applies objects one after the other, as `kubectl apply --server-side` does.
pub async fn apply_all(client: &Client, namespace: &str, objects: Vec<Value>) {
    for object in objects {
        if let Err(error) = apply(client, namespace, &object).await {
            panic!("{error} in {object:#}");
        }
    }
}

async fn apply(client: &Client, namespace: &str, object: &Value) -> Result<DynamicObject, kube::Error> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (group, version) = match text("/apiVersion").unwrap().split_once('/') {
        Some(pair) => pair,
        None => ("", text("/apiVersion").unwrap()),
    };
    let kind = GroupVersionKind::gvk(group, version, text("/kind").unwrap());
    let (resource, found) = pinned_kind(client, &kind).await?;
    let api: Api<DynamicObject> = if found.scope == Scope::Cluster {
        Api::all_with(client.clone(), &resource)
    } else {
        let namespace = text("/metadata/namespace").unwrap_or(namespace);
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let params = PatchParams::apply("test").force();
    api.patch(text("/metadata/name").unwrap(), &params, &Patch::Apply(object))
        .await
}

/// Applies every CustomResourceDefinition under `manifests/crds` and waits until the server serves them.
pub async fn apply_crds(client: &Client) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/crds");
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(read_manifests(&std::fs::read_to_string(file).unwrap()));
    }
    apply_all(client, "default", all.clone()).await;
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let (resource, _) = pinned_kind(client, &kind).await.unwrap();
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    for crd in all
        .iter()
        .filter(|one| one["kind"] == json!("CustomResourceDefinition"))
    {
        let name = crd["metadata"]["name"].as_str().unwrap();
        eventually(Duration::from_secs(30), || async {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            let conditions = found.data["status"]["conditions"].as_array().cloned();
            let holds = |one: &Value| one["type"] == "Established" && one["status"] == "True";
            match conditions.unwrap_or_default().iter().any(holds) {
                true => Ok(()),
                false => Err(format!("{name} is not established: {:#}", found.data["status"])),
            }
        })
        .await;
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            files.push(path);
        }
    }
}

/// A model in its few objects, in the namespace that they are applied to: Gateway `gw` of the class, route `r` for the model `m`,
/// backend `b`, policy `p`, Secret `s`.
pub fn one_model(class: &str) -> String {
    format!(
        r"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw}}
spec:
  gatewayClassName: {class}
  listeners: [{{name: http, protocol: HTTP, port: 8080}}]
---
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIGatewayRoute
metadata: {{name: r}}
spec:
  parentRefs: [{{name: gw, kind: Gateway, group: gateway.networking.k8s.io}}]
  rules:
    - matches: [{{headers: [{{type: Exact, name: x-ai-eg-model, value: m}}]}}]
      backendRefs: [{{name: b}}]
---
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIServiceBackend
metadata: {{name: b}}
spec:
  schema: {{name: OpenAI}}
  backendRef: {{group: gateway.envoyproxy.io, kind: Backend, name: e}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {{name: e}}
spec:
  endpoints: [{{ip: {{address: 127.0.0.1, port: 9}}}}]
---
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: BackendSecurityPolicy
metadata: {{name: p}}
spec:
  targetRefs: [{{group: aigateway.envoyproxy.io, kind: AIServiceBackend, name: b}}]
  type: APIKey
  apiKey: {{secretRef: {{name: s}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: s}}
stringData: {{apiKey: sk-first}}
"
    )
}

/// Objects of a kind in the space.
pub async fn kind_api(space: &super::Space<'_>, group: &str, kind: &str) -> Api<DynamicObject> {
    let version = match group {
        GROUP => "v1beta1",
        "gateway.envoyproxy.io" => "v1alpha1",
        _ => "v1",
    };
    let kind = GroupVersionKind::gvk(group, version, kind);
    let (resource, _) = pinned_kind(&space.client, &kind).await.unwrap();
    Api::namespaced_with(space.client.clone(), &space.name, &resource)
}

/// The status of an object in the space; null when there is none yet.
pub async fn status(space: &super::Space<'_>, group: &str, kind: &str, name: &str) -> Value {
    let api = kind_api(space, group, kind).await;
    api.get(name).await.unwrap().data["status"].clone()
}

/// Group of aigw's own kinds.
pub const GROUP: &str = "aigateway.envoyproxy.io";

/// Waits until a condition of an object in the space has the status; returns the condition. Of a route that of its first parent
/// is meant.
pub async fn condition(
    space: &super::Space<'_>,
    group: &str,
    kind: &str,
    name: &str,
    condition: &str,
    wanted: &str,
) -> Value {
    eventually(Duration::from_secs(5), || async {
        let status = status(space, group, kind, name).await;
        let list = match status["parents"].get(0) {
            Some(parent) => parent["conditions"].clone(),
            None => status["conditions"].clone(),
        };
        let found = list
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["type"] == condition)
            .cloned();
        found
            .filter(|one| one["status"] == wanted)
            .ok_or_else(|| format!("{kind} {name} is to have {condition}={wanted}: {status:#}"))
    })
    .await
}
