//! Tells Envoy of the snapshot, and of certificates that change between snapshots.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use aigw_config::Snapshot;
use aigw_extproc::EnvoyState;
use aigw_extproc::xds::{self, Materials, PublishError, Published, State};
use aigw_proxy::Proxies;
use aigw_runtime::{Gateway, Live, Telemetry};
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use super::options::Options;
use crate::process::Failure;

/// How often certificates are read again.
const REFRESH: Duration = Duration::from_secs(5);
/// How often the metrics are brought up to date.
const LOOK: Duration = Duration::from_secs(1);
/// How long Envoy may take for a version.
const PATIENCE: Duration = Duration::from_secs(15);

/// The publisher.
#[derive(Debug)]
pub(super) struct Publisher {
    server: xds::Server,
    options: xds::Options,
    /// What the last version was made of; one is published at a time.
    last: Mutex<Option<Last>>,
    process: OnceLock<watch::Receiver<EnvoyState>>,
}

/// What a version was made of.
#[derive(Debug)]
struct Last {
    /// The gateway takes it over only after it was published, so its own may be older.
    live: Live,
    materials: Materials,
    /// What is wrong with certificates that stay as they were.
    problems: Vec<String>,
}

/// For the admin port.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// Its process, when it is ours.
    process: Option<EnvoyState>,
    #[serde(flatten)]
    state: State,
}

impl Publisher {
    pub fn new(options: &Options) -> Self {
        let server = xds::Server::new(xds::ServerOptions {
            patience: PATIENCE,
            admin: options.own.as_ref().map(|_| options.places.admin()),
            ..xds::ServerOptions::default()
        });
        Self {
            server,
            options: xds::Options {
                proxies: Arc::new(Proxies::from_env()),
                access_log: options.access_log,
                processor: options.processor.clone(),
                ..xds::Options::new(options.path, options.places.clone())
            },
            last: Mutex::default(),
            process: OnceLock::new(),
        }
    }

    pub fn server(&self) -> &xds::Server {
        &self.server
    }

    pub fn state(&self) -> State {
        self.server.state()
    }

    /// Shows this process too.
    pub fn watch(&self, process: watch::Receiver<EnvoyState>) {
        // There is one only.
        let _ = self.process.set(process);
    }

    pub fn status(&self) -> Status {
        Status {
            process: self.process.get().map(|state| *state.borrow()),
            state: self.server.state(),
        }
    }

    /// Keeps the metrics up to date, as long as there are any.
    pub async fn count(self: Arc<Self>, telemetry: Weak<Telemetry>) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            look.tick().await;
            let Some(telemetry) = telemetry.upgrade() else {
                return;
            };
            let metrics = telemetry.metrics().envoy();
            let state = self.server.state();
            metrics.connected(state.connected);
            for (kind, seen) in &state.kinds {
                metrics.judged(kind, seen.accepted, seen.rejected);
            }
            if let Some(process) = self.process.get() {
                metrics.restarted(process.borrow().restarts);
            }
        }
    }

    /// Offers a snapshot; completes when every Envoy has it, or there is none.
    pub async fn publish(&self, live: &Live) -> Result<(), Failure> {
        let mut last = self.last.lock().await;
        let materials = read(live).await?;
        self.offer(&live.snapshot, &materials).await?;
        *last = Some(Last {
            live: live.clone(),
            materials,
            problems: Vec::new(),
        });
        Ok(())
    }

    /// The same when nothing but credentials is new: without a certificate among them there is nothing to tell.
    pub async fn renew(&self, live: &Live) -> Result<(), Failure> {
        let mut last = self.last.lock().await;
        let materials = read(live).await?;
        if last.as_ref().is_none_or(|last| last.materials != materials) {
            self.offer(&live.snapshot, &materials).await?;
        }
        *last = Some(Last {
            live: live.clone(),
            materials,
            problems: Vec::new(),
        });
        Ok(())
    }

    async fn offer(&self, snapshot: &Snapshot, materials: &Materials) -> Result<(), Failure> {
        let resources = xds::resources(snapshot, materials, &self.options)?;
        for left_out in resources.left_out() {
            info!(
                "{} is reached by this process: {}",
                left_out.cluster, left_out.detail
            );
        }
        match self.server.publish(resources).await {
            Ok(Published::Acknowledged | Published::NoEnvoy) => Ok(()),
            // It stays on offer; what is compiled here serves it as well as what was before.
            Err(late @ PublishError::Late { .. }) => {
                warn!("{late}");
                Ok(())
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// Reads certificates again and again, as long as there is a gateway.
    pub async fn refresh(self: Arc<Self>, gateway: Weak<Gateway>) {
        loop {
            tokio::time::sleep(REFRESH).await;
            if gateway.strong_count() == 0 {
                return;
            }
            let mut last = self.last.lock().await;
            let Some(last) = last.as_mut() else { continue };
            let Ok(mut materials) = read(&last.live).await else {
                continue;
            };
            let problems = materials.keep_certificates(&last.materials);
            if last.problems != problems {
                for problem in &problems {
                    warn!("keeping the last good certificate: {problem}");
                }
                last.problems = problems;
            }
            if last.materials == materials {
                continue;
            }
            match self.offer(&last.live.snapshot, &materials).await {
                Ok(()) => info!("Envoy serves new certificates"),
                Err(problem) => warn!("keeping the last good certificates: {problem}"),
            }
            last.materials = materials;
        }
    }
}

async fn read(live: &Live) -> Result<Materials, Failure> {
    let live = live.clone();
    let read = move || Materials::read(&live.snapshot, &live.credentials);
    Ok(tokio::task::spawn_blocking(read).await?)
}
