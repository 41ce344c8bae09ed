//! The xDS server and its resources against a real Envoy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure is a panic"
)]

mod support;

use aigw_config::Endpoint;
use aigw_extproc::names;
use aigw_extproc::xds::{DataPath, Kind, PublishError, Published};

use support::snapshot::{Setup, at, endpoint};
use support::{Bench, client, free, upstream};

#[tokio::test]
async fn the_bootstrap_is_valid() {
    let Some(bench) = Bench::new(DataPath::Local) else {
        return;
    };
    let output = bench
        .command()
        .args(["--mode", "validate"])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("[warning]"), "{said}");
}

#[tokio::test]
async fn requests_go_to_the_native_host_with_the_clients_address() {
    let Some(mut bench) = Bench::new(DataPath::Local) else {
        return;
    };
    let address = free();
    upstream::unix("native", &bench.places().listener("main"));
    let setup = Setup::new("v1").listener("main", address);
    assert_eq!(
        bench.xds.publish(bench.make(&setup)).await,
        Ok(Published::NoEnvoy)
    );
    bench.start_envoy();
    assert_eq!(
        bench.publish(&setup).await,
        Ok(Published::Acknowledged),
        "{}",
        bench.log()
    );
    let forged = [
        ("x-aigw-cluster", "elsewhere"),
        ("x-aigw-exchange", "0123"),
        ("x-aigw-peer", "10.9.8.7"),
        ("x-envoy-retry-on", "5xx"),
        ("x-forwarded-for", "10.1.1.1"),
        ("x-request-id", "mine"),
        ("x-aigw-strict", "true"),
    ];
    let answer = client::post(address, "/v1/../a%2fb?x=1", &forged, "hello").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let lines: Vec<&str> = answer.body.lines().collect();
    let mut headers: Vec<&str> = lines[1..].to_vec();
    headers.sort_unstable();
    assert_eq!(lines[0], "native POST /v1/../a%2fb?x=1 5 HTTP/1.1");
    assert_eq!(
        headers,
        [
            "content-length: 5",
            "host: gateway.test",
            "x-aigw-peer: 127.0.0.1",
            "x-aigw-strict: true",
            "x-forwarded-for: 10.1.1.1",
            "x-request-id: mine",
        ]
    );
    assert_eq!(answer.header("server"), Some("stub"), "{answer:?}");
    assert_eq!(answer.header("x-aigw-envoy"), None, "{answer:?}");
    assert!(!answer.head.contains("x-envoy"), "{answer:?}");
    let state = bench.xds.state();
    assert_eq!(state.acknowledged.as_deref(), Some("v1"));
    assert!(state.kinds.values().all(|kind| kind.rejected == 0), "{state:?}");
}

