//! From objects to snapshots and statuses, on a real API server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::time::Duration;

use common::{GROUP, cluster, condition, eventually, one_model, prepare, read_snapshot, rules};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_to_a_snapshot_and_to_statuses() {
    let cluster = cluster().await;
    let space = cluster.space("snapshot").await;
    prepare(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    space.apply(&one_model(&space.name)).await;
    let (index, contents) = eventually(SOON, || async {
        let snapshot = read_snapshot(&space.api(), "gw").await.ok_or("no snapshot")?;
        let credentials = &snapshot.1.credentials;
        let keys = credentials.ids().filter_map(|id| credentials.find(id));
        let found = keys.map(|key| key.reveal()).any(|key| key == "sk-first");
        match found {
            true => Ok(snapshot),
            false => Err(format!("no key in {:?}", snapshot.1.document)),
        }
    })
    .await;
    let name = format!("{}/b", space.name);
    assert_eq!(contents.document.backends[0].name, name);
    assert_eq!(
        index.shards.len(),
        kinds(&index),
        "small snapshots have one shard of a kind"
    );

    for (kind, name) in [
        ("AIServiceBackend", "b"),
        ("BackendSecurityPolicy", "p"),
        ("AIGatewayRoute", "r"),
    ] {
        let status = condition(&space, GROUP, kind, name, "Accepted", "True").await;
        assert_eq!(status["reason"], "Accepted");
        assert!(status["lastTransitionTime"].is_string(), "{status}");
        // No pod runs in this test.
        let status = condition(&space, GROUP, kind, name, "Programmed", "False").await;
        assert_eq!(status["reason"], "NoReadyPods");
    }
    let gateway = condition(
        &space,
        "gateway.networking.k8s.io",
        "Gateway",
        "gw",
        "Accepted",
        "True",
    )
    .await;
    assert_eq!(gateway["observedGeneration"], 1);
    operator.stop().await;
}

fn kinds(index: &aigw_config::shard::Index) -> usize {
    let kinds: std::collections::BTreeSet<_> = index.shards.iter().map(|one| one.kind).collect();
    kinds.len()
}
