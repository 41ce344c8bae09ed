//! What a real Envoy does when its processor or an upstream is not there, and what it carries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure is a panic"
)]

mod support;

use std::time::{Duration, Instant};

use aigw_extproc::names;
use aigw_extproc::xds::DataPath;

use support::relay::Mode;
use support::snapshot::{Setup, at};
use support::{Bench, client, free, upstream};

#[tokio::test]
async fn a_processor_that_is_gone_or_hangs_is_a_503_with_a_reason() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let target = at(upstream::tcp("target").await);
    let cluster = names::cluster(&target);
    let headers = [("x-test-cluster", cluster.as_str())];
    bench.serve(address, &target).await;
    assert_eq!(client::post(address, "/", &headers, "hello").await.status, 200);
    for mode in [Mode::Gone, Mode::Frozen] {
        bench.relay.mode.send_replace(mode);
        let began = Instant::now();
        let answer = client::post(address, "/", &headers, "hello").await;
        assert_eq!(answer.status, 503, "{mode:?} {answer:?}");
        assert_eq!(answer.header("x-aigw-error"), Some("processor_unavailable"));
        assert!(
            answer.body.contains("\"code\":\"processor_unavailable\""),
            "{answer:?}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(12),
            "{mode:?} {:?}",
            began.elapsed()
        );
        bench.relay.mode.send_replace(Mode::Open);
        let began = Instant::now();
        while client::post(address, "/", &headers, "hello").await.status != 200 {
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{mode:?}: it does not come back"
            );
        }
    }
}

#[tokio::test]
async fn one_call_that_is_never_answered_ends_with_a_reason_and_the_others_go_on() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let target = at(upstream::tcp("target").await);
    let cluster = names::cluster(&target);
    let headers = [("x-test-cluster", cluster.as_str())];
    bench.start_envoy();
    let mut setup = Setup::new("v1")
        .listener("main", address)
        .endpoint(target.clone());
    setup.idle = Some(500);
    bench.publish(&setup).await.unwrap();
    let began = Instant::now();
    let named = cluster.clone();
    let stuck = tokio::spawn(async move {
        let headers = [
            ("x-test-cluster", named.as_str()),
            ("x-test-stuck", "1"),
            ("x-request-id", "of-the-client"),
        ];
        client::post(address, "/", &headers, "hello").await
    });
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!(client::post(address, "/", &headers, "hello").await.status, 200);
    }
    let answer = stuck.await.unwrap();
    let lasted = began.elapsed();
    // The engine's own word would come first; Envoy gives it five seconds more than the silence that is allowed.
    assert!(
        lasted > Duration::from_secs(5) && lasted < Duration::from_secs(15),
        "{lasted:?}"
    );
    assert_eq!(answer.status, 504, "{answer:?}");
    assert_eq!(answer.header("x-aigw-error"), Some("upstream_timeout"));
    assert_eq!(answer.header("x-request-id"), Some("of-the-client"));
    let answer = client::post(address, "/", &headers, "hello").await;
    assert_eq!((answer.status, answer.header("x-request-id")), (200, None));
}

#[tokio::test]
async fn bodies_of_32_mib_pass() {
    for path in [DataPath::Local, DataPath::Extproc] {
        let Some(mut bench) = Bench::new(path) else { return };
        let address = free();
        let target = at(upstream::tcp("target").await);
        upstream::unix("target", &bench.places().listener("main"));
        bench.serve(address, &target).await;
        let body = "x".repeat(32 << 20);
        let cluster = names::cluster(&target);
        let answer = client::post(address, "/edited", &[("x-test-cluster", &cluster)], &body).await;
        assert_eq!(answer.status, 200, "{path:?} {answer:?}");
        let expected = format!("target POST /edited {} HTTP/1.1\n", body.len());
        assert!(answer.body.starts_with(&expected), "{path:?} {answer:?}");
    }
}

#[tokio::test]
async fn lines_for_requests_and_attempts_are_json() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    bench.options.access_log = true;
    let address = free();
    // Nobody listens there.
    let nobody = at(free());
    bench.serve(address, &nobody).await;
    let cluster = names::cluster(&nobody);
    let answer = client::post(
        address,
        "/a\"b?key=secret",
        &[("x-test-cluster", &cluster)],
        "hello",
    )
    .await;
    assert_eq!(answer.status, 503, "{answer:?}");
    bench
        .until("three lines are written", |bench| {
            bench.access_log().lines().count() >= 3
        })
        .await;
    let text = bench.access_log();
    assert!(!text.contains("secret"), "{text}");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| lines.iter().filter(|line| line["line"] == kind).count();
    assert_eq!((of("attempt"), of("request")), (2, 1), "{text}");
    let request = lines.iter().find(|line| line["line"] == "request").unwrap();
    assert_eq!(request["status"], 503, "{request}");
    assert_eq!(request["client"], "127.0.0.1", "{request}");
    assert_eq!(request["attempts"], 2, "{request}");
    assert_eq!(request["listener"], "main", "{request}");
}
