//! Requests through a whole gateway: raw clients on one side, scripted upstreams on the other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is a panic")]

mod support;
#[path = "support/gateway.rs"]
mod support_gateway;

use std::time::Duration;

use aigw_config::{CertificatePair, PemSource, Tls};
use aigw_engine::Outcome;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{closed, listen, plain, read_message, write};
use support_gateway::{Running, Setup, start, start_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ASKED: &str = "{\"model\":\"m\",\"input\":\"hi\"}";
const STREAMED: &str = "{\"model\":\"m\",\"stream\":true,\"input\":\"hi\"}";
const ANSWER: &str = "{\"id\":\"1\",\"model\":\"m\",\"output\":[]}";
const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn post(body: &str) -> String {
    format!(
        "POST /v1/responses HTTP/1.1\r\nhost: gw.test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn sse(data: &str) -> String {
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address()).await.unwrap()
}

/// Reads until `end` has been seen.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(end) {
        assert!(
            stream.read_buf(&mut seen).await.unwrap() > 0,
            "ended after {}",
            String::from_utf8_lossy(&seen)
        );
    }
    String::from_utf8(seen).unwrap()
}

/// Answers every request of every connection with `body`.
async fn answer_all(listener: TcpListener, body: &'static str) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            while read_message(&mut stream).await.is_some() {
                write(&mut stream, &ok(body)).await;
            }
        });
    }
}

#[tokio::test]
async fn answers_pass_and_connections_are_kept_on_both_sides() {
    let (listener, address) = listen().await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(read_message(&mut stream).await.unwrap());
            write(&mut stream, &ok(ANSWER)).await;
        }
        seen
    });
    let mut running = start(&[plain(address)]).await;
    let mut client = connect(&running).await;
    for _ in 0..3 {
        write(&mut client, &post(ASKED)).await;
        let answer = read_message(&mut client).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with(ANSWER), "{answer}");
        let record = running.record().await;
        assert_eq!((record.outcome, record.status), (Outcome::Success, 200));
    }
    for request in upstream.await.unwrap() {
        assert!(request.ends_with(ASKED), "{request}");
        assert!(request.contains(&format!("host: {address}\r\n")), "{request}");
    }
}

#[tokio::test]
async fn streams_pass_piece_by_piece() {
    let (listener, address) = listen().await;
    let (go, mut told) = tokio::sync::mpsc::channel::<()>(1);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        write(&mut stream, STREAM_HEAD).await;
        for data in [
            "{\"type\":\"response.x\",\"n\":1}",
            "{\"type\":\"response.x\",\"n\":2}",
            "[DONE]",
        ] {
            write(&mut stream, &sse(data)).await;
            told.recv().await.unwrap();
        }
        write(&mut stream, "0\r\n\r\n").await;
    });
    let mut running = start(&[plain(address)]).await;
    let mut client = connect(&running).await;
    write(&mut client, &post(STREAMED)).await;
    // The upstream sends each piece only after the one before has arrived here.
    let head = read_until(&mut client, "\"n\":1}").await;
    assert!(head.contains("text/event-stream"), "{head}");
    go.send(()).await.unwrap();
    read_until(&mut client, "\"n\":2}").await;
    go.send(()).await.unwrap();
    read_until(&mut client, "[DONE]").await;
    go.send(()).await.unwrap();
    read_until(&mut client, "0\r\n\r\n").await;
    assert_eq!(running.record().await.outcome, Outcome::Success);
}

#[tokio::test]
async fn client_that_leaves_while_the_head_is_awaited_cancels_the_upstream() {
    let (listener, address) = listen().await;
    let (arrived, asked) = tokio::sync::oneshot::channel();
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        arrived.send(()).unwrap();
        closed(&mut stream).await;
    });
    let mut running = start(&[plain(address)]).await;
    let mut client = connect(&running).await;
    write(&mut client, &post(ASKED)).await;
    asked.await.unwrap();
    drop(client);
    tokio::time::timeout(Duration::from_secs(1), upstream)
        .await
        .unwrap()
        .unwrap();
    let record = running.record().await;
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::ClientGone, 1));
}

