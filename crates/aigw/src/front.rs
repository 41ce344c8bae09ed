//! What takes the clients' connections: this process, or an Envoy before it.

use std::sync::Arc;
use std::time::Duration;

use aigw_config::Credentials;
use aigw_proxy::{Proxies, Server, Upstreams, check_health};
use aigw_runtime::{EnvoyReport, Gateway, Live, Telemetry};
use futures_util::future::BoxFuture;

use crate::envoy::{Host, Options};
use crate::process::Failure;

/// What is to take the connections.
#[derive(Debug)]
pub(crate) enum Kind {
    /// This process.
    Native,
    /// An Envoy before it.
    Envoy(Options),
}

/// What takes the connections.
#[derive(Debug)]
pub(crate) enum Front {
    /// This process.
    Native(Server),
    /// An Envoy before it.
    Envoy(Box<Host>),
}

impl Kind {
    /// Decides what the configuration leaves open, before anything is served.
    pub(crate) async fn settle(&mut self, live: &mut Live) -> Result<(), Failure> {
        match self {
            Self::Native => Ok(()),
            Self::Envoy(options) => options.settle(live).await,
        }
    }
}

impl Front {
    /// Opens whatever this process listens on.
    pub(crate) async fn open(
        kind: Kind,
        gateway: Arc<Gateway>,
        telemetry: &Arc<Telemetry>,
    ) -> Result<Self, Failure> {
        let upstreams = Upstreams::new(Proxies::from_env());
        tokio::spawn(check_health(Arc::clone(&gateway), Arc::clone(&upstreams)));
        match kind {
            Kind::Native => Ok(Self::Native(aigw_proxy::serve(gateway, upstreams).await?)),
            Kind::Envoy(options) => {
                let host = Host::open(options, gateway, upstreams, telemetry).await?;
                Ok(Self::Envoy(Box::new(host)))
            }
        }
    }

    /// What there is to see of it.
    pub(crate) fn view(&self, gateway: &Arc<Gateway>) -> Arc<dyn aigw_runtime::Host> {
        match self {
            Self::Native(_) => Arc::new(Native(Arc::clone(gateway))),
            Self::Envoy(host) => host.view(),
        }
    }

    /// Waits until requests are served.
    pub(crate) async fn begin(&mut self) -> Result<(), Failure> {
        match self {
            Self::Native(_) => Ok(()),
            Self::Envoy(host) => host.begin().await,
        }
    }

    /// Where clients connect.
    pub(crate) fn addresses(&self) -> Vec<String> {
        match self {
            Self::Native(server) => server
                .addresses()
                .iter()
                .map(|(_, address)| address.to_string())
                .collect(),
            Self::Envoy(host) => host.addresses(),
        }
    }

    /// Serves `live` from now on; on an error nothing changes.
    pub(crate) async fn adopt(&mut self, live: Live, gateway: &Gateway) -> Result<(), Failure> {
        match self {
            Self::Native(server) => follow(server, live, gateway).await,
            Self::Envoy(host) => host.adopt(live).await,
        }
    }

    /// The same when nothing but credentials is new, certificates perhaps among them.
    pub(crate) async fn renew(
        &mut self,
        credentials: Arc<Credentials>,
        gateway: &Gateway,
    ) -> Result<(), Failure> {
        let snapshot = Arc::clone(&gateway.load().snapshot);
        let live = Live {
            snapshot,
            credentials,
        };
        match self {
            Self::Native(server) => follow(server, live, gateway).await,
            Self::Envoy(host) => host.renew(live).await,
        }
    }

    /// Takes nothing more and waits until all requests have ended, at most for `grace`. True when nothing was cut.
    pub(crate) async fn drain(self, grace: Duration) -> bool {
        match self {
            Self::Native(server) => server.drain(grace).await,
            Self::Envoy(host) => host.drain(grace).await,
        }
    }
}

async fn follow(server: &mut Server, live: Live, gateway: &Gateway) -> Result<(), Failure> {
    let before = Live::clone(&gateway.load());
    gateway.swap(live);
    if let Err(problem) = server.follow().await {
        gateway.swap(before);
        return Err(problem.into());
    }
    Ok(())
}

/// The native host, seen from outside. Its connections look at the gateway themselves.
struct Native(Arc<Gateway>);

impl aigw_runtime::Host for Native {
    fn envoy(&self) -> Option<EnvoyReport> {
        None
    }

    fn page(&self) -> Option<serde_json::Value> {
        None
    }

    fn send_away(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn active(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(async { Ok(self.0.shared.requests_held()) })
    }
}
