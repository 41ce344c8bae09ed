//! Several places behind one endpoint: addresses, names and Unix sockets share its requests.
#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aigw_config::{Endpoint, Place};
use aigw_engine::{Attempt, FailureKind};
use aigw_proxy::{Proxies, Upstreams};
use support::{attempt, certificate, listen, plain, read_message, text, write};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;

/// A server that answers everything, and counts requests.
async fn naming(holds: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, address) = listen().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                while read_message(&mut stream).await.is_some() {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let length = if holds { 99 } else { 2 };
                    write(
                        &mut stream,
                        &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nok"),
                    )
                    .await;
                }
            });
        }
    });
    (address, count)
}

fn shared(addresses: &[SocketAddr]) -> Attempt {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    among(&texts, false)
}

/// A request to those places.
fn among(texts: &[String], own_name: bool) -> Attempt {
    // The name does not exist: only the addresses lead anywhere.
    let endpoint = Endpoint {
        host: "models.invalid".to_owned(),
        authority: "models.invalid:8080".to_owned(),
        port: 8080,
        ..plain("127.0.0.1:1".parse().unwrap())
    };
    let mut attempt = attempt(&endpoint);
    let place = |text: &String| Place {
        at: text.parse().unwrap(),
        own_name,
    };
    Arc::get_mut(&mut attempt.backend).unwrap().places = Some(texts.iter().map(place).collect());
    attempt
}

#[tokio::test]
async fn addresses_share_requests() {
    let (one, at_one) = naming(false).await;
    let (two, at_two) = naming(false).await;
    let upstreams = Upstreams::new(Proxies::none());
    for _ in 0..10 {
        let answer = upstreams.send(shared(&[one, two])).await.unwrap();
        assert_eq!(text(answer.body).await.unwrap(), "ok");
    }
    let counts = (at_one.load(Ordering::SeqCst), at_two.load(Ordering::SeqCst));
    assert_eq!(counts, (5, 5), "equals take turns");

    // An address that is no longer there gets nothing, though connections to it wait.
    for _ in 0..4 {
        text(upstreams.send(shared(&[two])).await.unwrap().body)
            .await
            .unwrap();
    }
    assert_eq!(at_one.load(Ordering::SeqCst), 5);
    let nobody = upstreams.send(shared(&[])).await.err().unwrap();
    assert_eq!(nobody.kind, FailureKind::Connect);
    assert!(
        nobody.message.contains("models.invalid:8080"),
        "{}",
        nobody.message
    );
}

#[tokio::test]
async fn a_busy_address_is_spared() {
    let (slow, at_slow) = naming(true).await;
    let (quick, at_quick) = naming(false).await;
    let upstreams = Upstreams::new(Proxies::none());
    let mut held = Vec::new();
    for _ in 0..8 {
        let answer = upstreams.send(shared(&[slow, quick])).await.unwrap();
        // Answers of the slow one never end.
        match at_slow.load(Ordering::SeqCst) > held.len() {
            true => held.push(answer),
            false => assert_eq!(text(answer.body).await.unwrap(), "ok"),
        }
    }
    assert_eq!((held.len(), at_quick.load(Ordering::SeqCst)), (1, 7));
    held.clear();
    for _ in 0..2 {
        drop(upstreams.send(shared(&[slow, quick])).await.unwrap());
    }
    assert_eq!(at_slow.load(Ordering::SeqCst), 2, "it is idle again");
}

#[tokio::test]
async fn an_address_that_cannot_be_reached_costs_no_request() {
    let (dead, address) = listen().await;
    drop(dead);
    let (alive, count) = naming(false).await;
    let upstreams = Upstreams::new(Proxies::none());
    for _ in 0..6 {
        let answer = upstreams.send(shared(&[address, alive])).await.unwrap();
        assert_eq!(text(answer.body).await.unwrap(), "ok");
    }
    assert_eq!(count.load(Ordering::SeqCst), 6);
    let failure = upstreams.send(shared(&[address])).await.err().unwrap();
    assert_eq!(failure.kind, FailureKind::Connect);
}

/// Answers with the host that it was asked for.
async fn tell_host(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    while let Some(request) = read_message(&mut stream).await {
        let host = request.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.unwrap_or_default();
        let length = host.len();
        write(
            &mut stream,
            &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{host}"),
        )
        .await;
    }
}

