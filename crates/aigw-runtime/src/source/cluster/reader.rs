//! Follows one gateway's snapshot.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aigw_config::shard::{
    Contents, Index, Payload, Place, ShardError, ShardRef, assemble, assemble_with, pack,
};
use aigw_config::{Capabilities, Diagnostics, Document, Snapshot, compile};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use kube::Client;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::keep::Keep;
use super::problem::Problem;
use super::store::{Seen, SnapshotName, Store, Stored};
use crate::entropy;
use crate::live::Live;
use crate::status::{Served, Status};

/// The first pause after a failure, and the longest; in between they double. Each is shortened by chance to as little as half.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// Shards that are fetched at one time.
const FETCHES: usize = 4;
/// A watch that ends sooner is a failure.
const SHORT: Duration = Duration::from_secs(1);
/// Silence after which a watch is begun anew: the connection may be dead, and nobody would say so.
const SILENCE: Duration = Duration::from_secs(100);

/// A snapshot that was read and joined.
#[derive(Debug)]
pub struct Arrived {
    index: Index,
    contents: Contents,
    is_kept: bool,
}

/// The source.
pub struct Cluster {
    store: Store,
    keep: Option<Keep>,
    status: Arc<Status>,
    watch: Option<(BoxStream<'static, Result<Seen, Problem>>, Instant)>,
    /// Shards that were fetched and are right, by their hash.
    shards: HashMap<String, Payload>,
    /// Version of what was given last, whether it could be used or not.
    given: Option<String>,
    /// The document that was read last, by the hashes of its shards.
    document: Option<(Vec<String>, Arc<Document>)>,
    /// What is served, likewise.
    good: Option<(Vec<String>, Arc<Snapshot>)>,
    /// The kept copy was asked for.
    is_kept_read: bool,
    failures: u32,
    last: Option<String>,
}

impl Cluster {
    /// Reads the snapshot `name`; the last good one is kept in the directory `state`.
    pub fn new(client: Client, name: SnapshotName, state: Option<&Path>, status: Arc<Status>) -> Self {
        Self {
            keep: state.map(|directory| Keep::new(directory, &name.base)),
            store: Store::new(client, name),
            status,
            watch: None,
            shards: HashMap::new(),
            given: None,
            document: None,
            good: None,
            is_kept_read: false,
            failures: 0,
            last: None,
        }
    }

