//! All listeners of a gateway: binds them, accepts, and ends them without cutting what is under way.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aigw_config::{Listener, Snapshot};
use aigw_runtime::Gateway;
use rustls::ServerConfig;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::certificate::Certificate;
use super::connection;
use super::place::{Entrance, Place};
use crate::exchange::Context;
use crate::upstream::Upstreams;

/// How often a certificate's files are read again.
const REFRESH: Duration = Duration::from_secs(5);
/// Pause after a connection could not be accepted (most often: no file descriptor is left).
const PAUSE: Duration = Duration::from_millis(50);
/// How long a proxy in front may go on with connections of a listener that is gone.
const LEAVE: Duration = Duration::from_secs(600);

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
    place: Place,
    running: Vec<Running>,
    /// Sockets of listeners that are gone, and how long the proxy in front may still send what it had begun.
    leaving: Vec<(Running, Instant)>,
    /// Also those that take nothing more and still serve what has begun.
    doors: JoinSet<()>,
}

/// One listener.
#[derive(Debug)]
struct Running {
    listener: Listener,
    entrance: Arc<Entrance>,
    address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Whether it already does what `listener` says; who may ask for what is not its business.
    fn is(&self, listener: &Listener) -> bool {
        let is_here = self.address.is_none()
            || (self.listener.address == listener.address && self.listener.tls == listener.tls);
        self.listener.name == listener.name && is_here
    }

    /// Takes nothing more, and goes on with what has begun.
    fn end(&self) {
        self.stop.send_replace(true);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // At once, so that a listener of the same name can be opened while this one ends.
        self.entrance.unlink();
    }
}

type Tls = Option<(Arc<Certificate>, Arc<ServerConfig>)>;

/// Opens the listeners of the gateway's snapshot at their addresses and serves them.
pub async fn serve(gateway: Arc<Gateway>, upstreams: Arc<Upstreams>) -> Result<Server, ServeError> {
    serve_at(Place::Addresses, gateway, upstreams).await
}

/// Opens the listeners of the gateway's snapshot at `place` and serves them.
pub async fn serve_at(
    place: Place,
    gateway: Arc<Gateway>,
    upstreams: Arc<Upstreams>,
) -> Result<Server, ServeError> {
    let mut server = Server {
        gateway,
        upstreams,
        place,
        running: Vec::new(),
        leaving: Vec::new(),
        doors: JoinSet::new(),
    };
    server.follow().await?;
    Ok(server)
}

