//! Connections to upstreams: reuse, failures, cancelling, TLS and forward proxies.
#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aigw_config::Endpoint;
use aigw_engine::{Attempt, FailureKind};
use aigw_proxy::{Proxies, Upstreams};
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{attempt, certificate, chunk, closed, listen, plain, read_message, text, write};
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn request_is_complete_and_connection_is_reused() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = read_message(&mut stream).await.unwrap();
        write(
            &mut stream,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        )
        .await;
        read_message(&mut stream).await.unwrap();
        write(&mut stream, OK).await;
        read_message(&mut stream).await.unwrap();
        write(&mut stream, OK).await;
        first
    });
    let upstreams = Upstreams::new(Proxies::none());
    for _ in 0..3 {
        let answer = upstreams.send(attempt(&plain(address))).await.unwrap();
        assert_eq!(answer.head.status, 200);
        assert_eq!(text(answer.body).await.unwrap(), "ok");
    }
    let request = server.await.unwrap();
    assert!(
        request.starts_with("POST /v1/chat/completions?a=b HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains(&format!("host: {address}\r\n")), "{request}");
    assert!(request.contains("content-length: 13\r\n"), "{request}");
}

#[tokio::test]
async fn kept_connection_closed_by_the_peer_costs_nothing() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        // Closes while the connection waits.
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        write(&mut stream, OK).await;
        drop(stream);
        // Closes at the moment at which the next request comes in.
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        write(&mut stream, OK).await;
        read_message(&mut stream).await.unwrap();
        drop(stream);
        let (mut stream, _) = listener.accept().await.unwrap();
        let again = read_message(&mut stream).await.unwrap();
        write(&mut stream, OK).await;
        again
    });
    let upstreams = Upstreams::new(Proxies::none());
    for _ in 0..2 {
        let answer = upstreams.send(attempt(&plain(address))).await.unwrap();
        assert_eq!(text(answer.body).await.unwrap(), "ok");
    }
    // Here the request was on its way already: the engine is asked for it again.
    let crossed = upstreams.send(attempt(&plain(address))).await.err().unwrap();
    assert_eq!(crossed.kind, FailureKind::Stale);
    let again = Attempt {
        fresh: true,
        ..attempt(&plain(address))
    };
    let answer = upstreams.send(again).await.unwrap();
    assert_eq!(text(answer.body).await.unwrap(), "ok");
    assert!(server.await.unwrap().ends_with("{\"model\":\"m\"}"));
}

#[tokio::test]
async fn failures_are_told_apart() {
    let upstreams = Upstreams::new(Proxies::none());
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        for answer in [
            "",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_message(&mut stream).await.unwrap();
            write(&mut stream, answer).await;
        }
        drop(listener);
    });
    let kind = async || {
        upstreams
            .send(attempt(&plain(address)))
            .await
            .err()
            .map(|failure| failure.kind)
    };
    assert_eq!(kind().await, Some(FailureKind::Reset), "closed without an answer");
    assert_eq!(kind().await, Some(FailureKind::Protocol), "not HTTP");
    let answer = upstreams.send(attempt(&plain(address))).await.unwrap();
    assert_eq!(
        text(answer.body).await.unwrap_err().kind,
        FailureKind::Reset,
        "cut within the body"
    );
    server.await.unwrap();
    assert_eq!(kind().await, Some(FailureKind::Connect), "refused");
}

#[tokio::test]
async fn dropping_an_answer_closes_its_connection() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_message(&mut stream).await.unwrap();
        write(
            &mut stream,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        )
        .await;
        closed(&mut stream).await;
    });
    let upstreams = Upstreams::new(Proxies::none());
    let mut answer = upstreams.send(attempt(&plain(address))).await.unwrap();
    assert_eq!(chunk(&mut answer.body).await.unwrap().unwrap(), "ok");
    drop(answer);
    server.await.unwrap();
}

