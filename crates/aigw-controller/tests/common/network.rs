//! The network of pods, as far as the API server needs it: whatever address a pod has, its ports are those of 127.0.0.1.
//!
//! The API server proxies to no loopback address. It is told to reach pods through this proxy instead, as clusters are whose API
//! server is in another network than their pods.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::Cluster;

/// Where the API server finds it, in the cluster's folder.
pub const SOCKET: &str = "pods.sock";
/// An address of a pod that nobody else has, and that leads nowhere.
pub const POD_IP: &str = "fd12:3456:789a::1";

/// The configuration that tells the API server so.
pub fn egress(folder: &Path) -> String {
    let socket = folder.join(SOCKET);
    format!(
        "apiVersion: apiserver.k8s.io/v1beta1\nkind: EgressSelectorConfiguration\negressSelections:\n  - name: cluster\n    \
         connection: {{proxyProtocol: HTTPConnect, transport: {{uds: {{udsName: {}}}}}}}\n",
        socket.display()
    )
}

impl Cluster {
    /// Starts it; it ends when the answer is dropped.
    pub fn pod_network(&self) -> JoinSet<()> {
        let listener = UnixListener::bind(self.folder().join(SOCKET)).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connect(stream));
            }
        });
        tasks
    }
}

async fn connect(mut stream: UnixStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    let port: u16 = target.rsplit(':').next()?.parse().ok()?;
    let mut pod = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    copy_bidirectional(&mut stream, &mut pod).await.ok().map(drop)
}
