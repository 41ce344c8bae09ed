//! Where Envoy comes in: the gRPC services on a Unix socket or an address.

use std::io;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;

use crate::bootstrap::At;
use crate::processor::{Processor, health};
use crate::xds;

/// Silence after which Envoy is asked whether it is alive, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Bytes that one stream may be ahead of its reader, and all of a connection together.
const WINDOWS: (u32, u32) = (1 << 20, 16 << 20);

/// The running services. Dropping it ends them.
#[derive(Debug)]
pub struct Door {
    task: JoinHandle<()>,
}

impl Door {
    /// Serves Envoy's configuration at `at`, and, on the path `extproc`, its requests.
    pub async fn open(at: &At, xds: &xds::Server, processor: Option<Processor>) -> io::Result<Self> {
        let router = Server::builder()
            .http2_keepalive_interval(Some(PING.0))
            .http2_keepalive_timeout(Some(PING.1))
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            // As many as Envoy has requests.
            .max_concurrent_streams(u32::MAX)
            .tcp_nodelay(true)
            .add_service(xds.service())
            .add_service(health().await)
            .add_optional_service(processor.map(Processor::service));
        let task = match at {
            At::Socket(path) => {
                let socket = UnixListenerStream::new(aigw_proxy::bind_socket(path)?);
                tokio::spawn(async move { report(router.serve_with_incoming(socket).await) })
            }
            At::Tcp(address) => {
                let socket = std::net::TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                let socket = TcpListenerStream::new(tokio::net::TcpListener::from_std(socket)?);
                tokio::spawn(async move { report(router.serve_with_incoming(socket).await) })
            }
        };
        Ok(Self { task })
    }
}

fn report(ended: Result<(), tonic::transport::Error>) {
    if let Err(error) = ended {
        tracing::error!("Envoy is not served any more: {error}");
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}
