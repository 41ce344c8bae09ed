//! Nothing is written that need not be: not in quiet times, not for changes that concern nobody, and not under a name that is
//! somebody else's. What is not wanted any more goes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fmt::Debug;
use std::time::Duration;

use common::{
    Audited, Cluster, GROUP, Space, TestPod, cluster, condition, eventually, one_model, prepare,
    read_snapshot, rules, try_read_snapshot, user_of,
};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Resource;
use kube::api::{DeleteParams, ListParams};
use serde::de::DeserializeOwned;

/// What the operator of the space has written so far, its lease aside.
fn writes(cluster: &Cluster, space: &Space<'_>) -> Vec<Audited> {
    let mut all = cluster.audit(&user_of(space));
    all.retain(|one| one.writes() && one.resource != "leases");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn in_quiet_times_nothing_is_written() {
    // One of its own: namespaces and classes of other tests are changes too.
    let cluster = &Cluster::start().await;
    let space = cluster.space("quiet").await;
    prepare(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    space.apply(&one_model(&space.name)).await;
    let pod = TestPod::start(&space, "gw", "pod-1").await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    condition(&space, GROUP, "BackendSecurityPolicy", "p", "Programmed", "True").await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let before = writes(cluster, &space);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = writes(cluster, &space);
    assert_eq!(after.len(), before.len(), "{:?}", &after[before.len()..]);

    // Changes that make no difference.
    let rebuilds = operator.metric("aigw_controller_rebuild_seconds_count").await;
    space
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: unrelated}, stringData: {a: b}}")
        .await;
    space
        .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: unrelated}, data: {a: b}}")
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        operator.metric("aigw_controller_rebuild_seconds_count").await,
        rebuilds
    );
    space
        .apply("{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {name: g}, spec: {from: [{group: a, kind: B, namespace: c}], to: [{group: '', kind: Secret}]}}")
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(operator.metric("aigw_controller_rebuild_seconds_count").await > rebuilds);
    let after = writes(cluster, &space);
    assert_eq!(after.len(), before.len(), "{:?}", &after[before.len()..]);

    // One that does: the snapshot's index and what changed of it, and the statuses of those whose condition turns.
    let changed = one_model(&space.name).replace("value: m", "value: other");
    space.apply_kind(&changed, "AIGatewayRoute").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    let after = writes(cluster, &space);
    let new = &after[before.len()..];
    assert!((3..=20).contains(&new.len()), "{new:?}");
    assert!(
        !new.iter().any(|one| one.name == "p" || one.name == "b"),
        "{new:?}"
    );

    // The next operator finds everything as it is to be. Its memory is its own, so it applies the workload once, which changes
    // nothing; it writes no snapshot and no status.
    operator.stop().await;
    let before = writes(cluster, &space);
    let versions = workload(&space).await;
    let operator = cluster.operator(&space, "two").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = writes(cluster, &space);
    let new: Vec<_> = after[before.len()..]
        .iter()
        .filter(|one| !WORKLOAD.contains(&one.resource.as_str()))
        .collect();
    assert!(new.is_empty(), "{new:?}");
    assert_eq!(workload(&space).await, versions);
    pod.end().await;
    operator.stop().await;
}

const WORKLOAD: [&str; 6] = [
    "deployments",
    "poddisruptionbudgets",
    "rolebindings",
    "roles",
    "serviceaccounts",
    "services",
];

/// Versions of the objects that serve a Gateway; a write that changes nothing leaves them.
async fn workload(space: &Space<'_>) -> Vec<Option<String>> {
    vec![
        version::<Deployment>(space).await,
        version::<PodDisruptionBudget>(space).await,
        version::<RoleBinding>(space).await,
        version::<Role>(space).await,
        version::<ServiceAccount>(space).await,
        version::<Service>(space).await,
    ]
}

async fn version<K>(space: &Space<'_>) -> Option<String>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    space
        .api::<K>()
        .get("aigw-gw")
        .await
        .unwrap()
        .meta()
        .resource_version
        .clone()
}

