//! The pods of one Gateway are replaced at a time. Deployments are made by the operator on a real API server; what Kubernetes does for
//! them (their pods) is done by the test, as no controller of Kubernetes runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use aigw_api::DataPlane;
use common::{Operator, Space, cluster, eventually, one_model, options, prepare, rules, user_of};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};

const SOON: Duration = Duration::from_secs(5);
const TEMPLATE: &str = "aigateway.envoyproxy.io/pod-template";
const GATEWAYS: [&str; 3] = ["ga", "gb", "gc"];

/// The Deployment of a Gateway.
async fn deployment(space: &Space<'_>, gateway: &str) -> Result<Deployment, String> {
    let one = ListParams::default().labels(&format!("aigateway.envoyproxy.io/gateway-name={gateway}"));
    let found = space.api::<Deployment>().list(&one).await.unwrap();
    found
        .items
        .into_iter()
        .next()
        .ok_or_else(|| format!("no Deployment of {gateway}"))
}

/// What its pods' first container is of.
fn image(deployment: &Deployment) -> &str {
    let containers = &deployment.spec.template.spec.as_ref().unwrap().containers;
    containers
        .first()
        .and_then(|one| one.image.as_deref())
        .unwrap_or_default()
}

/// Puts a pod of the Deployment's template in the place of the one that is there.
async fn replace_pod(space: &Space<'_>, gateway: &str) {
    let deployment = deployment(space, gateway).await.unwrap();
    let template = deployment.spec.template;
    let pods: Api<Pod> = space.api();
    for old in pods.list(&ListParams::default()).await.unwrap() {
        let name = old.metadata.name.unwrap();
        if name.starts_with(gateway) {
            pods.delete(&name, &DeleteParams::default().grace_period(0))
                .await
                .unwrap();
        }
    }
    let metadata = template.metadata.unwrap();
    assert!(
        metadata
            .annotations
            .as_ref()
            .is_some_and(|all| all.contains_key(TEMPLATE))
    );
    let mut spec = template.spec.unwrap();
    // The account's token would have to be there.
    spec.service_account_name = None;
    let pod = Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{gateway}-")),
            labels: metadata.labels,
            annotations: metadata.annotations,
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    };
    pods.create(&PostParams::default(), &pod).await.unwrap();
}

/// Gateways whose Deployments have this image.
async fn with_image(space: &Space<'_>, wanted: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for gateway in GATEWAYS {
        if deployment(space, gateway)
            .await
            .is_ok_and(|one| image(&one) == wanted)
        {
            found.push(gateway);
        }
    }
    found
}

async fn until_with_image(space: &Space<'_>, wanted: &str, gateways: &[&str]) {
    eventually(SOON, || async {
        let found = with_image(space, wanted).await;
        if found == gateways {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_one_gateway_are_replaced_at_a_time() {
    let cluster = cluster().await;
    let space = cluster.space("rollout").await;
    prepare(&space, &rules()).await;
    let with = |image: &str| {
        let mut options = options(&space, "one");
        options.plan.workload.data_plane = DataPlane::Native;
        options.plan.workload.images.aigw = image.to_owned();
        options
    };
    let start = async |image: &str| {
        let operator = Operator::start(cluster.config(&user_of(&space), &[]), with(image));
        operator.ready().await;
        operator
    };
    let operator = start("aigw:old").await;
    for gateway in GATEWAYS {
        space
            .apply(&one_model(&space.name).replace("name: gw", &format!("name: {gateway}")))
            .await;
    }
    // Nothing is replaced where nothing was: all come at once.
    until_with_image(&space, "aigw:old", &GATEWAYS).await;
    for gateway in GATEWAYS {
        replace_pod(&space, gateway).await;
    }
    operator.stop().await;

    let operator = start("aigw:new").await;
    until_with_image(&space, "aigw:new", &["ga"]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        with_image(&space, "aigw:new").await,
        ["ga"],
        "its pod is of the old image still"
    );
    replace_pod(&space, "ga").await;
    until_with_image(&space, "aigw:new", &["ga", "gb"]).await;
    // Another leader goes on where the one before was.
    operator.stop().await;
    let operator = start("aigw:new").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(with_image(&space, "aigw:new").await, ["ga", "gb"]);
    replace_pod(&space, "gb").await;
    until_with_image(&space, "aigw:new", &GATEWAYS).await;
    operator.stop().await;
}
