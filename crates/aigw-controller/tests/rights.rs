//! The operator runs with the chart's rules: with one less it says what is missing; none that it has not is ever tried; those that
//! this test does not need are listed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{
    GROUP, TestPod, cluster, condition, eventually, one_model, prepare, read_snapshot, rules, user_of,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use serde_json::{Value, json};

/// Group, resource and verb of every right.
fn rights(rules: &Value) -> BTreeSet<(String, String, String)> {
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().cloned().unwrap_or_default();
        items
            .iter()
            .filter_map(|one| Some(one.as_str()?.to_owned()))
            .collect()
    };
    let mut out = BTreeSet::new();
    for part in ["cluster", "namespaces", "own"] {
        for rule in rules[part].as_array().unwrap() {
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        out.insert((group.clone(), resource.clone(), verb));
                    }
                }
            }
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_charts_rules_are_enough() {
    let cluster = cluster().await;
    let space = cluster.space("rights").await;
    prepare(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    space.apply(&one_model(&space.name)).await;
    let pod = TestPod::start(&space, "gw", "pod-1").await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    space.delete(GROUP, "AIServiceBackend", "b").await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "ResolvedRefs", "False").await;
    space.delete("gateway.networking.k8s.io", "Gateway", "gw").await;
    let ours = ListParams::default().labels("app.kubernetes.io/component=snapshot");
    eventually(Duration::from_secs(10), || async {
        let left = space.api::<Secret>().list(&ours).await.unwrap().items.len();
        (left == 0).then_some(()).ok_or(format!("{left} Secrets"))
    })
    .await;
    pod.end().await;
    operator.stop().await;

    let asked = cluster.audit(&user_of(&space));
    let refused: Vec<_> = asked.iter().filter(|one| one.code == 403).collect();
    assert!(
        refused.is_empty(),
        "rules are missing in charts/aigw/files/rules.yaml: {refused:?}"
    );
    let used: BTreeSet<_> = asked
        .into_iter()
        .map(|one| (one.group, one.resource, one.verb))
        .collect();
    for (group, resource, verb) in rights(&rules()).difference(&used) {
        println!("not used here: {verb} {resource} {group}");
    }
    // Those that reading and telling need are.
    for right in [
        (GROUP, "aigatewayroutes", "watch"),
        (GROUP, "aigatewayroutes/status", "patch"),
        ("", "secrets", "get"),
        ("", "secrets", "delete"),
        ("events.k8s.io", "events", "create"),
        ("coordination.k8s.io", "leases", "update"),
    ] {
        let right = (right.0.to_owned(), right.1.to_owned(), right.2.to_owned());
        assert!(used.contains(&right), "{right:?} is not among {used:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_to_read_nothing_is_planned_and_it_says_which() {
    let cluster = cluster().await;
    let space = cluster.space("blind").await;
    let mut less = rules();
    for rule in less["namespaces"].as_array_mut().unwrap() {
        let resources = rule["resources"].as_array_mut().unwrap();
        resources.retain(|one| *one != json!("referencegrants"));
    }
    prepare(&space, &less).await;
    let operator = cluster.unready_operator(&space, "one");
    space.apply(&one_model(&space.name)).await;
    let said = eventually(Duration::from_secs(10), || async {
        let (code, text) = operator.ask("/ready").await;
        (code == 503 && text.contains("not seen referencegrants yet"))
            .then_some(text.clone())
            .ok_or(text)
    })
    .await;
    assert!(said.starts_with("not ready: "), "{said}");
    assert!(read_snapshot(&space.api(), "gw").await.is_none());
    // It recovers by itself when the right is given.
    prepare(&space, &rules()).await;
    operator.ready().await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Accepted", "True").await;
    operator.stop().await;
}
