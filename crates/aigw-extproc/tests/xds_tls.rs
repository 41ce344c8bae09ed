//! TLS on both sides of a real Envoy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure is a panic"
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use aigw_config::{Credentials, Endpoint};
use aigw_extproc::names;
use aigw_extproc::xds::{DataPath, Materials, resources};
use aigw_proxy::Proxies;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use support::snapshot::{Setup, endpoint, snapshot};
use support::{Bench, client, free, tls, upstream};

const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nhost: gateway.test\r\ncontent-length: 0\r\n\r\n";

async fn ask(stream: &mut tokio_rustls::client::TlsStream<TcpStream>) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut text = vec![0; 4096];
    let length = stream.read(&mut text).await.unwrap();
    String::from_utf8_lossy(&text[..length]).into_owned()
}

#[tokio::test]
async fn a_certificate_is_replaced_under_open_connections() {
    let Some(mut bench) = Bench::new(DataPath::Local) else {
        return;
    };
    let address = free();
    let folder = tempfile::tempdir().unwrap();
    let first = tls::make("gateway.test");
    let paths = first.write(folder.path());
    let setup = Setup::new("v1").listener("main", address).tls(&paths);
    upstream::unix("native", &bench.places().listener("main"));
    bench.start_envoy();
    bench.publish(&setup).await.unwrap();
    bench.listens(address).await;

    let http2 = tls::connect(address, "gateway.test", &first, &["h2", "http/1.1"]).await;
    assert_eq!(http2.unwrap().get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let mut open = tls::connect(address, "gateway.test", &first, &[]).await.unwrap();
    let answer = ask(&mut open).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("x-aigw-peer: 127.0.0.1"),
        "{answer}"
    );

    let second = tls::make("gateway.test");
    second.write(folder.path());
    bench.publish(&setup).await.unwrap();
    assert!(ask(&mut open).await.starts_with("HTTP/1.1 200"));
    assert!(tls::connect(address, "gateway.test", &second, &[]).await.is_ok());
    assert!(tls::connect(address, "gateway.test", &first, &[]).await.is_err());
    let state = bench.xds.state();
    assert_eq!(
        state.kinds["secrets"].acknowledged.as_deref(),
        Some("v1.1"),
        "{state:?}"
    );
    assert_eq!(state.kinds["listeners"].accepted, 1, "{state:?}");
}

