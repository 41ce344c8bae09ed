//! A real Envoy that is programmed by the xDS server under test.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "each test binary uses its part; a failure is a panic"
)]

pub mod client;
pub mod processor;
pub mod relay;
pub mod snapshot;
pub mod tls;
pub mod upstream;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aigw_config::Endpoint;
use aigw_extproc::xds::{DataPath, Materials, Options, Server, ServerOptions, resources};
use aigw_extproc::{BootstrapOptions, Places, bootstrap, find_envoy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio_stream::wrappers::UnixListenerStream;

use self::relay::Mode;
use self::snapshot::Setup;

/// The binary; `None` ends a test early on a machine without one, but never where all tests have to run.
pub fn envoy() -> Option<PathBuf> {
    match find_envoy(None, &|name| std::env::var(name).ok()) {
        Ok(path) => Some(path),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "this test needs Envoy: {error}");
            println!("skipped: {error}");
            None
        }
    }
}

/// This process as Envoy sees it, and Envoy.
pub struct Bench {
    pub xds: Server,
    pub options: Options,
    pub relay: relay::Relay,
    serving: tokio::task::JoinHandle<()>,
    folder: tempfile::TempDir,
    binary: PathBuf,
    envoy: Option<Child>,
}

impl Bench {
    /// The server; Envoy does not run yet.
    pub fn new(path: DataPath) -> Option<Self> {
        Self::with(path, Duration::from_secs(600))
    }

    pub fn with(path: DataPath, grace: Duration) -> Option<Self> {
        let binary = envoy()?;
        let folder = tempfile::tempdir().unwrap();
        let places = Places::open(folder.path()).unwrap();
        let xds = Server::new(ServerOptions {
            grace,
            admin: Some(places.admin()),
            ..ServerOptions::default()
        });
        let behind = folder.path().join("behind.sock");
        let relay = relay::Relay::between(&places.processor(), behind.clone());
        let serving = serve(&behind, &xds);
        Some(Self {
            xds,
            options: Options::new(path, places),
            relay,
            serving,
            folder,
            binary,
            envoy: None,
        })
    }

    /// The server ends, and another one takes its place; Envoy goes on.
    pub async fn restart_server(&mut self) {
        self.relay.mode.send_replace(Mode::Gone);
        self.serving.abort();
        self.until("Envoy is cut off", |bench| bench.xds.state().connected == 0)
            .await;
        let behind = self.folder.path().join("behind.sock");
        std::fs::remove_file(&behind).unwrap();
        self.xds = Server::new(ServerOptions {
            admin: Some(self.places().admin()),
            ..ServerOptions::default()
        });
        self.serving = serve(&behind, &self.xds);
        self.relay.mode.send_replace(Mode::Open);
    }

    /// What Envoy's administration says, head and all.
    pub async fn ask_admin(&self, path: &str) -> String {
        let mut stream = UnixStream::connect(self.places().admin()).await.unwrap();
        let question = format!("GET {path} HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n");
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// What Envoy counts.
    pub async fn statistic(&self, name: &str) -> u64 {
        let answer = self.ask_admin(&format!("/stats?filter={name}")).await;
        let found = answer
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found
            .unwrap_or_else(|| panic!("{name}: {answer}"))
            .parse()
            .unwrap()
    }

    pub fn places(&self) -> &Places {
        &self.options.places
    }

    pub fn bootstrap(&self) -> PathBuf {
        let path = self.folder.path().join("envoy.json");
        std::fs::write(&path, bootstrap(&BootstrapOptions::new(self.places()))).unwrap();
        path
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("-c").arg(self.bootstrap());
        command.args(["--disable-hot-restart", "--concurrency", "2", "-l", "warn"]);
        command
    }

    /// Starts Envoy and serves one listener and one upstream.
    pub async fn serve(&mut self, address: SocketAddr, target: &Endpoint) -> Setup {
        self.start_envoy();
        let setup = Setup::new("v1")
            .listener("main", address)
            .endpoint(target.clone());
        self.publish(&setup).await.unwrap();
        setup
    }

    /// Waits until somebody listens there.
    pub async fn listens(&self, address: SocketAddr) {
        self.until("it listens", |_| std::net::TcpStream::connect(address).is_ok())
            .await;
    }

    pub fn start_envoy(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("envoy.log")).unwrap();
        let child = self
            .command()
            .kill_on_drop(true)
            .stdout(Stdio::from(
                std::fs::File::create(self.folder.path().join("access.log")).unwrap(),
            ))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        self.envoy = Some(child);
    }

    pub async fn stop_envoy(&mut self) {
        self.envoy.take().unwrap().kill().await.unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.envoy.as_ref().unwrap().id().unwrap()
    }

    /// What Envoy has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("envoy.log")).unwrap_or_default()
    }

    pub fn access_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }

    pub fn make(&self, setup: &Setup) -> aigw_extproc::xds::Resources {
        let snapshot = snapshot::snapshot(setup);
        resources(
            &snapshot,
            &Materials::read(&snapshot, &setup.credentials),
            &self.options,
        )
        .unwrap()
    }

    /// Publishes once Envoy is connected; the outcome is Envoy's.
    pub async fn publish(
        &self,
        setup: &Setup,
    ) -> Result<aigw_extproc::xds::Published, aigw_extproc::xds::PublishError> {
        self.until("Envoy connects", |bench| bench.xds.state().connected > 0)
            .await;
        self.xds.publish(self.make(setup)).await
    }

    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "not within 20 s: {what}; {:?}\n{}",
                self.xds.state(),
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn serve(socket: &Path, xds: &Server) -> tokio::task::JoinHandle<()> {
    let socket = UnixListener::bind(socket).unwrap();
    let serving = tonic::transport::Server::builder()
        .add_service(xds.service())
        .add_service(processor::service())
        .add_service(tonic_health::server::health_reporter().1)
        .serve_with_incoming(UnixListenerStream::new(socket));
    tokio::spawn(async move { serving.await.unwrap() })
}

/// An address that was free a moment ago: Envoy cannot say which one it has taken.
pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
