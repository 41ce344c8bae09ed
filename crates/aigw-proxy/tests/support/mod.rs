//! Scripted peers and the attempts that are sent to them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses its part; a failure is a panic"
)]

use std::net::SocketAddr;
use std::sync::Arc;

use aigw_config::{Backend, BackendAuth, Endpoint, Millis, Quirks, Schema, SchemaName, Timeouts};
use aigw_engine::{Attempt, AttemptBody, Failure};
use aigw_proxy::AnswerBody;
use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listener on a free port.
pub async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An endpoint in the clear at `address`.
pub fn plain(address: SocketAddr) -> Endpoint {
    Endpoint {
        https: false,
        host: address.ip().to_string(),
        port: address.port(),
        authority: address.to_string(),
        ca: None,
        server_name: None,
    }
}

pub const TIMEOUTS: Timeouts = Timeouts {
    connect: Millis(10_000),
    first_byte: Millis(60_000),
    first_byte_stream: Millis(60_000),
    idle: Millis(60_000),
    request: None,
};

/// A request with a small body to `endpoint`.
pub fn attempt(endpoint: &Endpoint) -> Attempt {
    let backend = Backend {
        name: "up".into(),
        provider: "openai".into(),
        schema: Schema {
            name: SchemaName::OpenAI,
            version: None,
            prefix: None,
        },
        endpoint: endpoint.clone(),
        places: None,
        auth: BackendAuth::None,
        quirks: Quirks::default(),
        max_concurrent: None,
    };
    Attempt {
        attempt: 0,
        backend: Arc::new(backend),
        method: Method::POST,
        path: "/v1/chat/completions?a=b".to_owned(),
        headers: HeaderMap::new(),
        body: AttemptBody::Whole(Bytes::from_static(b"{\"model\":\"m\"}")),
        fresh: false,
        timeouts: TIMEOUTS,
    }
}

/// Reads one HTTP/1.1 message with a `content-length` (or none); its text, or `None` at the end of the stream.
pub async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut seen = Vec::new();
    loop {
        if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]).to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |value| value.trim().parse().unwrap());
            if seen.len() >= end + 4 + length {
                return Some(String::from_utf8(seen).unwrap());
            }
        }
        if stream.read_buf(&mut seen).await.ok()? == 0 {
            return None;
        }
    }
}

/// A certificate for `upstream.test` and the server's configuration with it.
pub fn certificate(protocols: &[&str]) -> (String, Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["upstream.test".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    (made.cert.pem(), Arc::new(config))
}

/// Waits until the peer has closed the connection.
pub async fn closed(stream: &mut TcpStream) {
    let mut sink = [0; 4096];
    while !matches!(stream.read(&mut sink).await, Ok(0) | Err(_)) {}
}

pub async fn write(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// The next piece of an answer.
pub async fn chunk(body: &mut AnswerBody) -> Option<Result<Bytes, Failure>> {
    std::future::poll_fn(|cx| body.poll_chunk(cx)).await
}

/// All of an answer as text.
pub async fn text(mut body: AnswerBody) -> Result<String, Failure> {
    let mut all = Vec::new();
    while let Some(piece) = chunk(&mut body).await {
        all.extend_from_slice(&piece?);
    }
    Ok(String::from_utf8(all).unwrap())
}
