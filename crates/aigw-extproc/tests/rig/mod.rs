//! A real Envoy before the processor and the native host, all on this machine.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "each test binary uses its part; a failure is a panic"
)]

mod bootstrap;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aigw_engine::UsageRecord;
use aigw_extproc::{At, Door, Processor, find_envoy, xds};
use aigw_proxy::{ParkedServer, Parking, Proxies, Upstreams, bind_socket, serve_parked};
use aigw_runtime::{Gateway, Live, load};
use aigw_translate::host::Registry;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(20);

/// The native host's socket.
const NATIVE: &str = "exchanges.sock";

/// What runs.
pub struct Rig {
    address: SocketAddr,
    directory: TempDir,
    pub parking: Arc<Parking>,
    pub gateway: Arc<Gateway>,
    records: mpsc::UnboundedReceiver<UsageRecord>,
    envoy: Child,
    door: Door,
    native: Option<ParkedServer>,
}

/// The binary; `None`, with a word about it, where there is none and nobody insists.
fn envoy() -> Option<PathBuf> {
    match find_envoy(None, &|name| std::env::var(name).ok()) {
        Ok(path) => Some(path),
        Err(error) if std::env::var_os("CI").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

impl Rig {
    /// Everything for a configuration.
    pub async fn start(yaml: &str) -> Option<Self> {
        Self::begin(yaml, true, true).await
    }

    /// Without the native host: whatever is parked fails.
    pub async fn direct_only(yaml: &str) -> Option<Self> {
        Self::begin(yaml, false, true).await
    }

    /// With an Envoy that is known to reach no upstream.
    pub async fn native_only(yaml: &str) -> Option<Self> {
        Self::begin(yaml, true, false).await
    }

    async fn begin(yaml: &str, is_native: bool, is_reaching: bool) -> Option<Self> {
        let binary = envoy()?;
        let directory = tempfile::tempdir().unwrap();
        let (gateway, records) = gateway(yaml, directory.path());
        let parking = Parking::new();
        let path = |name: &str| directory.path().join(name);
        let native = is_native.then(|| {
            let socket = bind_socket(&path(NATIVE)).unwrap();
            serve_parked(
                socket,
                Arc::clone(&parking),
                Arc::clone(&gateway),
                Upstreams::new(Proxies::none()),
            )
        });
        let configuration = xds::Server::new(xds::ServerOptions::default());
        let mut processor = Processor::new(Arc::clone(&gateway), Arc::clone(&parking)).telling(true);
        if !is_reaching {
            processor = processor.reaching(configuration.clone());
        }
        let at = At::Socket(path("processor.sock"));
        let door = Door::open(&at, &configuration, Some(processor)).await.unwrap();
        let config = bootstrap::bootstrap(&gateway.load().snapshot, directory.path());
        std::fs::write(path("envoy.json"), config.to_string()).unwrap();
        let mut envoy = Command::new(binary)
            .args([
                "--disable-hot-restart",
                "--concurrency",
                "1",
                "--log-level",
                "warn",
            ])
            .args(["--file-flush-interval-msec", "10", "--config-path"])
            .arg(path("envoy.json"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(path("envoy.err")).unwrap())
            .spawn()
            .unwrap();
        let address = tokio::time::timeout(LIMIT, address(&path("admin.sock"), &mut envoy))
            .await
            .unwrap_or_else(|_| panic!("{}", std::fs::read_to_string(path("envoy.err")).unwrap()));
        Some(Self {
            address,
            directory,
            parking,
            gateway,
            records,
            envoy,
            door,
            native,
        })
    }

    /// Where Envoy takes parked exchanges.
    pub fn native_socket(&self) -> PathBuf {
        self.directory.path().join(NATIVE)
    }

    /// A connection to Envoy.
    pub async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// A connection to Envoy without any HTTP.
    pub async fn connect_raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The head of an answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let mut connection = self.connect().await;
        let answer = tokio::time::timeout(LIMIT, connection.send_request(request)).await;
        let answer = answer.unwrap().unwrap();
        // The connection lives as long as its answer is read.
        tokio::spawn(async move {
            let _ = connection.ready().await;
        });
        answer
    }

    /// A whole answer.
    pub async fn ask(&self, request: Request<Full<Bytes>>) -> Answer {
        let (head, body) = self.send(request).await.into_parts();
        let body = tokio::time::timeout(LIMIT, body.collect()).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body
                .map(|body| body.to_bytes())
                .map_err(|error| error.to_string()),
        }
    }

    /// The next record.
    pub async fn record(&mut self) -> UsageRecord {
        tokio::time::timeout(LIMIT, self.records.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// True when no record waits.
    pub fn has_no_record(&mut self) -> bool {
        self.records.try_recv().is_err()
    }

    /// The first line of the access log.
    pub async fn logged(&self) -> Value {
        let path = self.directory.path().join("access.log");
        let line = async {
            loop {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                if let Some((line, _)) = text.split_once('\n') {
                    return serde_json::from_str(line).unwrap();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, line).await.unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.envoy.kill();
        let _ = self.envoy.wait();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.directory.path().join("envoy.err")).unwrap_or_default();
            eprintln!(
                "{said}{}",
                std::fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default()
            );
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `Err` when it broke off.
    pub body: Result<Bytes, String>,
}

impl Answer {
    pub fn json(&self) -> Value {
        let body = self.body.as_ref().unwrap();
        serde_json::from_slice(body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone().unwrap().to_vec()).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

fn gateway(yaml: &str, directory: &Path) -> (Arc<Gateway>, mpsc::UnboundedReceiver<UsageRecord>) {
    let file = directory.join("aigw.yaml");
    std::fs::write(&file, yaml).unwrap();
    let loaded = load(&[file], &|_| None, &Registry).unwrap_or_else(|found| panic!("{found}"));
    let ready = loaded
        .compile(&Registry)
        .unwrap_or_else(|found| panic!("{found}"));
    let (sender, records) = mpsc::unbounded_channel();
    let sender = Mutex::new(sender);
    let sink = Box::new(move |record: Box<UsageRecord>| {
        assert_ne!(record.model.as_deref(), Some("panic"), "as a test asks for");
        let _ = sender.lock().unwrap().send(*record);
    });
    let live = Live {
        snapshot: Arc::new(ready.snapshot),
        credentials: Arc::new(ready.credentials),
    };
    (Arc::new(Gateway::new(live, sink)), records)
}

/// Where Envoy listens, once it does.
async fn address(admin: &Path, envoy: &mut Child) -> SocketAddr {
    loop {
        if let Some(address) = asked(admin).await {
            return address;
        }
        assert!(envoy.try_wait().unwrap().is_none(), "Envoy has ended");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn asked(admin: &Path) -> Option<SocketAddr> {
    let mut stream = UnixStream::connect(admin).await.ok()?;
    let question = "GET /listeners HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(question.as_bytes()).await.ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.ok()?;
    let (_, address) = text.split_once("test::")?;
    address.lines().next()?.trim().parse().ok()
}

/// Whatever comes of it, but not never.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.unwrap()
}

/// A chat request.
pub fn chat(model: &str, text: &str) -> Request<Full<Bytes>> {
    post(
        "/v1/chat/completions",
        &serde_json::json!({"model": model, "messages": [{"role": "user", "content": text}]}),
    )
}

/// The same as a stream.
pub fn chat_stream(model: &str, text: &str) -> Request<Full<Bytes>> {
    post(
        "/v1/chat/completions",
        &serde_json::json!({"model": model, "stream": true, "messages": [{"role": "user", "content": text}]}),
    )
}

pub fn post(path: &str, body: &Value) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "gateway.test")
        .header("content-type", "application/json")
        .body(Full::from(body.to_string()))
        .unwrap()
}

/// A mock of all providers.
pub async fn mock() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(aigw_mock::serve(
        listener,
        aigw_mock::Options::default(),
        std::future::pending(),
    ));
    address
}

/// An address that refuses connections.
pub async fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// Reads one request with a `content-length`; its text.
pub async fn read_request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    loop {
        if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]).to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |value| value.trim().parse().unwrap());
            if seen.len() >= end + 4 + length {
                return String::from_utf8(seen).unwrap();
            }
        }
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "request broke off");
    }
}

/// Closes a connection with a reset.
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}