#[tokio::test]
async fn client_that_leaves_within_a_silent_stream_cancels_the_upstream() {
    let (listener, address) = listen().await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        write(&mut stream, STREAM_HEAD).await;
        write(&mut stream, &sse("{\"type\":\"response.x\"}")).await;
        closed(&mut stream).await;
    });
    let mut running = start(&[plain(address)]).await;
    let mut client = connect(&running).await;
    write(&mut client, &post(STREAMED)).await;
    read_until(&mut client, "response.x").await;
    drop(client);
    tokio::time::timeout(Duration::from_secs(1), upstream)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(running.record().await.outcome, Outcome::ClientGone);
}

#[tokio::test]
async fn client_that_leaves_within_its_own_body_is_recorded() {
    let (_listener, address) = listen().await;
    let mut running = start(&[plain(address)]).await;
    let mut client = connect(&running).await;
    write(
        &mut client,
        "POST /v1/responses HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{\"model\"",
    )
    .await;
    client.shutdown().await.unwrap();
    let record = running.record().await;
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::ClientGone, 0));
}

#[tokio::test]
async fn next_backend_is_tried_when_one_cannot_be_reached() {
    let (dead, dead_address) = listen().await;
    drop(dead);
    let (listener, address) = listen().await;
    tokio::spawn(answer_all(listener, ANSWER));
    let mut running = start(&[plain(dead_address), plain(address)]).await;
    let mut client = connect(&running).await;
    write(&mut client, &post(ASKED)).await;
    let answer = read_message(&mut client).await.unwrap();
    assert!(answer.ends_with(ANSWER), "{answer}");
    let record = running.record().await;
    assert_eq!(record.backend.as_deref(), Some("up1"));
    assert!(
        record
            .attempts
            .iter()
            .any(|attempt| attempt.failure == Some("connect")),
        "{:?}",
        record.attempts
    );
}

#[tokio::test]
async fn silent_upstream_times_out_and_is_let_go() {
    let (listener, address) = listen().await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        closed(&mut stream).await;
    });
    let timeouts = aigw_config::Timeouts {
        first_byte: support_gateway::millis(50),
        ..support::TIMEOUTS
    };
    let mut running = start_with(
        &[plain(address)],
        Setup {
            timeouts,
            ..Setup::default()
        },
    )
    .await;
    let mut client = connect(&running).await;
    write(&mut client, &post(ASKED)).await;
    let answer = read_message(&mut client).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    upstream.await.unwrap();
    assert_eq!(running.record().await.attempts[0].failure, Some("timeout"));
}

#[tokio::test]
async fn answer_of_announced_length_that_breaks_off_is_cut_for_the_client_too() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 1000\r\n\r\n";
        write(&mut stream, &format!("{head}half")).await;
    });
    let mut running = start(&[plain(address)]).await;
    let mut client = connect(&running).await;
    let body = "{\"model\":\"m\",\"input\":\"hi\",\"voice\":\"v\"}";
    let head = "POST /v1/audio/speech HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    write(
        &mut client,
        &format!("{head}content-length: {}\r\n\r\n{body}", body.len()),
    )
    .await;
    let mut seen = String::new();
    client.read_to_string(&mut seen).await.unwrap();
    assert!(
        seen.contains("content-length: 1000") && seen.ends_with("half"),
        "{seen}"
    );
    assert_eq!(running.record().await.outcome, Outcome::UpstreamCut);
}

#[tokio::test]
async fn refusal_of_a_large_body_reaches_a_client_that_is_still_sending() {
    let (_listener, address) = listen().await;
    let mut running = start_with(
        &[plain(address)],
        Setup {
            max_request_body: 1000,
            ..Setup::default()
        },
    )
    .await;
    let mut client = connect(&running).await;
    let head = "POST /v1/responses HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    write(&mut client, &format!("{head}content-length: 4000000\r\n\r\n")).await;
    // All of it is written, as a simple client does, before the answer is looked at.
    client.write_all(&vec![b' '; 4_000_000]).await.unwrap();
    let mut seen = String::new();
    client.read_to_string(&mut seen).await.unwrap();
    assert!(
        seen.starts_with("HTTP/1.1 413 ") && seen.contains("connection: close"),
        "{seen}"
    );
    assert_eq!(running.record().await.status, 413);
}

