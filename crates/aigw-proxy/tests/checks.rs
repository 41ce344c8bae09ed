//! Health checks on the way out that requests take: TLS, HTTP/2, forward proxies.
#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

#[path = "support/gateway.rs"]
mod gateway;
mod support;

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aigw_config::{Endpoint, HealthCheck, Millis, Probe};
use aigw_proxy::{Proxies, Upstreams, check_health};
use bytes::Bytes;
use gateway::{Running, Setup, start_with};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{certificate, closed, listen, plain, read_message, write};

/// A check every few milliseconds.
fn check(probe: Probe) -> HealthCheck {
    HealthCheck {
        probe,
        interval: Millis(5),
        timeout: Millis(10_000),
        initial_jitter: Millis(0),
        unhealthy: 2,
        healthy: 1,
    }
}

fn asking(host: Option<&str>) -> HealthCheck {
    check(Probe::Http {
        method: http::Method::GET,
        path: "/up".to_owned(),
        host: host.map(|host| host.parse().unwrap()),
        statuses: std::iter::once(200..201).collect(),
    })
}

/// A gateway that checks `endpoint`.
async fn checking(endpoint: &Endpoint, check: HealthCheck, proxies: Proxies) -> Running {
    let setup = Setup {
        health_check: Some(check),
        ..Setup::default()
    };
    let running = start_with(std::slice::from_ref(endpoint), setup).await;
    let upstreams = Upstreams::new(proxies);
    tokio::spawn(check_health(Arc::clone(&running.gateway), upstreams));
    running
}

/// Waits until the checks say whether the backend is well.
async fn verdict(running: &Running, is_well: bool) {
    let says = || {
        let all = running.gateway.shared.checked();
        all.iter()
            .any(|one| (&*one.rule, &*one.backend, one.is_well) == ("all 0", "up0", is_well))
    };
    let wait = async {
        while !says() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert!(waited.is_ok(), "the checks do not say {is_well}");
}

#[tokio::test]
async fn checks_share_a_connection_of_http2_and_ask_by_their_own_name() {
    let (pem, config) = certificate(&["h2"]);
    let (listener, address) = listen().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let connections = Arc::new(AtomicUsize::new(0));
    let (lines, count) = (Arc::clone(&seen), Arc::clone(&connections));
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(stream).await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let lines = Arc::clone(&lines);
            let service = service_fn(move |request: http::Request<Incoming>| {
                lines.lock().unwrap().push(format!(
                    "{:?} {} {:?}",
                    request.version(),
                    request.uri(),
                    request.headers()
                ));
                async { Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"fine")))) }
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    let endpoint = Endpoint {
        https: true,
        ca: Some(pem),
        server_name: Some("upstream.test".to_owned()),
        ..plain(address)
    };
    let running = checking(&endpoint, asking(Some("models.test:81")), Proxies::none()).await;
    verdict(&running, true).await;
    while seen.lock().unwrap().len() < 5 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let expected = "HTTP/2.0 https://models.test:81/up {\"user-agent\": \"aigw-health-check\"}";
    for line in seen.lock().unwrap().iter() {
        assert_eq!(line, expected);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_fails_a_mere_connection() {
    let (_, config) = certificate(&["http/1.1"]);
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = acceptor.accept(stream).await;
        }
    });
    let (pem, _) = certificate(&[]);
    let endpoint = Endpoint {
        https: true,
        ca: Some(pem),
        server_name: Some("upstream.test".to_owned()),
        ..plain(address)
    };
    let running = checking(&endpoint, check(Probe::Connection), Proxies::none()).await;
    verdict(&running, false).await;
}

#[tokio::test]
async fn a_forward_proxy_is_told_where_the_backend_is_and_the_backend_its_name() {
    let (proxy, proxy_address) = listen().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&seen);
    // Over one connection: as many as show that it is kept, and then what is no good answer.
    tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        while let Some(request) = read_message(&mut client).await {
            let count = {
                let mut lines = lines.lock().unwrap();
                lines.push(request);
                lines.len()
            };
            let status = if count > 3 { 503 } else { 200 };
            write(
                &mut client,
                &format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"),
            )
            .await;
        }
    });
    let endpoint = Endpoint {
        host: "upstream.test".to_owned(),
        port: 80,
        authority: "upstream.test".to_owned(),
        ..plain(proxy_address)
    };
    let proxies = Proxies::to(&format!("http://{proxy_address}"), "");
    let running = checking(&endpoint, asking(Some("models.test")), proxies).await;
    verdict(&running, true).await;
    verdict(&running, false).await;
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 5, "{seen:?}");
    for request in seen.iter() {
        let (first, headers) = request.split_once("\r\n").unwrap();
        assert_eq!(first, "GET http://upstream.test/up HTTP/1.1");
        let mut headers: Vec<&str> = headers.lines().filter(|line| !line.is_empty()).collect();
        headers.sort_unstable();
        assert_eq!(headers, ["host: models.test", "user-agent: aigw-health-check"]);
    }
}

#[tokio::test]
async fn silence_is_a_failure_and_checks_end_with_their_rule() {
    let (listener, address) = listen().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let silent = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let _ = read_message(&mut stream).await;
            closed(&mut stream).await;
        }
    });
    let check = HealthCheck {
        timeout: Millis(30),
        ..asking(None)
    };
    let running = checking(&plain(address), check, Proxies::none()).await;
    verdict(&running, false).await;
    assert!(
        accepted.load(Ordering::SeqCst) >= 2,
        "a check that got no answer has left"
    );
    running.publish(&[plain(address)], &[]);
    while !running.gateway.shared.checked().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    silent.abort();
}
