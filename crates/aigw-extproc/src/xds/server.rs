//! Serves one goal to every Envoy that comes, and says when they have it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer;
use thiserror::Error;
use tokio::time::Instant;

use super::resources::{Kind, Resources};
use super::service::Service;
use super::shared::{Progress, Shared};
use super::state::State;
use super::warm;

/// How long names may take to be resolved. One that cannot be is its own backend's trouble alone.
const WARM: Duration = Duration::from_secs(5);

/// How the server takes its time.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// How long clusters stay that nothing new is sent to: as long as a request may be on its way to one. Answers that have begun
    /// outlive their cluster.
    pub grace: Duration,
    /// How long Envoy may take for a version.
    pub patience: Duration,
    /// The socket of Envoy's administration, to ask whether clusters are warm.
    pub admin: Option<PathBuf>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(60),
            patience: Duration::from_secs(30),
            admin: None,
        }
    }
}

/// How publishing has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Every connected Envoy has it.
    Acknowledged,
    /// No Envoy is connected; the next one gets it.
    NoEnvoy,
}

/// Why a version is not served.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PublishError {
    /// Envoy has refused it. The last good version is served again; correct what Envoy complains of.
    #[error("Envoy refuses the {} of version {version}: {detail}", kind.word())]
    Rejected {
        /// Kind of resource.
        kind: Kind,
        /// Version.
        version: String,
        /// Envoy's words.
        detail: String,
    },
    /// Envoy has not taken it over in time. It stays on offer.
    #[error("Envoy has not taken over version {version} after {after:?}")]
    Late {
        /// Version.
        version: String,
        /// How long it had.
        after: Duration,
    },
    /// Another version was published in the meantime.
    #[error("version {version} was replaced before Envoy had it")]
    Superseded {
        /// Version.
        version: String,
    },
}

/// The xDS server.
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
    options: ServerOptions,
}

impl Server {
    /// A server that has nothing to serve yet.
    pub fn new(options: ServerOptions) -> Self {
        Self {
            shared: Arc::new(Shared::new(options.grace)),
            options,
        }
    }

    /// The gRPC service.
    pub fn service(&self) -> AggregatedDiscoveryServiceServer<Service> {
        AggregatedDiscoveryServiceServer::new(Service::new(Arc::clone(&self.shared)))
    }

    /// Serves these resources from now on; completes when every connected Envoy has taken them over and its clusters are warm.
    pub async fn publish(&self, resources: Resources) -> Result<Published, PublishError> {
        let version = resources.version().to_string();
        let limit = Instant::now() + self.options.patience;
        let late = || PublishError::Late {
            version: version.clone(),
            after: self.options.patience,
        };
        let mut news = self.shared.news();
        let sequence = self.shared.offer(resources);
        loop {
            news.borrow_and_update();
            match self.shared.progress(sequence) {
                Progress::Under => {}
                Progress::Alone => return Ok(Published::NoEnvoy),
                Progress::Done => break,
                Progress::Replaced => return Err(PublishError::Superseded { version }),
                Progress::Rejected(kind, detail) => {
                    return Err(PublishError::Rejected {
                        kind,
                        version,
                        detail,
                    });
                }
            }
            // The sender lives as long as we do.
            let _ = tokio::time::timeout_at(limit, news.changed())
                .await
                .map_err(|_| late())?;
        }
        if let Some(admin) = &self.options.admin
            && tokio::time::timeout(WARM, warm::wait(admin)).await.is_err()
        {
            tracing::warn!(%version, "a backend's name is not resolved yet; everything else is in use");
        }
        Ok(Published::Acknowledged)
    }

    /// Whether Envoy can send to the cluster of this name: it has taken over a version with it.
    pub fn has_cluster(&self, name: &str) -> bool {
        self.shared.has_cluster(name)
    }

    /// What is known of Envoy at this moment.
    pub fn state(&self) -> State {
        self.shared.state()
    }
}
