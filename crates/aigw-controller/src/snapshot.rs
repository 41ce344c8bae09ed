//! Writes one Gateway's snapshot: shards that changed into slots that are free, then the index.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use aigw_config::shard::{INDEX_KEY, Index, Place, SHARD_KEY, Write, base, cut};
use aigw_plan::cluster::GatewayPlan;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use kube::core::ApiResource;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::apply::{Applier, Put, is_ours};
use crate::backoff::Backoff;
use crate::caches::Caches;
use crate::managed::{COMPONENT, GATEWAY_NAME, GATEWAY_NAMESPACE, MANAGED_BY, MANAGER, SNAPSHOT, made_index};
use crate::metrics::Metrics;
use crate::reports::Reports;
use crate::snapshots::{Snapshots, payload};
use crate::table::Key;
use crate::term::Refused;

/// Shards written at once.
const AT_ONCE: usize = 8;
/// A watch is told of a write within this time.
const LAG: Duration = Duration::from_secs(5);
/// When nothing is told, everything is looked at again after this.
const ANYWAY: Duration = Duration::from_secs(300);

/// The task of one Gateway.
pub(crate) struct Snapshot {
    gateway: Key,
    base: String,
    plans: watch::Receiver<Arc<GatewayPlan>>,
    secrets_changed: watch::Receiver<u64>,
    applier: Applier,
    caches: Arc<Caches>,
    reports: Arc<Reports>,
    metrics: Arc<Metrics>,
    /// What is in the store, when that is known.
    store: Option<Store>,
}

/// What is in the store.
#[derive(Default)]
struct Store {
    index: Option<Index>,
    /// Resource version of the index's Secret.
    version: Option<String>,
    /// Slots that the index names and that are not as they were written.
    lost: BTreeSet<u8>,
    /// Secrets as they were written, and when: hash of their metadata.
    pieces: BTreeMap<Place, (u64, Instant)>,
}

/// A piece that was written: its place, the hash of its metadata, its resource version.
type Piece = (Place, u64, Option<String>);

