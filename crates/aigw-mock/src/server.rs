//! Accepts connections on one listener and serves HTTP/1.1 and HTTP/2 on them until told to stop.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::call::Mock;
use crate::line::{Line, LineIo};
use crate::{Options, service};

/// Time that answers under way get after the shutdown signal.
const GRACE: Duration = Duration::from_secs(1);

/// Serves every dialect on the listener until `shutdown` resolves; answers under way then get one second.
///
/// # Errors
///
/// When the record file cannot be opened.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mock = Arc::new(Mock::new(options)?);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => connect(socket, &mock, &graceful, &mut connections),
                // Out of descriptors and the like: the next accept may succeed.
                Err(error) => {
                    tracing::warn!(%error, "mock accept failed");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    // What is still open after the grace period is aborted when the set drops.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

fn connect(socket: TcpStream, mock: &Arc<Mock>, graceful: &GracefulShutdown, connections: &mut JoinSet<()>) {
    let _ = socket.set_nodelay(true);
    let line = Arc::new(Line::default());
    let io = TokioIo::new(LineIo::new(socket, Arc::clone(&line)));
    let mock = Arc::clone(mock);
    let service = service_fn(move |request| service::serve(Arc::clone(&mock), Arc::clone(&line), request));
    let connection = Builder::new(TokioExecutor::new())
        .serve_connection(io, service)
        .into_owned();
    let connection = graceful.watch(connection);
    connections.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "mock connection ended");
        }
    });
}
