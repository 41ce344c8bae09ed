//! The objects of the plan's golden workloads are taken by a real API server, which knows every field of them, and their pods by a
//! namespace that enforces the Pod Security level `restricted`. Nothing is kept: the requests are dry runs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

mod common;

use std::path::Path;

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use serde_json::{Value, json};

use common::{Space, cluster, read_manifests};

/// The objects of each golden workload.
fn workloads() -> Vec<(String, Vec<Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../aigw-plan/tests/golden/workload");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path().join("objects.yaml")).unwrap();
            (entry.file_name().into_string().unwrap(), read_manifests(&text))
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(all.len() > 3, "{all:?}");
    all
}

/// Asks the server to apply an object, without doing it.
async fn judge(space: &Space<'_>, object: &Value) -> Result<DynamicObject, kube::Error> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap();
    let (group, version) = text("/apiVersion")
        .split_once('/')
        .unwrap_or(("", text("/apiVersion")));
    let kind = GroupVersionKind::gvk(group, version, text("/kind"));
    let (resource, _) = pinned_kind(&space.client, &kind).await?;
    let api: Api<DynamicObject> = Api::namespaced_with(space.client.clone(), &space.name, &resource);
    let mut params = PatchParams::apply("aigw").force();
    params.dry_run = true;
    params.field_validation = Some(ValidationDirective::Strict);
    api.patch(text("/metadata/name"), &params, &Patch::Apply(object))
        .await
}

/// Asks the server to make a Deployment's pod, without doing it.
async fn judge_pod(space: &Space<'_>, deployment: &Value) -> Result<Pod, kube::Error> {
    let template = &deployment["spec"]["template"];
    let mut pod: Pod = serde_json::from_value(template.clone()).unwrap();
    pod.metadata.name = Some("pod".to_owned());
    // A pod's account must be there; the controllers that would see to that do not run here.
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some(
                template["spec"]["serviceAccountName"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            ),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    let accounts: Api<ServiceAccount> = space.api();
    // Another workload may have had the same.
    let _ = accounts.create(&PostParams::default(), &account).await;
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    space.api::<Pod>().create(&params, &pod).await
}

async fn restricted<'a>(name: &str) -> Space<'a> {
    let space = cluster().await.space(name).await;
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let all: Api<Namespace> = Api::all(space.client.clone());
    all.patch(&space.name, &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
    space
}

#[tokio::test]
async fn every_object_is_taken_and_every_pod_is_restricted() {
    let space = restricted("workload").await;
    for (name, objects) in workloads() {
        for mut object in objects {
            object["metadata"]["namespace"] = json!(space.name);
            let kind = object["kind"].as_str().unwrap().to_owned();
            let judged = judge(&space, &object).await;
            judged.unwrap_or_else(|error| panic!("{name}: {kind}: {error}"));
            if kind == "Deployment" {
                let judged = judge_pod(&space, &object).await;
                judged.unwrap_or_else(|error| panic!("{name}: pod: {error}"));
            }
        }
    }
}

/// That the test above can fail: the same server refuses an unknown field, and the namespace a pod with more rights.
#[tokio::test]
async fn what_is_not_as_it_should_be_is_refused() {
    let space = restricted("refused").await;
    let (_, objects) = workloads().remove(0);
    let mut deployment = objects
        .into_iter()
        .find(|one| one["kind"] == "Deployment")
        .unwrap();
    deployment["metadata"]["namespace"] = json!(space.name);
    let mut misspelt = deployment.clone();
    misspelt["spec"]["template"]["spec"]["terminationGracePeriod"] = json!(1);
    let error = judge(&space, &misspelt).await.unwrap_err().to_string();
    assert!(error.contains("terminationGracePeriod"), "{error}");
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] =
        json!(true);
    let error = judge_pod(&space, &deployment).await.unwrap_err().to_string();
    assert!(error.contains("violates PodSecurity \"restricted"), "{error}");
}
