//! All listeners of a gateway: binds them, accepts, and ends them without cutting what is under way.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aigw_config::{Credentials, Listener, Tls};
use aigw_runtime::{Gateway, Live};
use rustls::ServerConfig;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::certificate::{Certificates, Table};
use super::connection;
use super::place::{Entrance, Place};
use crate::exchange::Context;
use crate::upstream::Upstreams;

/// How often files of certificates are read again.
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
    /// `None` in the clear, and where the proxy in front has them.
    certificates: Option<Arc<Certificates>>,
    entrance: Arc<Entrance>,
    address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Whether it already does what `listener` says; who may ask for what is not its business, and certificates are replaced
    /// while it serves.
    fn is(&self, listener: &Listener) -> bool {
        let is_here = self.address.is_none()
            || (self.listener.address == listener.address
                && self.listener.tls.is_some() == listener.tls.is_some());
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

type Secure = Option<(Arc<Certificates>, Arc<ServerConfig>)>;

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

    /// Opens and closes listeners so that they are those of the gateway's snapshot now, with the certificates of now. One that
    /// has not changed notices nothing; one that is gone serves what it has begun. On an error nothing changes.
    pub async fn follow(&mut self) -> Result<(), ServeError> {
        let live = Live::clone(&self.gateway.load());
        self.open(&live).await?;
        let snapshot = live.snapshot;
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

    /// Opens what `live` has and the present one has not, ahead of its time: a proxy in front may be told of it before
    /// the gateway takes it over and [`Server::follow`] closes what is gone. On an error nothing changes.
    pub async fn open(&mut self, live: &Live) -> Result<(), ServeError> {
        let mut opened = Vec::new();
        let mut renewed = Vec::new();
        for listener in &live.snapshot.listeners {
            if let Some(at) = self.running.iter().position(|old| old.is(listener)) {
                let table = self.renew(at, listener, &live.credentials).await?;
                renewed.push((at, listener, table));
                continue;
            }
            let returns = self.leaving.iter().position(|(old, _)| old.is(listener));
            match returns.map(|index| self.leaving.swap_remove(index)) {
                Some((old, _)) => self.running.push(old),
                None => opened.push(self.begin(listener, &live.credentials).await?),
            }
        }
        // From here on nothing can fail.
        for (at, listener, table) in renewed {
            let Some(running) = self.running.get_mut(at) else {
                continue;
            };
            running.listener = listener.clone();
            if let (Some(certificates), Some(table)) = (&running.certificates, table) {
                certificates.serve(table);
            }
        }
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

    /// The certificates that a running listener is to have.
    async fn renew(
        &self,
        at: usize,
        listener: &Listener,
        credentials: &Arc<Credentials>,
    ) -> Result<Option<Table>, ServeError> {
        let running = self.running.get(at).and_then(|one| one.certificates.clone());
        let (Some(certificates), Some(tls)) = (running, &listener.tls) else {
            return Ok(None);
        };
        let (tls, credentials) = (tls.clone(), Arc::clone(credentials));
        let prepare = move || certificates.prepare(&tls, &credentials);
        beside(listener, prepare).await.map(Some)
    }

    /// A listener that is open and takes nothing yet.
    async fn begin(
        &self,
        listener: &Listener,
        credentials: &Arc<Credentials>,
    ) -> Result<(Running, Secure, watch::Receiver<bool>), ServeError> {
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
        // The proxy in front has the certificates.
        let tls = match (address, &listener.tls) {
            (Some(_), Some(tls)) => Some(secure(listener, tls, credentials).await?),
            _ => None,
        };
        let running = Running {
            listener: listener.clone(),
            certificates: tls.as_ref().map(|(certificates, _)| Arc::clone(certificates)),
            entrance,
            address,
            stop,
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

async fn secure(
    listener: &Listener,
    tls: &Tls,
    credentials: &Arc<Credentials>,
) -> Result<(Arc<Certificates>, Arc<ServerConfig>), ServeError> {
    let (tls, credentials) = (tls.clone(), Arc::clone(credentials));
    let read = move || {
        let certificates = Arc::new(Certificates::read(&tls, &credentials)?);
        let config = certificates.server_config()?;
        Ok((certificates, config))
    };
    beside(listener, read).await
}

/// Reads certificates where it may block.
async fn beside<T: Send + 'static>(
    listener: &Listener,
    read: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, ServeError> {
    let read: JoinHandle<Result<T, String>> = tokio::task::spawn_blocking(read);
    let result = read.await.unwrap_or_else(|error| Err(error.to_string()));
    result.map_err(|detail| ServeError::Certificate {
        name: listener.name.clone(),
        detail,
    })
}

async fn accept(
    entrance: Arc<Entrance>,
    tls: Secure,
    context: Arc<Context>,
    mut stop: watch::Receiver<bool>,
) {
    let stopped = stop.clone();
    let (certificates, config) = tls.unzip();
    let serve = |arrived| connection::serve(arrived, config.clone(), Arc::clone(&context), stopped.clone());
    let mut connections = tokio::select! {
        connections = accept_all(&*entrance, serve, &context.listener, &mut stop) => connections,
        never = refresh(certificates, &context) => match never {},
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

/// Reads certificates again and again. Never ends.
async fn refresh(certificates: Option<Arc<Certificates>>, context: &Context) -> Infallible {
    let Some(certificates) = certificates else {
        return std::future::pending().await;
    };
    let mut turn = tokio::time::interval(REFRESH);
    loop {
        turn.tick().await;
        let (certificates, listener) = (Arc::clone(&certificates), Arc::clone(&context.listener));
        let credentials = Arc::clone(&context.gateway.load().credentials);
        tokio::task::spawn_blocking(move || {
            let (changed, problems) = certificates.refresh(&credentials);
            if changed {
                tracing::info!(%listener, "serving a new certificate");
            }
            for error in problems {
                tracing::warn!(%listener, %error, "keeping the last good certificate");
            }
        });
    }
}

/// Waits until the server is told to stop (or is gone, which aborts us anyway).
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