    /// The next snapshot that was not given before. Failures are reported and tried again, for ever; while nothing is served yet, the first
    /// one brings the kept copy, if there is one.
    pub async fn next(&mut self) -> Arrived {
        loop {
            let problem = match self.step().await {
                Ok(arrived) => {
                    self.failures = 0;
                    if self.last.take().is_some() {
                        info!("the snapshot can be read again");
                    }
                    match arrived {
                        Some(arrived) => return arrived,
                        None => continue,
                    }
                }
                Err(problem) => problem,
            };
            self.watch = None;
            self.failed(&problem);
            if let Some(kept) = self.kept() {
                return kept;
            }
            tokio::time::sleep(pause(self.failures)).await;
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Compiles what has arrived; a document that is served already is not compiled again, so that a new key costs little.
    pub fn compile(
        &self,
        arrived: &Arrived,
        capabilities: &dyn Capabilities,
    ) -> Result<(Live, bool), Diagnostics> {
        let credentials = Arc::new(arrived.contents.credentials.clone());
        if let Some((hashes, snapshot)) = &self.good
            && *hashes == arrived.index.document_hashes()
        {
            let snapshot = Arc::clone(snapshot);
            return Ok((
                Live {
                    snapshot,
                    credentials,
                },
                false,
            ));
        }
        let (snapshot, warnings) = compile(Document::clone(&arrived.contents.document), capabilities)?;
        for one in warnings.iter() {
            debug!("{one}");
        }
        let snapshot = Arc::new(snapshot);
        Ok((
            Live {
                snapshot,
                credentials,
            },
            true,
        ))
    }

    /// Says that `arrived` is served, as `snapshot`. It is kept from now on.
    pub async fn serves(&mut self, arrived: Arrived, snapshot: Arc<Snapshot>) {
        let Arrived {
            index,
            contents,
            is_kept,
        } = arrived;
        self.status.serves(Served {
            gateway_uid: index.gateway_uid.clone(),
            snapshot: index.version.clone(),
            config: snapshot.version.to_string(),
            hashes: contents.hashes,
        });
        self.good = Some((index.document_hashes(), snapshot));
        let Some(keep) = self.keep.clone().filter(|_| !is_kept) else {
            return;
        };
        let packed = pack(&index, &self.slots(&index));
        let written = tokio::task::spawn_blocking(move || {
            let packed = packed.map_err(|error| error.to_string())?;
            keep.write(&packed)
                .map_err(|error| format!("{}: {error}", keep.file().display()))
        });
        if let Err(problem) = written.await.unwrap_or_else(|error| Err(error.to_string())) {
            warn!("the snapshot cannot be kept for a start without the API server: {problem}");
        }
    }

    /// Says that `arrived` cannot be served, and why (see [`crate::Refused`]); what was served before goes on.
    pub fn refuses(&mut self, arrived: &Arrived, reason: &str, detail: &str) {
        self.status.refuses(reason, Some(&arrived.index.version), detail);
        error!(
            "snapshot {} cannot be used; the last good one goes on: {detail}",
            arrived.index.version
        );
    }

    /// Looks once, or waits for the watch to say something.
    async fn step(&mut self) -> Result<Option<Arrived>, Problem> {
        let Some((watch, since)) = &mut self.watch else {
            let stored = self.store.get(Place::Index).await?;
            let watch = self.store.watch().await?;
            self.watch = Some((watch, Instant::now()));
            return self.take(&stored).await;
        };
        let seen = match tokio::time::timeout(SILENCE, watch.next()).await {
            Ok(Some(seen)) => seen?,
            Ok(None) | Err(_) => Seen::Over,
        };
        match seen {
            Seen::Is(stored) => self.take(&stored).await,
            Seen::Nothing => Ok(None),
            // Whatever the reason, asking again at once would go on without end.
            Seen::Over if since.elapsed() < SHORT => {
                Err(Problem::Unreachable("it ends the watch at once".to_owned()))
            }
            Seen::Over => {
                self.watch = None;
                Ok(None)
            }
        }
    }

    /// Reads the snapshot that an index names, unless it was given already.
    async fn take(&mut self, stored: &Stored) -> Result<Option<Arrived>, Problem> {
        let unusable = |store: &Store, place, error| Problem::Unusable {
            name: store.name(place),
            error,
        };
        let bytes = self.store.bytes(Place::Index, stored)?;
        let index = Index::parse(bytes.reveal())
            .and_then(|index| index.check().map(|()| index))
            .map_err(|error| unusable(&self.store, Place::Index, error))?;
        if self.given.as_deref() == Some(&index.version) {
            self.status.confirms(&index.version);
            return Ok(None);
        }
        self.fetch(&index).await?;
        let hashes = index.document_hashes();
        let known = self.document.as_ref().filter(|(known, _)| *known == hashes);
        let known = known.map(|(_, document)| Arc::clone(document));
        let contents = assemble_with(&index, &self.slots(&index), known)
            .map_err(|error| unusable(&self.store, Place::Index, error))?;
        self.document = Some((hashes, Arc::clone(&contents.document)));
        let wanted = |hash: &String| index.known().any(|shard| shard.sha256 == *hash);
        self.shards.retain(|hash, _| wanted(hash));
        self.given = Some(index.version.clone());
        Ok(Some(Arrived {
            index,
            contents,
            is_kept: false,
        }))
    }

    /// Fetches the shards that are not here yet.
    async fn fetch(&mut self, index: &Index) -> Result<(), Problem> {
        let wanted = index
            .known()
            .filter(|shard| !self.shards.contains_key(&shard.sha256));
        let wanted: Vec<ShardRef> = wanted.cloned().collect();
        let store = self.store.clone();
        let fetched: Vec<Result<(String, Payload), Problem>> = stream::iter(wanted)
            .map(move |shard| fetch(store.clone(), shard))
            .buffer_unordered(FETCHES)
            .collect()
            .await;
        // What is right stays, so that the next try fetches less.
        let mut problem = None;
        for one in fetched {
            match one {
                Ok((hash, payload)) => drop(self.shards.insert(hash, payload)),
                Err(error) => problem = Some(error),
            }
        }
        problem.map_or(Ok(()), Err)
    }

    fn slots(&self, index: &Index) -> HashMap<u8, Payload> {
        let here = |hash: &String| self.shards.get(hash).cloned();
        index
            .known()
            .filter_map(|shard| Some((shard.slot, here(&shard.sha256)?)))
            .collect()
    }

    fn failed(&mut self, problem: &Problem) {
        let text = problem.to_string();
        self.status.counts(problem.reason());
        if problem.is_refusal() {
            self.status.refuses(problem.reason(), None, &text);
        }
        if self.last.as_ref() == Some(&text) {
            debug!("{text}");
            return;
        }
        match self.good {
            Some(_) => warn!("{text}; the last good snapshot goes on"),
            None => warn!("{text}; nothing is served yet"),
        }
        self.last = Some(text);
    }

    /// The kept copy, once, while nothing is served.
    fn kept(&mut self) -> Option<Arrived> {
        if self.good.is_some() || std::mem::replace(&mut self.is_kept_read, true) {
            return None;
        }
        let keep = self.keep.as_ref()?;
        let read = keep.read()?.and_then(|(index, shards)| {
            let contents = assemble(&index, &shards).map_err(|error: ShardError| error.to_string())?;
            Ok((index, shards, contents))
        });
        match read {
            Ok((index, mut shards, contents)) => {
                warn!(
                    "the kept snapshot {} is used until the API server answers",
                    index.version
                );
                for shard in index.known() {
                    if let Some(payload) = shards.remove(&shard.slot) {
                        self.shards.insert(shard.sha256.clone(), payload);
                    }
                }
                self.given = Some(index.version.clone());
                Some(Arrived {
                    index,
                    contents,
                    is_kept: true,
                })
            }
            Err(problem) => {
                warn!(
                    "the kept snapshot {} cannot be used: {problem}",
                    keep.file().display()
                );
                None
            }
        }
    }
}

/// One shard, if it is right.
async fn fetch(store: Store, shard: ShardRef) -> Result<(String, Payload), Problem> {
    let place = Place::Slot(shard.slot);
    let stored = store.get(place).await?;
    let payload = store.bytes(place, &stored)?;
    match shard.open(&payload) {
        Ok(_) => Ok((shard.sha256, payload)),
        Err(error) => Err(Problem::Unusable {
            name: store.name(place),
            error,
        }),
    }
}

fn pause(failures: u32) -> Duration {
    let whole = PAUSES.0.saturating_mul(1 << failures.min(10)).min(PAUSES.1);
    let half = whole / 2;
    // 10 bits of chance are enough to keep many readers apart.
    half + half * u32::try_from(entropy::next() % 1024).unwrap_or_default() / 1024
}
