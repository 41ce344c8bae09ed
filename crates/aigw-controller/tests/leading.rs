//! One of several operators writes; another goes on when it dies, and at once when it is stopped. The API server may be away.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::time::{Duration, Instant};

use common::{Cluster, Operator, Space, cluster, eventually, one_model, prepare, read_snapshot, rules};
use k8s_openapi::api::coordination::v1::Lease;

const LEADING: &str = "aigw_controller_leading";

/// The route serves another model from now on; waits until the snapshot says so.
async fn change(space: &Space<'_>, model: &str, limit: Duration) {
    let changed = one_model(&space.name).replace("value: m", &format!("value: {model}"));
    space.apply_kind(&changed, "AIGatewayRoute").await;
    eventually(limit, || async {
        let (_, contents) = read_snapshot(&space.api(), "gw").await.ok_or("no snapshot")?;
        let text = serde_json::to_string(&contents.document).unwrap();
        text.contains(model).then_some(()).ok_or(text)
    })
    .await;
}

async fn leads(operator: &Operator, limit: Duration) {
    eventually(limit, || async {
        let leads = operator.metric(LEADING).await > 0.0;
        leads.then_some(()).ok_or_else(|| "it does not lead".to_owned())
    })
    .await;
}

async fn holder(space: &Space<'_>) -> String {
    let lease = space.api::<Lease>().get("aigw-controller").await.unwrap();
    lease.spec.unwrap().holder_identity.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_operator_goes_on_when_the_leader_is_killed_or_stopped() {
    let cluster = cluster().await;
    let space = cluster.space("leading").await;
    prepare(&space, &rules()).await;
    let first = cluster.operator(&space, "first").await;
    leads(&first, Duration::from_secs(5)).await;
    space.apply(&one_model(&space.name)).await;
    let second = cluster.operator(&space, "second").await;
    change(&space, "one", Duration::from_secs(5)).await;
    assert_eq!(second.metric(LEADING).await, 0.0);
    assert_eq!(holder(&space).await, "first");
    let (_, text) = second.ask("/metrics").await;
    assert!(
        !text.contains("writes_total"),
        "one that does not lead writes nothing: {text}"
    );

    drop(first);
    let killed = Instant::now();
    change(&space, "two", Duration::from_secs(10)).await;
    assert_eq!(holder(&space).await, "second");
    let waited = killed.elapsed();
    assert!(
        waited > Duration::from_secs(1),
        "it took the lease before it ran out: {waited:?}"
    );

    let third = cluster.operator(&space, "third").await;
    assert_eq!(third.metric(LEADING).await, 0.0);
    let stopping = Instant::now();
    second.stop().await;
    assert_ne!(holder(&space).await, "second", "it gives the lease back");
    leads(&third, Duration::from_secs(5)).await;
    // Long before the lease would have run out: its next try is a quarter of a second away.
    println!("the lease was taken {:?} after the stop", stopping.elapsed());
    change(&space, "three", Duration::from_secs(5)).await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_may_be_away() {
    let cluster = Cluster::start().await;
    let space = cluster.space("outage").await;
    prepare(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    space.apply(&one_model(&space.name)).await;
    change(&space, "before", Duration::from_secs(5)).await;
    cluster.kill_server();
    // Longer than the lease: it stops writing, and goes on afterwards without being started again.
    eventually(Duration::from_secs(5), || async {
        let leads = operator.metric(LEADING).await > 0.0;
        (!leads).then_some(()).ok_or_else(|| "it leads".to_owned())
    })
    .await;
    assert_eq!(operator.ask("/health").await.0, 200);
    cluster.start_server().await;
    let back = Instant::now();
    change(&space, "after", Duration::from_secs(15)).await;
    println!(
        "a change was served {:?} after the server was back",
        back.elapsed()
    );
    operator.stop().await;
}