async fn ours(space: &Space<'_>) -> Vec<String> {
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=aigw");
    let secrets = space.api::<Secret>().list(&ours).await.unwrap();
    secrets
        .items
        .into_iter()
        .filter_map(|one| one.metadata.name)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_somebody_changes_is_written_again_and_all_goes_with_the_gateway() {
    let cluster = cluster().await;
    let space = cluster.space("ends").await;
    prepare(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    space.apply(&one_model(&space.name)).await;
    let secrets = space.api::<Secret>();
    eventually(Duration::from_secs(5), || async {
        read_snapshot(&secrets, "gw")
            .await
            .map(|_| ())
            .ok_or("no snapshot".to_owned())
    })
    .await;
    // A watch may lag by five seconds before a difference is somebody else's.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (index, contents) = read_snapshot(&secrets, "gw").await.unwrap();
    let slot = format!("aigw-gw-{}", index.shards[0].slot);
    secrets.delete(&slot, &DeleteParams::default()).await.unwrap();
    eventually(Duration::from_secs(10), || async {
        let index_now = secrets.get("aigw-gw-index").await.unwrap();
        let text = String::from_utf8(index_now.data.unwrap()["index"].0.clone()).unwrap();
        let old = serde_json::to_string(&index).unwrap();
        (text != old)
            .then_some(())
            .ok_or("the index is the old one".to_owned())
    })
    .await;
    let (_, again) = read_snapshot(&secrets, "gw").await.unwrap();
    assert_eq!(again.document, contents.document);

    // Not ours, though it has our label: it was made for no Gateway.
    space
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: other, labels: {app.kubernetes.io/managed-by: aigw}}}")
        .await;
    for (group, kind, name) in [
        (GROUP, "AIGatewayRoute", "r"),
        (GROUP, "AIServiceBackend", "b"),
        (GROUP, "BackendSecurityPolicy", "p"),
        ("gateway.networking.k8s.io", "Gateway", "gw"),
    ] {
        space.delete(group, kind, name).await;
    }
    // No garbage collector of Kubernetes runs here: the operator does it by itself.
    eventually(Duration::from_secs(10), || async {
        let left = ours(&space).await;
        (left == ["other"]).then_some(()).ok_or(format!("{left:?}"))
    })
    .await;

    // What was left by a Gateway that ended while no operator ran is found at start.
    space.apply(&one_model(&space.name)).await;
    eventually(Duration::from_secs(5), || async {
        // A last write for the Gateway of that name before may have come after the sweep: an index without its shards, which
        // a reader does not take, until the new one is written.
        let snapshot = try_read_snapshot(&secrets, "gw").await?;
        snapshot.map(|_| ()).ok_or("no snapshot".to_owned())
    })
    .await;
    operator.stop().await;
    space.delete("gateway.networking.k8s.io", "Gateway", "gw").await;
    let operator = cluster.operator(&space, "two").await;
    eventually(Duration::from_secs(10), || async {
        let left = ours(&space).await;
        (left == ["other"]).then_some(()).ok_or(format!("{left:?}"))
    })
    .await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_object_is_left_alone() {
    let cluster = cluster().await;
    let space = cluster.space("names").await;
    prepare(&space, &rules()).await;
    space
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: aigw-gw-index}, stringData: {index: mine}}")
        .await;
    let operator = cluster.operator(&space, "one").await;
    space.apply(&one_model(&space.name)).await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Accepted", "True").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let secret = space.api::<Secret>().get("aigw-gw-index").await.unwrap();
    assert_eq!(secret.data.unwrap()["index"].0, b"mine");
    // Renamed by its owner, the Gateway is served.
    space
        .api::<Secret>()
        .delete("aigw-gw-index", &DeleteParams::default())
        .await
        .unwrap();
    eventually(Duration::from_secs(10), || async {
        read_snapshot(&space.api(), "gw")
            .await
            .map(|_| ())
            .ok_or("no snapshot".to_owned())
    })
    .await;
    operator.stop().await;
}
