//! One task a Gateway writes its snapshot, so that a slow one holds nobody else up.

use std::collections::BTreeMap;
use std::sync::Arc;

use aigw_config::Credentials;
use aigw_config::shard::{INDEX_KEY, Index, Payload, Place, SHARD_KEY, ShardKind, assemble, base};
use futures_util::StreamExt as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tracing::warn;

use crate::apply::{Applier, is_ours};
use crate::caches::Caches;
use crate::managed::{SNAPSHOT, made_index};
use crate::metrics::Metrics;
use crate::reports::Reports;
use crate::snapshot::Snapshot;
use crate::table::Key;
use crate::wanted::Wanted;

/// Requests at once when all snapshots are read.
const AT_ONCE: usize = 16;

/// Has the snapshots written.
pub(crate) struct Snapshots {
    pub(crate) applier: Applier,
    pub(crate) caches: Arc<Caches>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) wanted: watch::Receiver<Option<Arc<Wanted>>>,
}

struct Task {
    plans: watch::Sender<Arc<aigw_plan::cluster::GatewayPlan>>,
    abort: AbortHandle,
}

impl Snapshots {
    /// Never ends.
    pub(crate) async fn run(mut self) {
        let mut right = self.applier.right.clone();
        loop {
            right.term(self.lead()).await;
        }
    }

    /// Dropping it ends the tasks.
    async fn lead(&mut self) {
        let mut running = JoinSet::new();
        let mut tasks: BTreeMap<Key, Task> = BTreeMap::new();
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            if let Some(wanted) = wanted {
                self.metrics.gateways(wanted.gateways.len());
                tasks.retain(|key, task| {
                    let stays = wanted.gateways.contains_key(key) && !task.abort.is_finished();
                    if !stays {
                        task.abort.abort();
                    }
                    stays
                });
                for (key, plan) in &wanted.gateways {
                    if let Some(task) = tasks.get(key) {
                        task.plans.send_replace(Arc::clone(plan));
                        continue;
                    }
                    let (plans, receiver) = watch::channel(Arc::clone(plan));
                    let snapshot = Snapshot::new(key.clone(), receiver, self);
                    let abort = running.spawn(snapshot.run());
                    tasks.insert(key.clone(), Task { plans, abort });
                }
            }
            // Results of tasks that ended are of no use; they must not pile up.
            while running.try_join_next().is_some() {}
            if self.wanted.changed().await.is_err() {
                return;
            }
        }
    }
}

/// The credentials in all snapshots that are there: what the last plan put in service, whoever made it. A snapshot that cannot
/// be read has none; nobody else can read it either.
pub(crate) async fn last_credentials(client: &Client, caches: &Caches) -> Result<Credentials, String> {
    let secrets = caches.made(made_index("", "Secret"));
    let gateways: std::collections::BTreeSet<Key> = secrets
        .into_iter()
        .filter(|(_, mark)| mark.component == SNAPSHOT && !mark.gateway.is_empty())
        .map(|((namespace, _), mark)| (namespace, mark.gateway.clone()))
        .collect();
    let reads = gateways.into_iter().map(|key| async move {
        let read = credentials(client, &key).await;
        (key, read)
    });
    let mut reads = futures_util::stream::iter(reads).buffer_unordered(AT_ONCE);
    let mut all = Credentials::default();
    while let Some(((namespace, gateway), read)) = reads.next().await {
        match read {
            Ok(Some(credentials)) => all.extend(credentials),
            Ok(None) => {}
            Err(Unread::Damaged(problem)) => {
                warn!(
                    "the snapshot of Gateway {namespace}/{gateway} cannot be read, so it has no last good keys: {problem}"
                );
            }
            Err(Unread::Unanswered(error)) => {
                return Err(format!("the snapshot of Gateway {namespace}/{gateway}: {error}"));
            }
        }
    }
    Ok(all)
}

enum Unread {
    Damaged(String),
    Unanswered(kube::Error),
}

async fn credentials(client: &Client, (namespace, gateway): &Key) -> Result<Option<Credentials>, Unread> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let base = base(gateway);
    let get = async |place: Place, key: &str| {
        let secret = api
            .get_opt(&place.name(&base))
            .await
            .map_err(Unread::Unanswered)?;
        Ok(secret.and_then(|secret| payload(secret, key)))
    };
    let Some(index) = get(Place::Index, INDEX_KEY).await? else {
        return Ok(None);
    };
    let damaged = |error: &dyn std::fmt::Display| Unread::Damaged(error.to_string());
    let index = Index::parse(index.reveal()).map_err(|error| damaged(&error))?;
    if !index.shards.iter().any(|one| one.kind == ShardKind::Credentials) {
        return Ok(None);
    }
    let mut shards = std::collections::HashMap::new();
    for shard in index.known() {
        if let Some(payload) = get(Place::Slot(shard.slot), SHARD_KEY).await? {
            shards.insert(shard.slot, payload);
        }
    }
    let contents = assemble(&index, &shards).map_err(|error| damaged(&error))?;
    Ok(Some(contents.credentials))
}

/// The bytes of a piece of a snapshot; none when somebody else made the Secret.
pub(crate) fn payload(secret: Secret, key: &str) -> Option<Payload> {
    if !is_ours(&secret.metadata) {
        return None;
    }
    let ByteString(bytes) = secret.data?.remove(key)?;
    Some(Payload::new(bytes))
}
