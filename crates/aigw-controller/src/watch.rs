//! One watch that keeps a table up to date, for as long as it takes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use futures_util::StreamExt as _;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::backoff::Backoff;
use crate::table::{Key, Table};

/// A dropped connection that nobody said goodbye on is noticed after so many seconds.
const RENEWED_EVERY: u32 = 60;

/// Told of a difference: where, what was held, and what is.
pub(crate) type Differs<T> = Box<dyn Fn(&Key, Option<&T>, Option<&T>) + Send + Sync>;

/// How one watch's objects are held.
pub(crate) struct Watch<K: Resource, T> {
    /// Kind and place, for messages.
    pub(crate) what: String,
    pub(crate) api: Api<K>,
    pub(crate) fields: Option<String>,
    pub(crate) labels: Option<String>,
    /// What is held of an object.
    pub(crate) read: Box<dyn Fn(K) -> T + Send + Sync>,
    pub(crate) differs: Differs<T>,
    /// Told when all objects have been seen for the first time.
    pub(crate) synced: Box<dyn Fn() + Send + Sync>,
    pub(crate) table: Arc<Table<T>>,
}

impl<K, T> Watch<K, T>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Send + Sync + 'static,
{
    /// Watches; never ends.
    pub(crate) async fn run(self) {
        let mut config = watcher::Config::default().timeout(RENEWED_EVERY);
        config.field_selector.clone_from(&self.fields);
        config.label_selector.clone_from(&self.labels);
        let stream = watcher(self.api.clone(), config);
        let mut stream = std::pin::pin!(stream);
        let mut backoff = Backoff::watch();
        let salt = RandomState::new();
        let mut listed: BTreeMap<Key, Arc<T>> = BTreeMap::new();
        let mut failing = false;
        while let Some(event) = stream.next().await {
            match event {
                Ok(event) => {
                    backoff.reset();
                    failing = false;
                    self.take(event, &mut listed);
                }
                Err(error) => {
                    // An expired watch is begun again without ado.
                    let expired = matches!(&error, watcher::Error::WatchError(status) if status.code == 410);
                    if !failing && !expired {
                        warn!("cannot watch {}: {error}; trying again", self.what);
                        failing = true;
                    }
                    tokio::time::sleep(backoff.pause(salt.hash_one(&self.what))).await;
                }
            }
        }
    }

    fn take(&self, event: Event<K>, listed: &mut BTreeMap<Key, Arc<T>>) {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => {
                let key = key(&object);
                listed.insert(key, Arc::new((self.read)(object)));
            }
            Event::InitDone => {
                let new = std::mem::take(listed);
                let first = !self.table.synced();
                let old = self.table.replace(new.clone());
                for (key, row) in &new {
                    (self.differs)(key, old.get(key).map(Arc::as_ref), Some(row));
                }
                for (key, row) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                    (self.differs)(key, Some(row), None);
                }
                if first {
                    (self.synced)();
                }
            }
            Event::Apply(object) => {
                let key = key(&object);
                let old = self.table.put(key.clone(), (self.read)(object));
                let new = self.table.row(&key);
                (self.differs)(&key, old.as_deref(), new.as_deref());
            }
            Event::Delete(object) => {
                let key = key(&object);
                let old = self.table.remove(&key);
                (self.differs)(&key, old.as_deref(), None);
            }
        }
    }
}

fn key<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}