#[tokio::test]
async fn names_have_certificates_of_their_own_and_leave_each_other_alone() {
    let Some(mut bench) = Bench::new(DataPath::Local) else {
        return;
    };
    let address = free();
    let (a, b, wide) = (tls::make("a.test"), tls::make("b.test"), tls::make("x.c.test"));
    let setup = |version| {
        Setup::new(version)
            .listener("main", address)
            .named(Some("a.test"), "a")
            .named(Some("b.test"), "b")
            .named(Some("*.c.test"), "c")
            .credential("a", &a)
            .credential("b", &b)
            .credential("c", &wide)
    };
    upstream::unix("native", &bench.places().listener("main"));
    bench.start_envoy();
    bench.publish(&setup("v1")).await.unwrap();
    bench.listens(address).await;

    let mut open = tls::connect(address, "a.test", &a, &[]).await.unwrap();
    assert!(ask(&mut open).await.starts_with("HTTP/1.1 200"));
    for (name, made) in [("b.test", &b), ("x.c.test", &wide)] {
        let mut stream = tls::connect(address, name, made, &[]).await.unwrap();
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"), "{name}");
    }
    for (name, made) in [("b.test", &a), ("other.test", &a), ("127.0.0.1", &a)] {
        assert!(tls::connect(address, name, made, &[]).await.is_err(), "{name}");
    }

    // One is renewed: nothing but its secret is new.
    let renewed = tls::make("b.test");
    bench
        .publish(&setup("v1").credential("b", &renewed))
        .await
        .unwrap();
    assert!(tls::connect(address, "b.test", &renewed, &[]).await.is_ok());
    assert!(tls::connect(address, "b.test", &b, &[]).await.is_err());
    assert_eq!(bench.xds.state().kinds["listeners"].accepted, 1);
    // One goes and another comes: connections of the others stay.
    let d = tls::make("d.test");
    let mut next = setup("v2").named(Some("d.test"), "d").credential("d", &d);
    let names = &mut next.listeners[0].tls.as_mut().unwrap().names;
    names.retain(|one| one.hostname.as_deref() != Some("b.test"));
    bench.publish(&next).await.unwrap();
    assert!(tls::connect(address, "d.test", &d, &[]).await.is_ok());
    assert!(tls::connect(address, "b.test", &b, &[]).await.is_err());
    assert!(ask(&mut open).await.starts_with("HTTP/1.1 200"));

    // Envoy's administration does not show keys.
    let dump = bench.ask_admin("/config_dump").await;
    let encoded = |text: &str| match text {
        "CERTIFICATE" => "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
        _ => "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t",
    };
    assert!(dump.contains("aigw-certificate/a.crt|a.key") && dump.contains(encoded("CERTIFICATE")));
    assert!(a.key.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(!dump.contains("PRIVATE KEY") && !dump.contains(encoded("PRIVATE KEY")));
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_before_envoy_sees_it() {
    let Some(bench) = Bench::new(DataPath::Local) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let paths = tls::make("gateway.test").write(folder.path());
    std::fs::write(&paths.1, tls::make("gateway.test").key).unwrap();
    let snapshot = snapshot(&Setup::new("v1").listener("main", free()).tls(&paths));
    let error = resources(
        &snapshot,
        &Materials::read(&snapshot, &Credentials::default()),
        &bench.options,
    )
    .unwrap_err();
    assert_eq!(error.listener, "main");
    assert!(error.detail.contains("do not work together"), "{error}");
}

#[tokio::test]
async fn upstreams_are_who_they_should_be_and_speak_http2() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let made = tls::make("api.test");
    let target = tls::upstream("target", &made).await;
    let by_address = |name: &str, ca: Option<&str>| Endpoint {
        ca: ca.map(str::to_owned),
        server_name: Some(name.to_owned()),
        ..endpoint(true, &target.ip().to_string(), target.port())
    };
    let pem = made.certificate.as_str();
    let good = by_address("API.test", Some(pem));
    let other_name = by_address("other.test", Some(pem));
    let system = by_address("api.test", None);
    let other_authority = by_address("api.test", Some(&tls::make("api.test").certificate));
    let setup = Setup::new("v1")
        .listener("main", address)
        .endpoint(good.clone())
        .endpoint(other_name.clone())
        .endpoint(system.clone())
        .endpoint(other_authority.clone());
    bench.start_envoy();
    bench.publish(&setup).await.unwrap();
    let ask = async |endpoint: &Endpoint| {
        let cluster = names::cluster(endpoint);
        client::post(address, "/", &[("x-test-cluster", &cluster)], "hello").await
    };
    let answer = ask(&good).await;
    assert!(
        answer.body.starts_with("target POST /edited 5 HTTP/2.0\n"),
        "{answer:?}"
    );
    for endpoint in [&other_name, &system, &other_authority] {
        let answer = ask(endpoint).await;
        assert_eq!(answer.status, 503, "{endpoint:?} {answer:?}");
        assert_eq!(answer.header("x-aigw-envoy"), Some("URX,UF"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_bad_authority_leaves_out_its_own_backend_alone() {
    let Some(bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let missing = Endpoint {
        ca: Some("/nowhere/ca.pem".to_owned()),
        ..endpoint(true, "api.test", 443)
    };
    let good = endpoint(false, "other.test", 80);
    let made = bench.make(&Setup::new("v1").endpoint(missing.clone()).endpoint(good.clone()));
    assert!(made.reaches(&good) && !made.reaches(&missing));
    let [left_out] = made.left_out() else {
        panic!("{made:?}")
    };
    assert_eq!(left_out.cluster, names::cluster(&missing));
    assert!(left_out.detail.contains("/nowhere/ca.pem"), "{left_out:?}");
}

/// A forward proxy that takes every tunnel to `target`, and tells what it was asked for.
async fn forward_proxy(target: SocketAddr) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = socket.accept().await.unwrap();
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let byte = client.read_u8().await.unwrap();
                    head.push(byte);
                }
                tell.send(String::from_utf8(head).unwrap()).unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut upstream = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn a_forward_proxy_is_asked_for_a_tunnel() {
    let Some(mut bench) = Bench::new(DataPath::Extproc) else {
        return;
    };
    let address = free();
    let made = tls::make("api.test");
    let (proxy, mut told) = forward_proxy(tls::upstream("target", &made).await).await;
    bench.options.proxies = Arc::new(Proxies::to(&format!("http://{proxy}"), ""));
    let target = Endpoint {
        ca: Some(made.certificate.clone()),
        server_name: Some("api.test".to_owned()),
        ..endpoint(true, "192.0.2.7", 443)
    };
    bench.serve(address, &target).await;
    let cluster = names::cluster(&target);
    let answer = client::post(address, "/", &[("x-test-cluster", &cluster)], "hello").await;
    assert!(
        answer.body.starts_with("target POST /edited 5 HTTP/"),
        "{answer:?}"
    );
    let asked = told.recv().await.unwrap();
    assert!(asked.starts_with("CONNECT 192.0.2.7:443 HTTP/1.1\r\n"), "{asked}");
}
