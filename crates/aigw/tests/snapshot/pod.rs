//! The binary as it runs in a pod, and requests to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::START;
use crate::common::{Cluster, eventually};
use crate::writer::{READER, Writer};

pub struct Pod {
    child: Child,
    folder: tempfile::TempDir,
    status: SocketAddr,
}

impl Pod {
    /// Starts one that keeps nothing.
    pub fn start(cluster: &Cluster, writer: &Writer) -> Self {
        Self::spawn(cluster, writer, &["proxy"], &[])
    }

    /// Starts one that serves in another way.
    pub fn start_as(cluster: &Cluster, writer: &Writer, command: &[&str]) -> Self {
        Self::spawn(cluster, writer, command, &[])
    }

    /// Starts one that keeps the last good snapshot in `state`.
    pub fn start_in(cluster: &Cluster, writer: &Writer, state: &Path) -> Self {
        Self::spawn(
            cluster,
            writer,
            &["proxy"],
            &["--state".to_owned(), state.display().to_string()],
        )
    }

    fn spawn(cluster: &Cluster, writer: &Writer, command: &[&str], more: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, cluster.kubeconfig(READER, &[])).unwrap();
        let status = free_address();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_aigw"))
            .args(command)
            .args(["--snapshot", &writer.place(), "--admin", "127.0.0.1:0"])
            .args(["--status", &status.to_string(), "--workers", "2", "--ready-file"])
            .arg(folder.path().join("ready"))
            .args(more)
            .env("KUBECONFIG", kubeconfig)
            // Where an Envoy before it has its sockets.
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            child,
            folder,
            status,
        }
    }

    /// Waits until it serves, and says where.
    pub async fn ready(&self) -> SocketAddr {
        let file: PathBuf = self.folder.path().join("ready");
        eventually(START, || async {
            let text = std::fs::read_to_string(&file).map_err(|_| self.log())?;
            let (status, why) = http(self.status, "GET", "/ready").await?;
            assert_eq!(status, 200, "{why}");
            let ready: Value = serde_json::from_str(&text).unwrap();
            Ok(ready["gateway"].as_str().unwrap().parse().unwrap())
        })
        .await
    }

    pub fn status(&self) -> SocketAddr {
        self.status
    }

    /// What `/version` says.
    pub async fn report(&self) -> Value {
        serde_json::from_str(&http(self.status, "GET", "/version").await.unwrap().1).unwrap()
    }

    pub async fn metrics(&self) -> String {
        http(self.status, "GET", "/metrics").await.unwrap().1
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of a pod\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// One request without a body: status and body.
pub async fn http(address: SocketAddr, method: &str, path: &str) -> Result<(u16, String), String> {
    send(
        address,
        format!("{method} {path} HTTP/1.0\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
    )
    .await
}

/// One completion; `Err` when it is not answered 200.
pub async fn complete(gateway: SocketAddr) -> Result<(), String> {
    match ask(gateway, "m").await? {
        (200, _) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// One completion by a model: status and body.
pub async fn ask(gateway: SocketAddr, model: &str) -> Result<(u16, String), String> {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json";
    send(
        gateway,
        format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
    )
    .await
}

async fn send(address: SocketAddr, text: String) -> Result<(u16, String), String> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(text.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), asking)
        .await
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or("no status")?, body.to_owned()))
}

/// Requests one after the other until they are stopped.
pub struct Steady {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(usize, Vec<String>)>,
}

pub fn steady(gateway: SocketAddr) -> Steady {
    steady_of(gateway, "m")
}

/// The same by a model.
pub fn steady_of(gateway: SocketAddr, model: &'static str) -> Steady {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        let (mut served, mut failed) = (0, Vec::new());
        while !stopped.load(Ordering::Acquire) {
            match ask(gateway, model).await {
                Ok((200, _)) => served += 1,
                other => failed.push(format!("{other:?}")),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (served, failed)
    });
    Steady { stop, task }
}

impl Steady {
    /// How many were served, and what went wrong with the others.
    pub async fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Release);
        self.task.await.unwrap()
    }
}