#[tokio::test]
async fn http2_in_the_clear_is_served_and_a_reset_cancels() {
    let (listener, address) = listen().await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        write(&mut stream, &ok(ANSWER)).await;
        read_message(&mut stream).await.unwrap();
        write(&mut stream, STREAM_HEAD).await;
        write(&mut stream, &sse("{\"type\":\"response.x\"}")).await;
        closed(&mut stream).await;
    });
    let mut running = start(&[plain(address)]).await;
    let stream = connect(&running).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = |body: &'static str| {
        http::Request::post("http://gw.test/v1/responses")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap()
    };
    let answer = sender.send_request(request(ASKED)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), ANSWER);
    assert_eq!(running.record().await.outcome, Outcome::Success);
    let mut answer = sender.send_request(request(STREAMED)).await.unwrap().into_body();
    assert!(answer.frame().await.unwrap().unwrap().is_data());
    drop(answer);
    tokio::time::timeout(Duration::from_secs(1), upstream)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(running.record().await.outcome, Outcome::ClientGone);
}

#[tokio::test]
async fn draining_lets_exchanges_end_and_takes_no_new_ones() {
    let (listener, address) = listen().await;
    let (arrived, asked) = tokio::sync::oneshot::channel();
    let (go, told) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        arrived.send(()).unwrap();
        told.await.unwrap();
        write(&mut stream, &ok(ANSWER)).await;
        closed(&mut stream).await;
    });
    let running = start(&[plain(address)]).await;
    let (mut client, mut idle) = (connect(&running).await, connect(&running).await);
    write(&mut client, &post(ASKED)).await;
    asked.await.unwrap();
    let address = running.address();
    let gateway = running.gateway;
    let drained = tokio::spawn(running.server.drain(Duration::from_secs(60)));
    closed(&mut idle).await;
    assert!(gateway.is_draining());
    assert!(TcpStream::connect(address).await.is_err());
    go.send(()).unwrap();
    let answer = read_message(&mut client).await.unwrap();
    assert!(
        answer.contains("connection: close") && answer.ends_with(ANSWER),
        "{answer}"
    );
    assert!(drained.await.unwrap());
}

#[tokio::test]
async fn draining_ends_at_its_deadline() {
    let (listener, address) = listen().await;
    let (arrived, asked) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        arrived.send(()).unwrap();
        closed(&mut stream).await;
    });
    let mut running = start(&[plain(address)]).await;
    let mut client = connect(&running).await;
    write(&mut client, &post(ASKED)).await;
    asked.await.unwrap();
    assert!(!running.server.drain(Duration::from_millis(20)).await);
    assert_eq!(running.records.recv().await.unwrap().outcome, Outcome::ClientGone);
    closed(&mut client).await;
}

#[tokio::test]
async fn listeners_follow_the_snapshot() {
    let (listener, address) = listen().await;
    tokio::spawn(answer_all(listener, ANSWER));
    let endpoints = [plain(address)];
    let mut running = start(&endpoints).await;
    let mut old = connect(&running).await;
    write(&mut old, &post(ASKED)).await;
    assert!(read_message(&mut old).await.unwrap().ends_with(ANSWER));

    // An address that cannot be had leaves everything as it is.
    let (taken, taken_address) = listen().await;
    running.publish(
        &endpoints,
        &[("gateway", "127.0.0.1:0"), ("second", &taken_address.to_string())],
    );
    assert!(
        running
            .server
            .follow()
            .await
            .unwrap_err()
            .to_string()
            .contains("second")
    );
    drop(taken);
    write(&mut old, &post(ASKED)).await;
    assert!(read_message(&mut old).await.unwrap().ends_with(ANSWER));

    // A new one opens beside the old one, whose connections stay.
    running.publish(
        &endpoints,
        &[("gateway", "127.0.0.1:0"), ("second", "localhost:0")],
    );
    let before = running.address();
    running.server.follow().await.unwrap();
    assert_eq!(running.address(), before);
    write(&mut old, &post(ASKED)).await;
    assert!(read_message(&mut old).await.unwrap().ends_with(ANSWER));

    // The first one goes: its idle connections are closed, the other serves.
    running.publish(&endpoints, &[("second", "localhost:0")]);
    running.server.follow().await.unwrap();
    closed(&mut old).await;
    let mut client = connect(&running).await;
    write(&mut client, &post(ASKED)).await;
    assert!(read_message(&mut client).await.unwrap().ends_with(ANSWER));
}

