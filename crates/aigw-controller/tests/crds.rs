//! Definitions are brought into a real API server: those that are absent or older, and no others.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

mod common;

use std::time::Duration;

use aigw_controller::crds::{Decision, InstallError, all, apply_objects, install};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use common::{Cluster, cluster, eventually, read_manifests};

const ROUTES: &str = "aigatewayroutes.aigateway.envoyproxy.io";
const BACKENDS: &str = "aiservicebackends.aigateway.envoyproxy.io";
const POLICIES: &str = "backendsecuritypolicies.aigateway.envoyproxy.io";
const PROXIES: &str = "envoyproxies.gateway.envoyproxy.io";
const VERSION: &str = "aigateway.envoyproxy.io/crds-version";

async fn change(api: &Api<CustomResourceDefinition>, name: &str, change: Value) {
    api.patch(name, &PatchParams::default(), &Patch::Merge(change))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_absent_or_older_comes_and_nothing_newer_goes() {
    let cluster = Cluster::start().await;
    let client = cluster.admin();
    let definitions = all().unwrap();
    let again = install(&client, &definitions).await.unwrap();
    assert!(
        again.iter().all(|(_, done)| *done == Decision::Current),
        "{again:?}"
    );

    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    api.delete(ROUTES, &DeleteParams::default()).await.unwrap();
    eventually(Duration::from_secs(10), || async {
        match api.get_opt(ROUTES).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let short = json!({ "spec": { "names": { "shortNames": ["short"] } } });
    change(&api, BACKENDS, short.clone()).await;
    change(
        &api,
        BACKENDS,
        json!({ "metadata": { "annotations": { VERSION: "0.0.1" } } }),
    )
    .await;
    change(&api, POLICIES, short.clone()).await;
    change(
        &api,
        POLICIES,
        json!({ "metadata": { "annotations": { VERSION: "99.0.0" } } }),
    )
    .await;
    let own = json!({ "metadata": { "annotations": { "aigateway.envoyproxy.io/stand-in": null } } });
    change(&api, PROXIES, own).await;

    let done = install(&client, &definitions).await.unwrap();
    let of = |name: &str| &done.iter().find(|(one, _)| one == name).unwrap().1;
    assert_eq!(of(ROUTES), &Decision::Create);
    assert_eq!(of(BACKENDS), &Decision::Update);
    assert!(
        matches!(of(POLICIES), Decision::Keep(reason) if reason.contains("newer, of 99.0.0")),
        "{done:?}"
    );
    assert!(
        matches!(of(PROXIES), Decision::Keep(reason) if reason.contains("Envoy Gateway's own")),
        "{done:?}"
    );
    let others = done
        .iter()
        .filter(|(name, _)| ![ROUTES, BACKENDS, POLICIES, PROXIES].contains(&name.as_str()));
    assert!(
        others.clone().all(|(_, done)| *done == Decision::Current),
        "{done:?}"
    );

    let renewed = api.get(BACKENDS).await.unwrap();
    assert_eq!(
        renewed.metadata.annotations.unwrap()[VERSION],
        env!("CARGO_PKG_VERSION")
    );
    let kept = api.get(POLICIES).await.unwrap();
    assert_eq!(
        kept.spec.names.short_names,
        Some(vec!["short".to_owned()]),
        "it was not touched"
    );

    // The kind is served from now on, even if it was not when this began.
    let route = "{apiVersion: aigateway.envoyproxy.io/v1beta1, kind: AIGatewayRoute, metadata: {name: r}, spec: {rules: []}}";
    let applied = apply_objects(&client, &read_manifests(route)).await.unwrap();
    assert_eq!(applied, ["AIGatewayRoute r"]);
}

#[tokio::test]
async fn a_user_without_rights_is_told_what_was_refused() {
    let refused = install(&cluster().await.user("nobody"), &all().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(refused, InstallError::Refused { .. }), "{refused}");
    let said = refused.to_string();
    assert!(
        said.contains(ROUTES) && said.contains("cannot get resource"),
        "{said}"
    );
}