/// Why a snapshot is not written.
#[derive(Debug, Error)]
enum Unwritten {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Shard(#[from] aigw_config::shard::ShardError),
    #[error("Secret {0} is there and was not made by aigw; it is left alone: rename or delete it")]
    Foreign(String),
    #[error("it could not be cut: {0}")]
    Cut(#[from] tokio::task::JoinError),
}

impl Snapshot {
    pub(crate) fn new(gateway: Key, plans: watch::Receiver<Arc<GatewayPlan>>, all: &Snapshots) -> Self {
        Self {
            base: base(&gateway.1),
            gateway,
            plans,
            secrets_changed: all.caches.secrets_changed.subscribe(),
            applier: all.applier.clone(),
            caches: Arc::clone(&all.caches),
            reports: Arc::clone(&all.reports),
            metrics: Arc::clone(&all.metrics),
            store: None,
        }
    }

    /// Writes whatever is planned last; ends when there is no plan any more.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::write();
        let salt = RandomState::new();
        loop {
            let plan = Arc::clone(&self.plans.borrow_and_update());
            self.secrets_changed.mark_unchanged();
            match self.write(&plan).await {
                Ok(()) => backoff.reset(),
                Err(Unwritten::Refused(Refused::NotLeading)) => return,
                Err(error) => {
                    self.metrics.wrote("snapshot", false);
                    self.store = None;
                    let pause = backoff.pause(salt.hash_one(&self.gateway));
                    let (namespace, name) = &self.gateway;
                    warn!(
                        "the snapshot of Gateway {namespace}/{name} is not written: {error}; trying again in {pause:?}"
                    );
                    sleep(pause).await;
                    continue;
                }
            }
            tokio::select! {
                changed = self.plans.changed() => if changed.is_err() { return },
                places = disturbed(
                    self.store.as_ref(), &self.caches, &self.gateway.0, &self.base, &mut self.secrets_changed,
                ) => self.lose(&places),
            }
        }
    }

    /// Has pieces written again that somebody else changed.
    fn lose(&mut self, places: &[Place]) {
        let (namespace, name) = &self.gateway;
        warn!("the snapshot of Gateway {namespace}/{name} was changed by somebody else; it is written again");
        if places.contains(&Place::Index) {
            self.store = None;
        }
        for place in places {
            if let (Place::Slot(slot), Some(store)) = (place, self.store.as_mut()) {
                store.pieces.remove(place);
                store.lost.insert(*slot);
            }
        }
    }

    async fn write(&mut self, plan: &Arc<GatewayPlan>) -> Result<(), Unwritten> {
        if self.store.is_none() {
            self.store = Some(self.load().await?);
        }
        let current = self.store.as_ref().and_then(|store| store.index.as_ref());
        let format = self.reports.format(&plan.uid, current.map(|index| index.format));
        let content = Arc::clone(plan);
        let cut = tokio::task::spawn_blocking(move || {
            cut(
                &content.uid,
                &content.document,
                &content.credentials,
                &content.hashes,
                format,
            )
        });
        let cut = cut.await??;
        let nothing = BTreeSet::new();
        let store = self.store.as_ref();
        let previous = store.and_then(|store| store.index.as_ref());
        let writes = cut.writes(previous, store.map_or(&nothing, |store| &store.lost))?;
        let (index, shards): (Vec<Write>, Vec<Write>) =
            writes.into_iter().partition(|write| write.place == Place::Index);
        let this = &*self;
        let mut puts: Vec<BoxFuture<'_, Result<Piece, Unwritten>>> = Vec::new();
        for write in &shards {
            puts.push(Box::pin(this.put(write, plan, None)));
        }
        let mut shards = futures_util::stream::iter(puts).buffer_unordered(AT_ONCE);
        let mut written = Vec::new();
        while let Some(piece) = shards.next().await {
            written.push(piece?);
        }
        drop(shards);
        let store = self.store.get_or_insert_default();
        store.pieces.extend(
            written
                .into_iter()
                .map(|(place, print, _)| (place, (print, Instant::now()))),
        );
        for write in &index {
            let version = self.store.as_ref().and_then(|store| store.version.clone());
            let (place, print, version) = self.put(write, plan, version).await?;
            let new = Index::parse(write.bytes.reveal())?;
            let (namespace, name) = &self.gateway;
            info!(
                "snapshot {} of Gateway {namespace}/{name} is written",
                new.version
            );
            self.reports.expect(&plan.uid, &new.version);
            let store = self.store.get_or_insert_default();
            store.pieces.insert(place, (print, Instant::now()));
            let used = |place: &Place| match place {
                Place::Index => true,
                Place::Slot(slot) => new.shards.iter().any(|shard| shard.slot == *slot),
            };
            store.pieces.retain(|place, _| used(place));
            store.index = Some(new);
            store.version = version;
            store.lost.clear();
        }
        Ok(())
    }

    /// Writes one piece.
    async fn put(
        &self,
        write: &Write,
        plan: &GatewayPlan,
        version: Option<String>,
    ) -> Result<Piece, Unwritten> {
        let index = made_index("", "Secret");
        let name = write.place.name(&self.base);
        let key = (self.gateway.0.clone(), name.clone());
        let mark = self.caches.mark(index, &key);
        let object = self.object(write, plan, version);
        let resource = ApiResource::erase::<Secret>(&());
        let put = self.applier.put(&resource, &key, mark.as_deref(), &object).await;
        self.metrics.wrote("snapshot", put.is_ok());
        match put? {
            Put::Done(mark) => Ok((write.place, mark.print, Some(mark.version))),
            Put::Foreign => Err(Unwritten::Foreign(name)),
        }
    }

    fn object(&self, write: &Write, plan: &GatewayPlan, version: Option<String>) -> Value {
        let (namespace, gateway) = &self.gateway;
        let key = match write.place {
            Place::Index => INDEX_KEY,
            Place::Slot(_) => SHARD_KEY,
        };
        let mut labels = json!({MANAGED_BY: MANAGER, COMPONENT: SNAPSHOT, GATEWAY_NAMESPACE: namespace});
        // A label takes 63 characters; the owner's name says it in any case.
        if gateway.len() <= 63 {
            labels[GATEWAY_NAME] = Value::from(gateway.as_str());
        }
        let mut metadata = json!({
            "name": write.place.name(&self.base),
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "name": gateway, "uid": plan.uid,
                "controller": true,
            }],
        });
        if let Some(version) = version {
            metadata["resourceVersion"] = Value::from(version);
        }
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "aigateway.envoyproxy.io/snapshot",
            "metadata": metadata,
            "data": {key: STANDARD.encode(write.bytes.reveal())},
        })
    }

    /// Reads what is in the store.
    async fn load(&self) -> Result<Store, Unwritten> {
        let api: Api<Secret> = Api::namespaced(self.applier.client.clone(), &self.gateway.0);
        let name = Place::Index.name(&self.base);
        let Some(secret) = self.applier.right.write(api.get_opt(&name)).await? else {
            return Ok(Store::default());
        };
        if !is_ours(&secret.metadata) {
            return Err(Unwritten::Foreign(name));
        }
        let mut store = Store {
            version: secret.metadata.resource_version.clone(),
            ..Store::default()
        };
        let bytes = payload(secret, INDEX_KEY);
        let index = match bytes.map(|bytes| Index::parse(bytes.reveal())) {
            Some(Ok(index)) => index,
            // No reader can read it either.
            Some(Err(_)) | None => return Ok(store),
        };
        let secrets = made_index("", "Secret");
        for shard in &index.shards {
            let key = (self.gateway.0.clone(), Place::Slot(shard.slot).name(&self.base));
            match self.caches.mark(secrets, &key) {
                Some(mark) => {
                    let piece = (mark.print, Instant::now());
                    store.pieces.insert(Place::Slot(shard.slot), piece);
                }
                None => {
                    store.lost.insert(shard.slot);
                }
            }
        }
        store.index = Some(index);
        Ok(store)
    }
}

/// Waits until pieces are not as they were written, and says which.
async fn disturbed(
    store: Option<&Store>,
    caches: &Caches,
    namespace: &str,
    base: &str,
    changed: &mut watch::Receiver<u64>,
) -> Vec<Place> {
    let Some(store) = store else {
        return std::future::pending().await;
    };
    let secrets = made_index("", "Secret");
    loop {
        let now = Instant::now();
        let mut later = now + ANYWAY;
        let mut places = Vec::new();
        for (place, (print, at)) in &store.pieces {
            let mark = caches.mark(secrets, &(namespace.to_owned(), place.name(base)));
            if mark.is_some_and(|mark| mark.print == *print) {
                continue;
            }
            let known_from = *at + LAG;
            if now >= known_from {
                places.push(*place);
            } else {
                later = later.min(known_from);
            }
        }
        if !places.is_empty() {
            return places;
        }
        tokio::select! {
            told = changed.changed() => if told.is_err() { return std::future::pending().await },
            () = sleep_until(later) => {}
        }
    }
}
