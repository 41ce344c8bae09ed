//! What a process says of itself: whether it is ready, what it serves, what it refuses. No secret and no configuration.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use aigw_config::shard::FORMAT;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::live::Gateway;
use crate::telemetry::Telemetry;

/// What takes the clients' connections, as far as it is seen from outside.
pub trait Host: Send + Sync {
    /// What is known of an Envoy before this process; `None` when there is none.
    fn envoy(&self) -> Option<EnvoyReport>;
    /// The same at length, for the admin port.
    fn page(&self) -> Option<Value>;
    /// Has clients go elsewhere with their next request; connections and listeners stay.
    fn send_away(&self) -> BoxFuture<'_, Result<(), String>>;
    /// Requests that are under way; `Err` when that is not known.
    fn active(&self) -> BoxFuture<'_, Result<u64, String>>;
}

/// What `/version` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of the program.
    pub version: String,
    /// The newest format of snapshots that it reads.
    pub format: u32,
    /// Version of the configuration that is served; credentials do not count.
    #[serde(default)]
    pub config: Option<String>,
    /// The gateway that the snapshot was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_uid: Option<String>,
    /// Version of the snapshot that is served, by Envoy too where there is one; credentials count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Hashes of the objects that are in it, under the operator's names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hashes: BTreeMap<String, String>,
    /// What came after it and cannot be served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The Envoy before this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envoy: Option<EnvoyReport>,
}

/// A snapshot that is not served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Its version, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// `format`, `damaged` (what is stored), `unusable` (does not compile) or `host` (Envoy or a listener refuses).
    pub reason: String,
    /// The same for people.
    pub detail: String,
}

/// What is known of Envoy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyReport {
    /// Streams of configuration that are open.
    pub connected: usize,
    /// Version of the configuration that it has acknowledged last.
    pub acknowledged: Option<String>,
}

/// A snapshot that is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// See [`Report::gateway_uid`].
    pub gateway_uid: String,
    /// See [`Report::snapshot`].
    pub snapshot: String,
    /// See [`Report::config`].
    pub config: String,
    /// See [`Report::hashes`].
    pub hashes: BTreeMap<String, String>,
}

/// One process's state, shared by its sources, hosts and ports.
pub struct Status {
    /// Its metrics and logs.
    pub telemetry: Arc<Telemetry>,
    running: OnceLock<(Arc<Gateway>, Arc<dyn Host>)>,
    serves: AtomicBool,
    board: Mutex<Board>,
}

#[derive(Debug, Default)]
struct Board {
    /// What this process serves, and perhaps Envoy not yet.
    offered: Option<Served>,
    /// What both serve.
    served: Option<Served>,
    refused: Option<Refused>,
    drained_by: Option<Instant>,
}

impl Status {
    /// The state of a process that has just begun.
    pub fn new(telemetry: Arc<Telemetry>) -> Arc<Self> {
        Arc::new(Self {
            telemetry,
            running: OnceLock::new(),
            serves: AtomicBool::new(false),
            board: Mutex::default(),
        })
    }

    /// Says what serves: once.
    pub fn runs(&self, gateway: Arc<Gateway>, host: Arc<dyn Host>) {
        // There is one only.
        let _ = self.running.set((gateway, host));
    }

    /// Says that requests are served.
    pub fn begins(&self) {
        self.serves.store(true, Ordering::Release);
    }

    /// Says which snapshot of the operator is served.
    pub fn serves(&self, served: Served) {
        let mut board = self.lock();
        board.offered = Some(served);
        board.refused = None;
    }

    /// Says that the operator's newest snapshot is this one: what came after it is gone.
    pub fn confirms(&self, snapshot: &str) {
        let mut board = self.lock();
        if board
            .offered
            .as_ref()
            .is_some_and(|served| served.snapshot == snapshot)
        {
            board.refused = None;
        }
    }

    /// Says that something is not served; see [`Refused`].
    pub fn refuses(&self, reason: &str, snapshot: Option<&str>, detail: &str) {
        self.telemetry.metrics().reloaded(false);
        self.lock().refused = Some(Refused {
            snapshot: snapshot.map(str::to_owned),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
        });
    }

    /// Counts a failure to read the snapshot.
    pub fn counts(&self, reason: &'static str) {
        self.telemetry.metrics().snapshot_failed(reason);
    }

    /// What serves, once something does.
    pub fn gateway(&self) -> Option<&Arc<Gateway>> {
        self.running.get().map(|(gateway, _)| gateway)
    }

    /// Whether requests are served here; otherwise why not.
    pub fn readiness(&self) -> Result<(), &'static str> {
        let (gateway, host) = self.running.get().ok_or("there is no configuration yet")?;
        if gateway.is_draining() {
            return Err("draining");
        }
        if !self.serves.load(Ordering::Acquire) {
            return Err("starting");
        }
        match host.envoy() {
            Some(envoy) if envoy.connected == 0 => Err("no Envoy is connected"),
            Some(envoy) if envoy.acknowledged.is_none() => Err("Envoy has no configuration yet"),
            _ => Ok(()),
        }
    }

    /// What `/version` says.
    pub fn report(&self) -> Report {
        let envoy = self.running.get().and_then(|(_, host)| host.envoy());
        let mut board = self.lock();
        let has_it = |served: &Served| match &envoy {
            Some(envoy) => envoy.acknowledged.as_ref() == Some(&served.config),
            None => true,
        };
        if board.offered.as_ref().is_some_and(has_it) {
            board.served = board.offered.clone();
        }
        let served = board.served.clone();
        let (gateway_uid, snapshot, hashes) = match served {
            Some(served) => (Some(served.gateway_uid), Some(served.snapshot), served.hashes),
            None => Default::default(),
        };
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            format: FORMAT,
            config: self
                .gateway()
                .map(|gateway| gateway.load().snapshot.version.to_string()),
            gateway_uid,
            snapshot,
            hashes,
            refused: board.refused.clone(),
            envoy,
        }
    }

    /// The page about Envoy.
    pub(crate) fn page(&self) -> Option<Value> {
        self.running.get()?.1.page()
    }

    /// Fails readiness and sends clients elsewhere; says how many requests are under way. What is left after `limit` (that of
    /// the first call counts) is cut when the process is told to end.
    pub async fn drain(&self, limit: Duration) -> Result<u64, String> {
        let (gateway, host) = self.running.get().ok_or("nothing is served yet")?;
        let is_first = {
            let mut board = self.lock();
            let is_first = board.drained_by.is_none();
            board.drained_by.get_or_insert_with(|| Instant::now() + limit);
            is_first
        };
        gateway.drain();
        if is_first {
            tracing::info!("draining; requests that are under way have {limit:?} to end");
            host.send_away().await?;
        }
        host.active().await
    }

    /// How long requests may still go on at the end of the process, `usual` if nobody has said anything.
    pub fn grace(&self, usual: Duration) -> Duration {
        match self.lock().drained_by {
            Some(end) => usual.min(end.saturating_duration_since(Instant::now())),
            None => usual,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