#[tokio::test]
async fn an_envoy_that_starts_again_gets_everything_again() {
    let Some(mut bench) = Bench::new(DataPath::Local) else {
        return;
    };
    let address = free();
    upstream::unix("native", &bench.places().listener("main"));
    let setup = Setup::new("v1").listener("main", address);
    bench.start_envoy();
    bench.publish(&setup).await.unwrap();
    assert_eq!(client::post(address, "/", &[], "").await.status, 200);
    bench.stop_envoy().await;
    bench
        .until("Envoy is gone", |bench| bench.xds.state().connected == 0)
        .await;
    bench.start_envoy();
    bench
        .until("Envoy is back", |bench| bench.xds.state().connected == 1)
        .await;
    assert_eq!(client::post(address, "/", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_server_that_starts_again_finds_everything_as_it_was() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    bench.options.access_log = true;
    let address = free();
    let target = at(upstream::tcp("target").await);
    let cluster = names::cluster(&target);
    let headers = [("x-test-cluster", cluster.as_str())];
    let setup = bench.serve(address, &target).await;
    assert_eq!(client::post(address, "/", &headers, "").await.status, 200);
    bench.restart_server().await;
    let began = std::time::Instant::now();
    // Envoy has what it had, whether or not the server has anything yet.
    while client::post(address, "/", &headers, "").await.status != 200 {
        assert!(began.elapsed().as_secs() < 1);
    }
    bench.publish(&setup).await.unwrap();
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
    for name in [
        "listener_manager.listener_modified",
        "listener_manager.listener_in_place_updated",
        "cluster_manager.cluster_modified",
    ] {
        assert_eq!(bench.statistic(name).await, 0, "{name}");
    }
}

#[tokio::test]
async fn listeners_come_and_go() {
    let Some(mut bench) = Bench::new(DataPath::Local) else {
        return;
    };
    let (first, second) = (free(), free());
    upstream::unix("one", &bench.places().listener("one"));
    upstream::unix("two", &bench.places().listener("two"));
    bench.start_envoy();
    let both = Setup::new("v2").listener("one", first).listener("two", second);
    bench
        .publish(&Setup::new("v1").listener("one", first))
        .await
        .unwrap();
    bench.publish(&both).await.unwrap();
    assert!(client::post(first, "/", &[], "").await.body.starts_with("one "));
    assert!(client::post(second, "/", &[], "").await.body.starts_with("two "));
    bench
        .publish(&Setup::new("v3").listener("two", second))
        .await
        .unwrap();
    assert!(client::post(second, "/", &[], "").await.body.starts_with("two "));
    bench
        .until("the first is closed", |_| {
            std::net::TcpStream::connect(first).is_err()
        })
        .await;
}

#[tokio::test]
async fn what_envoy_refuses_is_withdrawn() {
    let Some(mut bench) = Bench::new(DataPath::Local) else {
        return;
    };
    let address = free();
    upstream::unix("native", &bench.places().listener("main"));
    bench.start_envoy();
    bench
        .publish(&Setup::new("v1").listener("main", address))
        .await
        .unwrap();
    // An address that this machine does not have.
    let bad = Setup::new("v2")
        .listener("main", address)
        .listener("other", "192.0.2.1:8080".parse().unwrap());
    let refused = bench.publish(&bad).await.unwrap_err();
    let PublishError::Rejected {
        kind,
        version,
        detail,
    } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!((kind, version.as_str()), (Kind::Listener, "v2"));
    assert!(detail.contains("192.0.2.1"), "{detail}");
    assert_eq!(client::post(address, "/", &[], "").await.status, 200);
    bench
        .until("the good one is acknowledged again", |bench| {
            let state = bench.xds.state();
            state.served.as_deref() == Some("v1")
                && state.kinds["listeners"].acknowledged.as_deref() == Some("v1")
        })
        .await;
    let state = bench.xds.state();
    assert_eq!(state.kinds["listeners"].rejected, 1, "{state:?}");
    assert!(
        state.kinds["listeners"]
            .last_rejection
            .as_ref()
            .unwrap()
            .detail
            .contains("192.0.2.1")
    );
    // And the next good one is taken.
    bench
        .publish(&Setup::new("v3").listener("main", address))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_processor_names_the_cluster_and_nobody_else() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let target = at(upstream::tcp("target").await);
    bench.serve(address, &target).await;
    let cluster = names::cluster(&target);
    let answer = client::post(address, "/v1/x", &[("x-test-cluster", &cluster)], "hello").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.starts_with("target POST /edited 5 HTTP/1.1\n"),
        "{answer:?}"
    );
    assert!(answer.body.contains("x-about: main|127.0.0.1\n"), "{answer:?}");
    assert!(!answer.body.contains("x-aigw-"), "{answer:?}");
    assert_eq!(answer.header("x-aigw-envoy"), None, "{answer:?}");
    let forged = client::post(address, "/v1/x", &[("x-aigw-cluster", &cluster)], "hello").await;
    assert_eq!(forged.status, 503, "{forged:?}");
    assert!(forged.header("x-aigw-envoy").is_some(), "{forged:?}");
    assert_eq!(forged.header("x-aigw-error"), Some("gateway_unavailable"));
}

#[tokio::test]
async fn backends_come_and_go() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let (a, b) = (at(upstream::tcp("a").await), at(upstream::tcp("b").await));
    let by_name = endpoint(false, "localhost", a.port);
    bench.start_envoy();
    let base = |version| Setup::new(version).listener("main", address);
    let ask = async |endpoint| {
        let cluster = names::cluster(endpoint);
        client::post(address, "/", &[("x-test-cluster", &cluster)], "").await
    };
    bench.publish(&base("v1").endpoint(a.clone())).await.unwrap();
    assert_eq!(ask(&a).await.status, 200);
    assert_eq!(ask(&b).await.status, 503);
    let setup = base("v2").endpoint(b.clone()).endpoint(by_name.clone());
    bench.publish(&setup).await.unwrap();
    assert!(ask(&b).await.body.starts_with("b "));
    assert!(ask(&by_name).await.body.starts_with("a "));
    // Requests that were told of it before may still be under way.
    assert_eq!(ask(&a).await.status, 200);
    assert_eq!(
        bench.xds.state().kinds["clusters"].acknowledged.as_deref(),
        Some("v2+before")
    );
}