async fn telling() -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tell_host(stream));
        }
    });
    address
}

fn telling_at(path: &std::path::Path) -> String {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tell_host(stream));
        }
    });
    format!("unix:{}", path.display())
}

/// The hosts that `count` requests to those places were asked for, sorted.
async fn hosts(upstreams: &Upstreams, texts: &[String], own_name: bool, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..count {
        let answer = upstreams.send(among(texts, own_name)).await.unwrap();
        told.push(text(answer.body).await.unwrap());
    }
    told.sort();
    told
}

#[tokio::test]
async fn names_addresses_and_unix_sockets_share_requests() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (telling().await, telling().await);
    let places = [
        one.to_string(),
        format!("localhost:{}", two.port()),
        telling_at(&folder.path().join("m.sock")),
    ];
    let upstreams = Upstreams::new(Proxies::none());
    let mut own = [places[0].clone(), places[1].clone(), "localhost".to_owned()];
    own.sort();
    assert_eq!(hosts(&upstreams, &places, true, 3).await, own);
    // The same places by the endpoint's name: connections of before are not taken for it.
    let same = hosts(&upstreams, &places, false, 3).await;
    assert_eq!(same, ["models.invalid:8080"; 3]);
}

#[tokio::test]
async fn places_that_cannot_be_reached_cost_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let (dead, gone) = listen().await;
    drop(dead);
    let places = [
        gone.to_string(),
        "nobody.invalid:80".to_owned(),
        format!("unix:{}", folder.path().join("none.sock").display()),
        telling_at(&folder.path().join("m.sock")),
    ];
    let upstreams = Upstreams::new(Proxies::none());
    assert_eq!(hosts(&upstreams, &places, true, 8).await, ["localhost"; 8]);
    for (index, says) in [(1, "nobody.invalid"), (2, "none.sock")] {
        let failure = upstreams.send(among(&places[index..=index], true)).await;
        let failure = failure.err().unwrap();
        assert_eq!(failure.kind, FailureKind::Connect);
        assert!(failure.message.contains(says), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_unix_socket_is_never_asked_for_through_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let (dead, proxy) = listen().await;
    drop(dead);
    let places = [telling_at(&folder.path().join("m.sock"))];
    let upstreams = Upstreams::new(Proxies::to(&format!("http://{proxy}"), ""));
    assert_eq!(hosts(&upstreams, &places, true, 1).await, ["localhost"]);
    assert_eq!(
        hosts(&upstreams, &places, false, 1).await,
        ["models.invalid:8080"]
    );
}

#[tokio::test]
async fn a_name_of_its_own_is_what_a_proxy_is_told() {
    let (listener, proxy) = listen().await;
    let told = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let request = read_message(&mut client).await.unwrap();
        write(&mut client, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        request
    });
    let upstreams = Upstreams::new(Proxies::to(&format!("http://{proxy}"), ""));
    let places = ["models.test:80".to_owned()];
    upstreams.send(among(&places, true)).await.unwrap();
    let request = told.await.unwrap();
    assert!(request.starts_with("POST http://models.test/v1/"), "{request}");
    assert!(request.contains("host: models.test\r\n"), "{request}");
}

#[tokio::test]
async fn tls_over_a_unix_socket_is_for_the_name_that_is_configured() {
    let (authority, config) = certificate(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(tell_host(stream));
            }
        }
    });
    let upstreams = Upstreams::new(Proxies::none());
    let send = async |name: &str| {
        let mut attempt = among(&[format!("unix:{}", path.display())], true);
        let backend = Arc::get_mut(&mut attempt.backend).unwrap();
        backend.endpoint.https = true;
        backend.endpoint.ca = Some(authority.clone());
        backend.endpoint.server_name = Some(name.to_owned());
        upstreams.send(attempt).await
    };
    let answer = send("upstream.test").await.unwrap();
    assert_eq!(text(answer.body).await.unwrap(), "localhost");
    let failure = send("other.test").await.err().unwrap();
    assert!(
        failure.message.contains("TLS with localhost"),
        "{}",
        failure.message
    );
}
