//! Listeners on Unix sockets, for a proxy in front.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is a panic")]

mod support;
#[path = "support/gateway.rs"]
mod support_gateway;

use std::path::Path;

use aigw_proxy::Place;
use support::{listen, plain, read_message, write};
use support_gateway::{Setup, start_at};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const ASKED: &str = "{\"model\":\"m\",\"input\":\"hi\"}";
const ANSWER: &str = "{\"id\":\"1\",\"model\":\"m\",\"output\":[]}";

fn file(listener: &str) -> String {
    format!("{listener}.sock")
}

/// The answer to one request on the listener's socket.
async fn ask(directory: &Path, listener: &str) -> String {
    let mut stream = UnixStream::connect(directory.join(file(listener))).await.unwrap();
    let request = format!(
        "POST /v1/responses HTTP/1.1\r\nhost: gw.test\r\nconnection: close\r\nx-aigw-peer: 192.0.2.1\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{ASKED}",
        ASKED.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn listeners_are_sockets_that_come_and_go_with_the_snapshot() {
    let (upstream, address) = listen().await;
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        let (mut stream, _) = upstream.accept().await.unwrap();
        for _ in 0..4 {
            seen.push(read_message(&mut stream).await.unwrap());
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
            let answer = format!("{head}content-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
            write(&mut stream, &answer).await;
        }
        seen
    });
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sockets {
        directory: folder.path().to_owned(),
        name: file,
    };
    let endpoints = [plain(address)];
    let mut running = start_at(place, &endpoints, Setup::default()).await;
    assert!(running.server.addresses().is_empty());
    assert!(ask(folder.path(), "gateway").await.ends_with(ANSWER));
    assert_eq!(running.record().await.listener.as_ref(), "gateway");

    // The address of a listener is the business of the proxy in front.
    running.publish(
        &endpoints,
        &[("gateway", "127.0.0.1:1"), ("second", "127.0.0.1:1")],
    );
    let next = aigw_runtime::Live::clone(&running.gateway.load());
    running.server.open(&next).await.unwrap();
    assert!(ask(folder.path(), "gateway").await.ends_with(ANSWER));
    assert_eq!(running.record().await.listener.as_ref(), "gateway");
    assert!(ask(folder.path(), "second").await.ends_with(ANSWER));
    assert_eq!(running.record().await.listener.as_ref(), "second");

    running.publish(&endpoints, &[("second", "127.0.0.1:2")]);
    running.server.follow().await.unwrap();
    // The proxy in front may have connections of it for a while.
    assert!(ask(folder.path(), "gateway").await.ends_with(ANSWER));
    assert_eq!(running.record().await.listener.as_ref(), "gateway");
    assert!(folder.path().join(file("second")).exists());
    assert!(running.server.drain(std::time::Duration::from_secs(5)).await);
    assert!(!folder.path().join(file("gateway")).exists());
    assert!(!folder.path().join(file("second")).exists());
    for request in seen.await.unwrap() {
        assert!(!request.contains("x-aigw"), "{request}");
    }
}