#[tokio::test]
async fn clusters_that_are_refused_take_nothing_with_them() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let (a, b) = (at(upstream::tcp("a").await), at(upstream::tcp("b").await));
    bench.start_envoy();
    let base = |version| Setup::new(version).listener("main", address);
    bench.publish(&base("v1").endpoint(a.clone())).await.unwrap();
    let bad = Endpoint {
        server_name: Some("x".repeat(256)),
        ..endpoint(true, "127.0.0.1", 443)
    };
    let setup = base("v2").endpoint(b.clone()).endpoint(bad);
    let refused = bench.publish(&setup).await.unwrap_err();
    assert!(
        matches!(&refused, PublishError::Rejected { kind: Kind::Cluster, detail, .. } if detail.contains("sni")),
        "{refused}"
    );
    bench
        .until("the good one is acknowledged again", |bench| {
            bench.xds.state().kinds["clusters"].acknowledged.as_deref() == Some("v1")
                && bench.xds.state().kinds["clusters"].accepted == 2
        })
        .await;
    let ask = async |endpoint| {
        let cluster = names::cluster(endpoint);
        client::post(address, "/", &[("x-test-cluster", &cluster)], "").await
    };
    assert_eq!(ask(&a).await.status, 200);
    // Envoy had taken the good half of what it refused.
    assert_eq!(ask(&b).await.status, 503);
}

#[tokio::test]
async fn a_name_that_does_not_exist_holds_up_nothing() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let a = at(upstream::tcp("a").await);
    let nowhere = endpoint(true, "nowhere.invalid", 443);
    bench.start_envoy();
    let base = |version| Setup::new(version).listener("main", address).endpoint(a.clone());
    bench.publish(&base("v1").endpoint(nowhere)).await.unwrap();
    let cluster = names::cluster(&a);
    assert_eq!(
        client::post(address, "/", &[("x-test-cluster", &cluster)], "")
            .await
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_can_be_asked_at_once() {
    const VERSIONS: [&str; 10] = ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"];
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    bench.start_envoy();
    for version in VERSIONS {
        let target = at(upstream::tcp("target").await);
        assert!(!bench.xds.has_cluster(&names::cluster(&target)));
        let setup = Setup::new(version)
            .listener("main", address)
            .endpoint(target.clone());
        bench.publish(&setup).await.unwrap();
        assert!(bench.xds.has_cluster(&names::cluster(&target)));
        let cluster = names::cluster(&target);
        let ask = async || {
            client::post(address, "/", &[("x-test-cluster", &cluster)], "")
                .await
                .status
        };
        let asked = futures_util::future::join_all((0..8).map(|_| ask())).await;
        assert_eq!(asked, [200; 8], "{version}");
    }
}
