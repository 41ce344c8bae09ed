//! All listeners of a gateway: binds them, accepts, and ends them without cutting what is under way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aigw_config::Listener;
use aigw_runtime::Gateway;
use rustls::ServerConfig;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::certificate::Certificate;
use super::connection;
use crate::exchange::Context;
use crate::upstream::Upstreams;

/// How often a certificate's files are read again.
const REFRESH: Duration = Duration::from_secs(5);
/// Pause after a connection could not be accepted (most often: no file descriptor is left).
const PAUSE: Duration = Duration::from_millis(50);

/// Why a listener could not be opened.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is taken, not ours, or not permitted: free it or choose another.
    #[error("listener `{name}` cannot listen on {address}: {source}")]
    Bind {
        /// Listener.
        name: String,
        /// Its address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// Certificate or key cannot be used: correct the files.
    #[error("listener `{name}`: {detail}")]
    Certificate {
        /// Listener.
        name: String,
        /// Why.
        detail: String,
    },
}

/// Running listeners. Dropping it cuts all connections.
#[derive(Debug)]
pub struct Server {
    gateway: Arc<Gateway>,
    upstreams: Arc<Upstreams>,
    running: Vec<Running>,
    /// Also those that take nothing more and still serve what has begun.
    doors: JoinSet<()>,
}

/// One listener.
#[derive(Debug)]
struct Running {
    listener: Listener,
    socket: Arc<TcpListener>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Whether it already does what `listener` says; who may ask for what is not its business.
    fn is(&self, listener: &Listener) -> bool {
        self.listener.name == listener.name
            && self.listener.address == listener.address
            && self.listener.tls == listener.tls
    }
}

type Tls = Option<(Arc<Certificate>, Arc<ServerConfig>)>;

/// Opens the listeners of the gateway's snapshot and serves them.
pub async fn serve(gateway: Arc<Gateway>, upstreams: Arc<Upstreams>) -> Result<Server, ServeError> {
    let mut server = Server {
        gateway,
        upstreams,
        running: Vec::new(),
        doors: JoinSet::new(),
    };
    server.follow().await?;
    Ok(server)
}

impl Server {
    /// Name and address of each listener; the port is the real one where 0 was asked for.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.running
            .iter()
            .map(|running| (running.listener.name.clone(), running.address))
            .collect()
    }

    /// Opens and closes listeners so that they are those of the gateway's snapshot now. One that has not changed notices
    /// nothing; one that is gone serves what it has begun. On an error nothing changes.
    pub async fn follow(&mut self) -> Result<(), ServeError> {
        let snapshot = Arc::clone(&self.gateway.load().snapshot);
        let mut opened = Vec::new();
        for listener in &snapshot.listeners {
            if self.running.iter().any(|old| old.is(listener)) {
                continue;
            }
            let same_address = self
                .running
                .iter()
                .find(|old| old.listener.address == listener.address);
            let socket = match same_address {
                Some(old) => Arc::clone(&old.socket),
                None => bind(listener).await?,
            };
            let address = socket
                .local_addr()
                .map_err(|source| bind_error(listener, source))?;
            let tls = secure(listener).await?;
            let (stop, stopped) = watch::channel(false);
            opened.push((
                Running {
                    listener: listener.clone(),
                    socket,
                    address,
                    stop,
                },
                tls,
                stopped,
            ));
        }
        // From here on nothing can fail.
        self.running.retain(|old| {
            let stays = snapshot.listeners.iter().any(|listener| old.is(listener));
            if !stays {
                old.stop.send_replace(true);
            }
            stays
        });
        for (running, tls, stopped) in opened {
            let name = Arc::from(running.listener.name.as_str());
            let context = Context::new(Arc::clone(&self.gateway), Arc::clone(&self.upstreams), name);
            self.doors.spawn(accept(
                Arc::clone(&running.socket),
                tls,
                Arc::new(context),
                stopped,
            ));
            self.running.push(running);
        }
        while self.doors.try_join_next().is_some() {}
        Ok(())
    }

    /// Accepts nothing more and waits until all exchanges have ended, at most for `grace`; what is left is cut then.
    /// True when nothing was cut.
    pub async fn drain(mut self, grace: Duration) -> bool {
        self.gateway.drain();
        for running in self.running.drain(..) {
            running.stop.send_replace(true);
        }
        let ended = async { while self.doors.join_next().await.is_some() {} };
        tokio::time::timeout(grace, ended).await.is_ok()
    }
}

fn bind_error(listener: &Listener, source: std::io::Error) -> ServeError {
    ServeError::Bind {
        name: listener.name.clone(),
        address: listener.address.clone(),
        source,
    }
}

async fn bind(listener: &Listener) -> Result<Arc<TcpListener>, ServeError> {
    TcpListener::bind(&listener.address)
        .await
        .map(Arc::new)
        .map_err(|source| bind_error(listener, source))
}

async fn secure(listener: &Listener) -> Result<Tls, ServeError> {
    let Some(paths) = listener.tls.clone() else {
        return Ok(None);
    };
    let read = move || {
        let certificate = Arc::new(Certificate::read(paths)?);
        let config = certificate.server_config()?;
        Ok((certificate, config))
    };
    let read: JoinHandle<Result<_, String>> = tokio::task::spawn_blocking(read);
    let result = read.await.unwrap_or_else(|error| Err(error.to_string()));
    result.map(Some).map_err(|detail| ServeError::Certificate {
        name: listener.name.clone(),
        detail,
    })
}

async fn accept(socket: Arc<TcpListener>, tls: Tls, context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let stopped = stop.clone();
    let mut refresh = tokio::time::interval(REFRESH);
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    let config = tls.as_ref().map(|(_, config)| Arc::clone(config));
                    let peer = Some(peer.ip().to_canonical());
                    connections.spawn(connection::serve(stream, peer, config, Arc::clone(&context), stopped.clone()));
                }
                Err(error) => {
                    tracing::warn!(listener = %context.listener, %error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = refresh.tick(), if tls.is_some() => {
                if let Some((certificate, _)) = tls.clone() {
                    let listener = Arc::clone(&context.listener);
                    tokio::task::spawn_blocking(move || match certificate.refresh() {
                        Ok(true) => tracing::info!(%listener, "serving a new certificate"),
                        Ok(false) => {}
                        Err(error) => tracing::warn!(%listener, %error, "keeping the last good certificate"),
                    });
                }
            }
            () = told(&mut stop) => break,
        }
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

/// Waits until the server is told to stop (or is gone, which aborts us anyway).
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
