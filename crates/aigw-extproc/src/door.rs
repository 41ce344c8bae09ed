//! Where Envoy comes in: the gRPC services on a Unix socket or an address.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{JoinHandle, JoinSet};
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::service::Routes;

use crate::bootstrap::At;
use crate::calls::Calls;
use crate::outbox::Outbox;
use crate::processor::{Processor, health};
use crate::quiet::Quiet;
use crate::xds;

/// Silence after which Envoy is asked whether it is alive, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Bytes that one stream may be ahead of its reader, and all of a connection together.
const WINDOWS: (u32, u32) = (1 << 20, 16 << 20);
/// Between two tries when no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// The running services. Dropping it ends them, and every connection.
#[derive(Debug)]
pub struct Door {
    task: JoinHandle<()>,
}

impl Door {
    /// Serves Envoy's configuration at `at`, and, on the path `extproc`, its requests.
    pub async fn open(at: &At, xds: &xds::Server, processor: Option<Processor>) -> io::Result<Self> {
        let others = Routes::new(xds.service()).add_service(health().await).prepare();
        let services = Services { processor, others };
        let task = match at {
            At::Socket(path) => {
                let socket = aigw_proxy::bind_socket(path)?;
                tokio::spawn(serve(services, async move || Ok(socket.accept().await?.0)))
            }
            At::Tcp(address) => {
                let socket = std::net::TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                let socket = tokio::net::TcpListener::from_std(socket)?;
                let accept = async move || {
                    let (stream, _) = socket.accept().await?;
                    stream.set_nodelay(true)?;
                    Ok(stream)
                };
                tokio::spawn(serve(services, accept))
            }
        };
        Ok(Self { task })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves every connection in a task of its own.
async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    services: Services,
    accept: impl AsyncFn() -> io::Result<S>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accept() => match accepted {
                Ok(stream) => drop(connections.spawn(Quiet::new(connection(stream, services.clone())))),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection of Envoy's");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(stream: S, services: Services) {
    let calls = Calls::default();
    let stream = Outbox::new(stream);
    let served = http2::Builder::new(calls.clone())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        // As many as Envoy has requests.
        .max_concurrent_streams(u32::MAX)
        .serve_connection(TokioIo::new(stream.share()), services);
    if let Err(error) = calls.run(served, stream).await {
        tracing::debug!(%error, "a connection of Envoy's has ended");
    }
}

/// The services of a connection.
#[derive(Clone, Debug)]
struct Services {
    processor: Option<Processor>,
    others: Routes,
}

impl Service<Request<Incoming>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let request = request.map(Body::new);
        match &self.processor {
            // One for each of the clients' requests: it takes the shortest way.
            Some(processor) if Processor::is_meant(&request) => {
                processor.clone().answer(request).map(Ok).boxed()
            }
            _ => {
                let mut others = self.others.clone();
                async move { others.call(request).await }.boxed()
            }
        }
    }
}
