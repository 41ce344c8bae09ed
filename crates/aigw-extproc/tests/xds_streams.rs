//! Long answers through a real Envoy while its configuration changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure is a panic"
)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use aigw_extproc::names;
use aigw_extproc::xds::DataPath;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use support::snapshot::{Setup, at};
use support::{Bench, free};

/// Answers one request with `one`, and goes on with `two` when it is told to.
async fn paused() -> (SocketAddr, oneshot::Sender<()>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (go, told) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"hello") {
            stream.read_buf(&mut seen).await.unwrap();
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none")
            .await
            .unwrap();
        told.await.unwrap();
        stream.write_all(b"two").await.unwrap();
        std::future::pending::<()>().await;
    });
    (address, go)
}

async fn open(address: SocketAddr, cluster: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: gateway.test\r\nx-test-cluster: {cluster}\r\ncontent-length: 5\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).ends_with(end) {
        let length = stream.read_buf(&mut seen).await.unwrap();
        assert!(length > 0, "cut after {}", String::from_utf8_lossy(&seen));
    }
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn an_answer_outlives_its_cluster() {
    let Some(mut bench) = Bench::with(DataPath::Extproc, Duration::from_millis(200)) else {
        return;
    };
    let address = free();
    let (upstream, go) = paused().await;
    let target = at(upstream);
    bench.start_envoy();
    let base = |version| Setup::new(version).listener("main", address);
    bench.publish(&base("v1").endpoint(target.clone())).await.unwrap();
    bench.listens(address).await;
    let mut stream = open(address, &names::cluster(&target)).await;
    stream.write_all(b"hello").await.unwrap();
    until(&mut stream, "one").await;
    bench.publish(&base("v2")).await.unwrap();
    bench
        .until("the cluster is gone", |bench| {
            bench.xds.state().kinds["clusters"].acknowledged.as_deref() == Some("v2")
        })
        .await;
    go.send(()).unwrap();
    until(&mut stream, "two").await;
}

#[tokio::test]
async fn an_answer_outlives_its_listener() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let (upstream, go) = paused().await;
    let target = at(upstream);
    bench.serve(address, &target).await;
    bench.listens(address).await;
    let mut stream = open(address, &names::cluster(&target)).await;
    stream.write_all(b"hello").await.unwrap();
    until(&mut stream, "one").await;
    bench
        .publish(
            &Setup::new("v2")
                .listener("other", address)
                .endpoint(target.clone()),
        )
        .await
        .unwrap();
    go.send(()).unwrap();
    until(&mut stream, "two").await;
}