#[tokio::test]
async fn tls_serves_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(vec!["gw.test".to_owned()]).unwrap();
    std::fs::write(path("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(path("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let (listener, address) = listen().await;
    tokio::spawn(answer_all(listener, ANSWER));
    let setup = Setup {
        tls: Some(Tls::of(CertificatePair {
            certificate: PemSource::File(path("tls.crt")),
            key: PemSource::File(path("tls.key")),
        })),
        ..Setup::default()
    };
    let running = start_with(&[plain(address)], setup).await;
    let endpoint = aigw_config::Endpoint {
        https: true,
        ca: Some(made.cert.pem()),
        server_name: Some("gw.test".to_owned()),
        ..plain(running.address())
    };
    // Our own client speaks whatever the listener offers first, which is HTTP/2.
    let upstreams = aigw_proxy::Upstreams::new(aigw_proxy::Proxies::none());
    let mut attempt = support::attempt(&endpoint);
    attempt.path = "/v1/responses".to_owned();
    attempt
        .headers
        .insert("content-type", http::HeaderValue::from_static("application/json"));
    let answer = upstreams.send(attempt).await.unwrap();
    assert_eq!(answer.head.version, http::Version::HTTP_2);
    assert_eq!(answer.head.status, 200);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    let mut stream = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config))
        .connect("gw.test".try_into().unwrap(), connect(&running).await)
        .await
        .unwrap();
    stream
        .write_all(
            post(ASKED)
                .replace("host: gw.test", "host: gw.test\r\nconnection: close")
                .as_bytes(),
        )
        .await
        .unwrap();
    let mut seen = String::new();
    stream.read_to_string(&mut seen).await.unwrap();
    assert!(
        seen.starts_with("HTTP/1.1 200 OK") && seen.ends_with(ANSWER),
        "{seen}"
    );
}

#[tokio::test]
async fn slow_reader_holds_the_upstream_back() {
    const TOTAL: usize = 256 << 20;
    let (listener, address) = listen().await;
    let (stalled, told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\n";
        write(&mut stream, &format!("{head}content-length: {TOTAL}\r\n\r\n")).await;
        let piece = vec![0; 64 << 10];
        let mut sent = 0;
        // What fits into the sockets' buffers goes out quickly; then nothing moves.
        while sent < TOTAL {
            match tokio::time::timeout(Duration::from_millis(500), stream.write(&piece)).await {
                Ok(written) => sent += written.unwrap(),
                Err(_) => break,
            }
        }
        stalled.send(sent).unwrap();
        while sent < TOTAL {
            let rest = piece.len().min(TOTAL - sent);
            sent += stream.write(&piece[..rest]).await.unwrap();
        }
    });
    let mut running = start(&[plain(address)]).await;
    let mut client = connect(&running).await;
    write(&mut client, &post(ASKED)).await;
    let taken = told.await.unwrap();
    assert!(
        taken < 64 << 20,
        "{taken} bytes were taken from the upstream for a client that read nothing"
    );
    let mut sink = vec![0; 1 << 20];
    let mut read = 0;
    while read < TOTAL {
        read += client.read(&mut sink).await.unwrap();
    }
    assert_eq!(running.record().await.outcome, Outcome::Success);
}

#[tokio::test]
async fn panic_is_one_requests_alone() {
    let (listener, address) = listen().await;
    tokio::spawn(answer_all(listener, ANSWER));
    // The sink runs within the exchange's own task: the nearest thing to a fault in the engine.
    let setup = Setup {
        watch: |record| assert!(!record.path.contains("nowhere"), "planted"),
        ..Setup::default()
    };
    let mut running = start_with(&[plain(address)], setup).await;
    let mut client = connect(&running).await;
    write(&mut client, "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let answer = read_message(&mut client).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 500 ") && answer.contains("x-aigw-error: internal"),
        "{answer}"
    );
    let mut client = connect(&running).await;
    write(&mut client, &post(ASKED)).await;
    assert!(read_message(&mut client).await.unwrap().ends_with(ANSWER));
    assert_eq!(running.record().await.status, 200);
}