impl Server {
    /// Name and address of each listener; the port is the real one where 0 was asked for. Sockets have no address.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.running
            .iter()
            .filter_map(|running| Some((running.listener.name.clone(), running.address?)))
            .collect()
    }

    /// Opens and closes listeners so that they are those of the gateway's snapshot now. One that has not changed notices
    /// nothing; one that is gone serves what it has begun. On an error nothing changes.
    pub async fn follow(&mut self) -> Result<(), ServeError> {
        let snapshot = Arc::clone(&self.gateway.load().snapshot);
        self.open(&snapshot).await?;
        let all = std::mem::take(&mut self.running);
        let (stay, gone): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|old| snapshot.listeners.iter().any(|listener| old.is(listener)));
        self.running = stay;
        let now = Instant::now();
        for old in gone {
            match self.place {
                Place::Addresses => old.end(),
                Place::Sockets { .. } => self.leaving.push((old, now + LEAVE)),
            }
        }
        self.leaving.retain(|(old, until)| {
            let stays = *until > now;
            if !stays {
                old.end();
            }
            stays
        });
        while self.doors.try_join_next().is_some() {}
        Ok(())
    }

    /// Opens what `snapshot` has and the present one has not, ahead of its time: a proxy in front may be told of it before
    /// the gateway takes it over and [`Server::follow`] closes what is gone. On an error nothing changes.
    pub async fn open(&mut self, snapshot: &Snapshot) -> Result<(), ServeError> {
        let mut opened = Vec::new();
        for listener in &snapshot.listeners {
            if self.running.iter().any(|old| old.is(listener)) {
                continue;
            }
            let returns = self.leaving.iter().position(|(old, _)| old.is(listener));
            match returns.map(|index| self.leaving.swap_remove(index)) {
                Some((old, _)) => self.running.push(old),
                None => opened.push(self.begin(listener).await?),
            }
        }
        // From here on nothing can fail.
        for (running, tls, stopped) in opened {
            let name = Arc::from(running.listener.name.as_str());
            let context = Context::new(Arc::clone(&self.gateway), Arc::clone(&self.upstreams), name);
            self.doors.spawn(accept(
                Arc::clone(&running.entrance),
                tls,
                Arc::new(context),
                stopped,
            ));
            self.running.push(running);
        }
        Ok(())
    }

    /// A listener that is open and takes nothing yet.
    async fn begin(&self, listener: &Listener) -> Result<(Running, Tls, watch::Receiver<bool>), ServeError> {
        let failed = |source| ServeError::Bind {
            name: listener.name.clone(),
            address: self.place.of(listener),
            source,
        };
        let same_address = self
            .running
            .iter()
            .find(|old| old.address.is_some() && old.listener.address == listener.address);
        let entrance = match same_address {
            Some(old) => Arc::clone(&old.entrance),
            None => Arc::new(self.place.open(listener).await.map_err(failed)?),
        };
        let address = entrance.address().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let running = Running {
            listener: listener.clone(),
            entrance,
            address,
            stop,
        };
        // The proxy in front has the certificate.
        let tls = match address {
            Some(_) => secure(listener).await?,
            None => None,
        };
        Ok((running, tls, stopped))
    }

    /// Accepts nothing more and waits until all exchanges have ended, at most for `grace`; what is left is cut then.
    /// True when nothing was cut.
    pub async fn drain(mut self, grace: Duration) -> bool {
        self.gateway.drain();
        let leaving = self.leaving.drain(..).map(|(old, _)| old);
        for running in self.running.drain(..).chain(leaving) {
            running.end();
        }
        let ended = async { while self.doors.join_next().await.is_some() {} };
        tokio::time::timeout(grace, ended).await.is_ok()
    }
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

async fn accept(entrance: Arc<Entrance>, tls: Tls, context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let stopped = stop.clone();
    let (certificate, config) = tls.unzip();
    let serve = |arrived| connection::serve(arrived, config.clone(), Arc::clone(&context), stopped.clone());
    let mut connections = tokio::select! {
        connections = accept_all(&*entrance, serve, &context.listener, &mut stop) => connections,
        never = refresh(certificate, &context.listener) => match never {},
    };
    drop(entrance);
    while connections.join_next().await.is_some() {}
}

/// What connections come from.
pub(super) trait Accept {
    /// A connection.
    type Arrived;
    /// The next one.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Arrived>> + Send;
}

/// Serves every connection in a task of its own, until it is told to stop; those that are left then are handed back.
pub(super) async fn accept_all<A: Accept, F: Future<Output = ()> + Send + 'static>(
    entrance: &A,
    serve: impl Fn(A::Arrived) -> F,
    listener: &str,
    stop: &mut watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = entrance.accept() => match accepted {
                Ok(arrived) => drop(connections.spawn(serve(arrived))),
                Err(error) => {
                    tracing::warn!(listener, %error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = told(stop) => return connections,
        }
    }
}

/// Reads a certificate's files again and again. Never ends.
async fn refresh(certificate: Option<Arc<Certificate>>, listener: &Arc<str>) -> Infallible {
    let Some(certificate) = certificate else {
        return std::future::pending().await;
    };
    let mut turn = tokio::time::interval(REFRESH);
    loop {
        turn.tick().await;
        let (certificate, listener) = (Arc::clone(&certificate), Arc::clone(listener));
        tokio::task::spawn_blocking(move || match certificate.refresh() {
            Ok(true) => tracing::info!(%listener, "serving a new certificate"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%listener, %error, "keeping the last good certificate"),
        });
    }
}

/// Waits until the server is told to stop (or is gone, which aborts us anyway).
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
