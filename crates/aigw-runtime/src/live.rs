//! What the process serves now: the snapshot and the credentials beside it, swapped in one step, and where records go.

use std::fmt;
use std::sync::Arc;

use aigw_config::{Credentials, Snapshot};
use aigw_engine::{Shared, UsageRecord};
use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use crate::alarm::Alarms;

/// A snapshot and the credentials it names.
#[derive(Clone, Debug)]
pub struct Live {
    /// What is served.
    pub snapshot: Arc<Snapshot>,
    /// The bytes of the credentials.
    pub credentials: Arc<Credentials>,
}

/// Takes each usage record, once. Called on the request's own task: it must not block.
pub type Sink = Box<dyn Fn(Box<UsageRecord>) + Send + Sync>;

/// One gateway: every host, source and listener of the process shares it.
pub struct Gateway {
    live: ArcSwap<Live>,
    changes: watch::Sender<()>,
    /// Permits that outlive snapshots.
    pub shared: Arc<Shared>,
    /// What exchanges wait with.
    pub(crate) alarms: Alarms,
    sink: Sink,
    draining: watch::Sender<bool>,
}

impl Gateway {
    /// A gateway that serves `live` until it is swapped.
    pub fn new(live: Live, sink: Sink) -> Self {
        Self {
            live: ArcSwap::from_pointee(live),
            changes: watch::Sender::new(()),
            shared: Arc::default(),
            alarms: Alarms::default(),
            sink,
            draining: watch::Sender::new(false),
        }
    }

    /// What is served at this moment, for a short look: do not hold it across a wait.
    pub fn load(&self) -> Guard<Arc<Live>> {
        self.live.load()
    }

    /// Serves `live` from now on. Exchanges that have begun keep the snapshot they began with.
    pub fn swap(&self, live: Live) {
        self.live.store(Arc::new(live));
        self.changes.send_replace(());
    }

    /// Changes with every [`Gateway::swap`] from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Hands a finished exchange's record on.
    pub fn record(&self, record: Box<UsageRecord>) {
        (self.sink)(record);
    }

    /// Says that the process is about to end: readiness fails from now on, and clients are sent elsewhere.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Completes once [`Gateway::drain`] was called.
    pub async fn drained(&self) {
        // The sender is ours.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// Whether [`Gateway::drain`] was called.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("snapshot", &self.live.load().snapshot.version)
            .field("draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}
