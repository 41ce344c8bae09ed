//! Certificates in a snapshot: served by name, renewed under open connections, and kept when the next ones are bad.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aigw_config::Document;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::common::{cluster, eventually};
use crate::pod::Pod;
use crate::provider::Provider;
use crate::writer::{Writer, document};

/// How soon Envoy must have it on a busy machine, too.
const SOON: Duration = Duration::from_secs(10);

struct Made {
    name: &'static str,
    certificate: String,
    key: String,
}

fn made(name: &'static str) -> Made {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    Made {
        name,
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    }
}

/// As `document`, with a certificate for each name.
fn secured(url: &str, names: &[&str]) -> Document {
    let mut value = serde_json::to_value(document(url)).unwrap();
    let credential = |name: String| json!({"name": name, "value": "[redacted]"});
    let mut certificates = Vec::new();
    for name in names {
        let [chain, key] = ["crt", "key"].map(|end| format!("{name}.{end}"));
        certificates.push(
            json!({"hostnames": [name], "certificate": {"credential": chain}, "key": {"credential": key}}),
        );
        let all = value["credentials"].as_array_mut().unwrap();
        all.extend([credential(chain), credential(key)]);
    }
    value["listeners"][0]["tls"] = json!({"certificates": certificates});
    serde_json::from_value(value).unwrap()
}

/// The snapshot's credentials: the provider's key, and certificates.
fn credentials<'a>(key: &'a str, all: &[&'a Made]) -> Vec<(String, &'a str)> {
    let mut out = vec![("key".to_owned(), key)];
    for one in all {
        out.push((format!("{}.crt", one.name), &one.certificate));
        out.push((format!("{}.key", one.name), &one.key));
    }
    out
}

/// Connects and trusts `made` alone.
async fn connect(address: SocketAddr, made: &Made) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(made.name).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn complete(stream: &mut TlsStream<TcpStream>) -> Result<(), String> {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a.test\r\ncontent-type: application/json";
    let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let asking = async {
        stream.write_all(text.as_bytes()).await?;
        let mut answer = Vec::new();
        // The last of the answer's JSON, in one chunk or in several.
        while !String::from_utf8_lossy(&answer).contains("total_tokens\":2}}") {
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = tokio::time::timeout(SOON, asking)
        .await
        .map_err(|_| "no answer")?;
    let answer = answer.map_err(|error| error.to_string())?;
    match answer.starts_with("HTTP/1.1 200") {
        true => Ok(()),
        false => Err(answer),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn certificates_are_renewed_under_load_by_the_native_host() {
    renewed("tls-native", &["proxy"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn certificates_are_renewed_under_load_through_envoy() {
    if let Err(error) = aigw_extproc::find_envoy(None, &|name| std::env::var(name).ok()) {
        assert!(std::env::var_os("CI").is_none(), "this test needs Envoy: {error}");
        println!("skipped: {error}");
        return;
    }
    renewed("tls-envoy", &["run", "--envoy"]).await;
}

async fn renewed(space: &str, command: &[&str]) {
    let cluster = cluster().await;
    let space = cluster.space(space).await;
    let provider = Provider::start().await;
    let writer = Writer::new(&space, "main");
    writer.permit(&space).await;
    let (a, b) = (made("a.test"), made("b.test"));
    let both = secured(&provider.url(), &["a.test", "b.test"]);
    let write = async |document: &Document, key: &str, all: &[&Made]| {
        let keys = credentials(key, all);
        let keys: Vec<(&str, &str)> = keys.iter().map(|(id, text)| (id.as_str(), *text)).collect();
        writer.write(document, &keys).await
    };
    write(&both, "sk-one", &[&a, &b]).await;
    let pod = Pod::start_as(cluster, &writer, command);
    let gateway = pod.ready().await;
    let mut open = connect(gateway, &a).await.unwrap();
    assert_eq!(complete(&mut open).await, Ok(()));
    assert!(connect(gateway, &made("other.test")).await.is_err());

    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let mut steady = connect(gateway, &b).await.unwrap();
    let asking = tokio::spawn(async move {
        let mut count = 0;
        while !stopped.load(Ordering::Acquire) {
            complete(&mut steady).await.unwrap();
            count += 1;
        }
        count
    });
    let shows = async |made: &Made| {
        eventually(SOON, || async {
            let mut stream = connect(gateway, made).await.map_err(|error| error.to_string())?;
            complete(&mut stream).await
        })
        .await;
    };
    let mut last = a;
    for round in 0..3 {
        let next = made("a.test");
        let cut = write(&both, &format!("sk-{round}"), &[&next, &b]).await;
        shows(&next).await;
        assert!(connect(gateway, &last).await.is_err());
        assert_eq!(complete(&mut open).await, Ok(()));
        eventually(SOON, || async {
            let report = pod.report().await;
            let is_it = report["snapshot"] == cut.version.as_str();
            is_it.then_some(()).ok_or_else(|| report.to_string())
        })
        .await;
        last = next;
    }

    // The key of another certificate: what was served last goes on, and the report says why.
    let bad = Made {
        key: made("a.test").key,
        ..made("a.test")
    };
    write(&both, "sk-bad", &[&bad, &b]).await;
    let detail = eventually(SOON, || async {
        let report = pod.report().await;
        let refused = &report["refused"];
        match refused["reason"] == "host" {
            true => Ok(refused["detail"].as_str().unwrap().to_owned()),
            false => Err(report.to_string()),
        }
    })
    .await;
    assert!(
        detail.contains("do not work together") && detail.contains("a.test.key"),
        "{detail}"
    );
    shows(&last).await;

    // Another name comes; connections of the others stay.
    let c = made("c.test");
    let three = secured(&provider.url(), &["a.test", "b.test", "c.test"]);
    write(&three, "sk-last", &[&last, &b, &c]).await;
    shows(&c).await;
    shows(&last).await;
    assert_eq!(complete(&mut open).await, Ok(()));
    stop.store(true, Ordering::Release);
    assert!(asking.await.unwrap() > 5);
    for text in [pod.report().await.to_string(), pod.log()] {
        assert!(
            !text.contains("-----") && !text.contains(last.key.lines().nth(1).unwrap()),
            "{text}"
        );
    }
}
