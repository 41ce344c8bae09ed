//! What the operator and its chart have made is taken away from a real API server, and nothing else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use aigw_controller::cleanup::{delete_definitions, delete_made, delete_objects};
use aigw_controller::crds::all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use common::Cluster;

const ROUTES: &str = "aigatewayroutes.aigateway.envoyproxy.io";
const CONFIGS: &str = "gatewayconfigs.aigateway.envoyproxy.io";
const BACKENDS: &str = "backends.gateway.envoyproxy.io";
const CLASSES: &str = "gatewayclasses.gateway.networking.k8s.io";

fn said(lines: &[String], name: &str) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line.starts_with(name))
        .cloned()
        .collect()
}

fn gateway() -> Vec<Value> {
    let class = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "cleanup"},
        "spec": {"controllerName": "aigateway.envoyproxy.io/aigw"}});
    let gateway = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "cleanup", "namespace": "default"},
        "spec": {"gatewayClassName": "cleanup", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}});
    vec![class, gateway]
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_go_when_they_are_ours_and_have_no_object() {
    let cluster = Cluster::start().await;
    let (client, definitions) = (cluster.admin(), all().unwrap());
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let foreign = json!({"metadata": {"annotations": {"aigateway.envoyproxy.io/crds-version": null}}});
    api.patch(BACKENDS, &PatchParams::default(), &Patch::Merge(foreign))
        .await
        .unwrap();
    let config = json!({"apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "GatewayConfig",
        "metadata": {"name": "mine", "namespace": "default"}, "spec": {}});
    common::apply_all(&client, "default", vec![config]).await;

    let mut lines = Vec::new();
    delete_definitions(&client, &definitions, |line| lines.push(line))
        .await
        .unwrap();
    assert_eq!(
        said(&lines, CONFIGS),
        [format!("{CONFIGS}: left, there is GatewayConfig default/mine")]
    );
    assert_eq!(said(&lines, ROUTES), [format!("{ROUTES}: deleted")]);
    for others in [BACKENDS, CLASSES] {
        assert!(said(&lines, others).is_empty(), "{lines:#?}");
        api.get(others).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_made_goes_by_its_label() {
    let client = common::cluster().await.admin();
    let account = |name: &str, manager: &str| {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
            "name": name, "namespace": "default", "labels": {"app.kubernetes.io/managed-by": manager}}})
    };
    common::apply_all(
        &client,
        "default",
        vec![account("cleanup-ours", "aigw"), account("cleanup-others", "Helm")],
    )
    .await;
    let mut lines = Vec::new();
    for namespace in ["kube-public", "default"] {
        assert!(lines.is_empty(), "of another namespace: {lines:?}");
        delete_made(&client, &[namespace.to_owned()], |line| lines.push(line))
            .await
            .unwrap();
    }
    assert_eq!(lines, ["ServiceAccount default/cleanup-ours: deleted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn named_objects_go_and_what_is_gone_is_no_error() {
    let client = common::cluster().await.admin();
    common::apply_all(&client, "default", gateway()).await;
    let mut lines = Vec::new();
    delete_objects(&client, &gateway(), |line| lines.push(line))
        .await
        .unwrap();
    assert_eq!(
        lines,
        ["Gateway cleanup: deleted", "GatewayClass cleanup: deleted"]
    );
    delete_objects(&client, &gateway(), |line| panic!("{line}"))
        .await
        .unwrap();
    let unknown = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}});
    delete_objects(&client, &[unknown], |line| panic!("{line}"))
        .await
        .unwrap();

    for wrong in [
        json!({"kind": "ConfigMap", "metadata": {"name": "a"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
    ] {
        let error = delete_objects(&client, &[wrong], |_| {}).await.unwrap_err();
        assert!(error.to_string().starts_with("a document has no"), "{error}");
    }
}
