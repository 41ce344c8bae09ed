//! The socket on which a proxy in front goes on with parked exchanges.

use std::sync::Arc;
use std::time::Duration;

use aigw_runtime::Gateway;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connection::serve_http1;
use super::server::accept_all;
use super::socket::Socket;
use crate::exchange::{self, Parking};
use crate::transport::Transport;
use crate::upstream::Upstreams;

/// The running door. Dropping it cuts all connections.
#[derive(Debug)]
pub struct ParkedServer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Serves parked exchanges, and nothing else, on a socket that only the proxy in front can connect to.
pub fn serve_parked(
    socket: UnixListener,
    parking: Arc<Parking>,
    gateway: Arc<Gateway>,
    upstreams: Arc<Upstreams>,
) -> ParkedServer {
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(socket, parking, gateway, upstreams, stopped));
    ParkedServer { stop, task }
}

impl ParkedServer {
    /// Accepts nothing more and waits until all exchanges have ended, at most for `grace`; what is left is cut then.
    /// True when nothing was cut.
    pub async fn drain(mut self, grace: Duration) -> bool {
        self.stop.send_replace(true);
        tokio::time::timeout(grace, &mut self.task).await.is_ok()
    }
}

impl Drop for ParkedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    socket: UnixListener,
    parking: Arc<Parking>,
    gateway: Arc<Gateway>,
    upstreams: Arc<Upstreams>,
    mut stop: watch::Receiver<bool>,
) {
    let stopped = stop.clone();
    let serve = |stream| {
        let (parking, upstreams) = (Arc::clone(&parking), Arc::clone(&upstreams));
        let idle = gateway.load().snapshot.limits.timeouts.idle.duration();
        let socket = Socket::new(Transport::Unix(stream), Arc::default(), idle);
        connection(socket, parking, upstreams, stopped.clone())
    };
    let mut connections = accept_all(&socket, serve, "parked exchanges", &mut stop).await;
    drop(socket);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    socket: Socket,
    parking: Arc<Parking>,
    upstreams: Arc<Upstreams>,
    stop: watch::Receiver<bool>,
) {
    let service =
        service_fn(move |request| exchange::resume(Arc::clone(&parking), Arc::clone(&upstreams), request));
    // The proxy in front closes what it does not need; we would do it just when it sends the next request.
    serve_http1(TokioIo::new(socket), None, service, stop).await;
}