/// Says the protocol's version, the authority and the path; counts connections.
async fn echo_over_tls(
    listener: TcpListener,
    config: Arc<rustls::ServerConfig>,
    connections: Arc<AtomicUsize>,
) {
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(stream) = acceptor.accept(stream).await else {
            continue;
        };
        connections.fetch_add(1, Ordering::SeqCst);
        let service = service_fn(|request: http::Request<Incoming>| async move {
            let authority = request.uri().authority().map(ToString::to_string);
            let host = request
                .headers()
                .get("host")
                .map(|host| host.to_str().unwrap().to_owned());
            let line = format!(
                "{:?} {:?} {}",
                request.version(),
                authority.or(host),
                request.uri().path()
            );
            request.into_body().collect().await.unwrap();
            Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::new(Bytes::from(
                line,
            ))))
        });
        tokio::spawn(async move {
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

#[tokio::test]
async fn http2_is_agreed_on_and_shared() {
    let (pem, config) = certificate(&["h2", "http/1.1"]);
    let (listener, address) = listen().await;
    let connections = Arc::new(AtomicUsize::new(0));
    tokio::spawn(echo_over_tls(listener, config, Arc::clone(&connections)));
    let endpoint = Endpoint {
        https: true,
        ca: Some(pem),
        server_name: Some("upstream.test".to_owned()),
        ..plain(address)
    };
    let upstreams = Upstreams::new(Proxies::none());
    let one = async || {
        text(upstreams.send(attempt(&endpoint)).await.unwrap().body)
            .await
            .unwrap()
    };
    let expected = format!("HTTP/2.0 Some(\"{address}\") /v1/chat/completions");
    assert_eq!(one().await, expected);
    let many = futures_util::future::join_all((0..50).map(|_| one())).await;
    assert!(many.iter().all(|line| *line == expected), "{many:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn dropping_an_answer_resets_its_http2_stream() {
    let (pem, config) = certificate(&["h2"]);
    let (listener, address) = listen().await;
    let (gone, told) = tokio::sync::oneshot::channel::<()>();
    let gone = std::sync::Mutex::new(Some(gone));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = tokio_rustls::TlsAcceptor::from(config)
            .accept(stream)
            .await
            .unwrap();
        let service = service_fn(move |_: http::Request<Incoming>| {
            // Dropped with the body, when the stream is reset.
            let gone = gone.lock().unwrap().take();
            let first =
                futures_util::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"ok")))]);
            let rest = futures_util::stream::poll_fn(move |_| {
                let _ = &gone;
                std::task::Poll::Pending
            });
            let body = StreamBody::new(futures_util::StreamExt::chain(first, rest));
            async move { Ok::<_, std::convert::Infallible>(http::Response::new(body)) }
        });
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    });
    let endpoint = Endpoint {
        https: true,
        ca: Some(pem),
        server_name: Some("upstream.test".to_owned()),
        ..plain(address)
    };
    let upstreams = Upstreams::new(Proxies::none());
    let mut answer = upstreams.send(attempt(&endpoint)).await.unwrap();
    assert_eq!(chunk(&mut answer.body).await.unwrap().unwrap(), "ok");
    drop(answer);
    assert!(told.await.is_err());
}

#[tokio::test]
async fn unknown_authority_is_refused() {
    let (_, config) = certificate(&["http/1.1"]);
    let (other, _) = certificate(&[]);
    let (listener, address) = listen().await;
    tokio::spawn(echo_over_tls(listener, config, Arc::default()));
    let endpoint = Endpoint {
        https: true,
        ca: Some(other),
        server_name: Some("upstream.test".to_owned()),
        ..plain(address)
    };
    let failure = Upstreams::new(Proxies::none())
        .send(attempt(&endpoint))
        .await
        .err()
        .unwrap();
    assert_eq!(failure.kind, FailureKind::Connect);
    assert!(failure.message.contains("certificate"), "{}", failure.message);
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let (pem, config) = certificate(&["http/1.1"]);
    let (listener, address) = listen().await;
    tokio::spawn(echo_over_tls(listener, config, Arc::default()));
    let (proxy, proxy_address) = listen().await;
    let proxied = tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        let head = read_message(&mut client).await.unwrap();
        write(
            &mut client,
            "HTTP/1.1 200 Connection established\r\nvia: 1.1 test\r\n\r\n",
        )
        .await;
        let mut upstream = tokio::net::TcpStream::connect(address).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
        head
    });
    let endpoint = Endpoint {
        https: true,
        host: "upstream.test".to_owned(),
        port: 8443,
        authority: "upstream.test:8443".to_owned(),
        ca: Some(pem),
        server_name: None,
    };
    let upstreams = Upstreams::new(Proxies::to(&format!("http://user:pass@{proxy_address}"), ""));
    let answer = upstreams.send(attempt(&endpoint)).await.unwrap();
    assert_eq!(
        text(answer.body).await.unwrap(),
        "HTTP/1.1 Some(\"upstream.test:8443\") /v1/chat/completions"
    );
    drop(upstreams);
    let head = proxied.await.unwrap();
    assert!(
        head.starts_with("CONNECT upstream.test:8443 HTTP/1.1\r\nhost: upstream.test:8443\r\n"),
        "{head}"
    );
    assert!(
        head.contains("proxy-authorization: Basic dXNlcjpwYXNz\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn refused_tunnel_names_the_answer() {
    let (proxy, proxy_address) = listen().await;
    tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        read_message(&mut client).await.unwrap();
        write(&mut client, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    });
    let (pem, _) = certificate(&[]);
    let endpoint = Endpoint {
        https: true,
        host: "upstream.test".to_owned(),
        port: 443,
        authority: "upstream.test".to_owned(),
        ca: Some(pem),
        server_name: None,
    };
    let upstreams = Upstreams::new(Proxies::to(&format!("http://{proxy_address}"), ""));
    let failure = upstreams.send(attempt(&endpoint)).await.err().unwrap();
    assert_eq!(failure.kind, FailureKind::Connect);
    assert!(failure.message.contains("407"), "{}", failure.message);
}

#[tokio::test]
async fn plain_http_is_given_to_the_proxy_whole() {
    let (proxy, proxy_address) = listen().await;
    let proxied = tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        let request = read_message(&mut client).await.unwrap();
        write(&mut client, OK).await;
        request
    });
    let endpoint = Endpoint {
        https: false,
        host: "upstream.test".to_owned(),
        port: 80,
        authority: "upstream.test".to_owned(),
        ca: None,
        server_name: None,
    };
    let upstreams = Upstreams::new(Proxies::to(&format!("http://{proxy_address}"), ""));
    let answer = upstreams.send(attempt(&endpoint)).await.unwrap();
    assert_eq!(text(answer.body).await.unwrap(), "ok");
    let request = proxied.await.unwrap();
    assert!(
        request.starts_with("POST http://upstream.test/v1/chat/completions?a=b HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("host: upstream.test\r\n"), "{request}");
}
