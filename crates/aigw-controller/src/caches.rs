//! Everything that is watched, and which of its changes concern whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aigw_api::GATEWAY_GROUP;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject};
use kube::core::metadata::PartialObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use kube::{Client, Resource};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::bell::Bell;
use crate::discovery::Installed;
use crate::kinds::{Content, WATCHED, Watched, index_of};
use crate::managed::{self, MADE, MANAGED_BY, MANAGER, Mark};
use crate::pod::SeenPod;
use crate::read::{Held, read, read_metadata};
use crate::table::{Key, Table};
use crate::watch::{Differs, Watch};

/// Releases of Helm are Secrets of a megabyte each, and none of them is ever referred to.
const SECRETS: &str = "type!=helm.sh/release.v1";

/// Whom changes concern.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    /// The planner: something that a plan reads.
    pub(crate) plan: Bell,
    /// The writer: something that a write made, or that somebody else changed in it.
    pub(crate) write: Bell,
    /// The reader of reports: pods.
    pub(crate) pods: Bell,
}

/// The tables, and the tasks that keep them up to date.
pub(crate) struct Caches {
    client: Client,
    namespaces: Vec<Option<String>>,
    pub(crate) bells: Arc<Bells>,
    /// What the cluster has, by index into [`WATCHED`].
    sources: RwLock<BTreeMap<usize, Source>>,
    /// Whether it is known what the cluster has.
    pub(crate) discovered: std::sync::atomic::AtomicBool,
    /// What the operator made, by index into [`MADE`].
    made: Vec<Vec<Arc<Table<Mark>>>>,
    pods: Vec<Arc<Table<SeenPod>>>,
    interest: Arc<RwLock<Interest>>,
    /// Counts changes of Secrets that the operator made.
    pub(crate) secrets_changed: watch::Sender<u64>,
    always: Mutex<JoinSet<()>>,
}

/// Objects that the last plan referred to by name: index into [`WATCHED`] and key.
pub(crate) type Interest = BTreeSet<(usize, Key)>;

struct Source {
    resource: ApiResource,
    tables: Vec<Arc<Table<Held>>>,
    /// Ends the watches when it is dropped.
    _tasks: JoinSet<()>,
}

impl Caches {
    /// Begins to watch what needs no discovery.
    pub(crate) fn new(client: Client, namespaces: &[String]) -> Arc<Self> {
        let namespaces: Vec<Option<String>> = if namespaces.is_empty() {
            vec![None]
        } else {
            namespaces.iter().cloned().map(Some).collect()
        };
        let tables = |_| namespaces.iter().map(|_| Arc::default()).collect();
        let caches = Self {
            bells: Arc::default(),
            sources: RwLock::default(),
            discovered: false.into(),
            made: (0..MADE.len()).map(tables).collect(),
            pods: namespaces.iter().map(|_| Arc::default()).collect(),
            interest: Arc::default(),
            secrets_changed: watch::Sender::new(0),
            always: Mutex::default(),
            client,
            namespaces,
        };
        caches.watch_made();
        caches.watch_pods();
        Arc::new(caches)
    }

    fn api<K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>>(
        &self,
        resource: &ApiResource,
        namespace: Option<&String>,
    ) -> Api<K> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }

    fn spawn_always(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut always = self.always.lock().unwrap_or_else(PoisonError::into_inner);
        always.spawn(task);
    }

    fn watch_made(&self) {
        for (kind, tables) in MADE.iter().zip(&self.made) {
            let resource = managed::resource(kind);
            for (namespace, table) in self.namespaces.iter().zip(tables) {
                let bells = Arc::clone(&self.bells);
                let settled = Arc::clone(&self.bells);
                let secrets = (kind.2 == "Secret").then(|| self.secrets_changed.clone());
                let watch = Watch {
                    what: format!("its own {}", kind.3),
                    api: self.api::<PartialObjectMeta<DynamicObject>>(&resource, namespace.as_ref()),
                    fields: None,
                    labels: Some(format!("{MANAGED_BY}={MANAGER}")),
                    read: Box::new(|object: PartialObjectMeta<DynamicObject>| {
                        Mark::of_meta(&object.metadata)
                    }),
                    differs: Box::new(move |_, old, new| {
                        let shown = |mark: &Mark| (mark.uid.clone(), mark.print, mark.going);
                        if old.map(shown) != new.map(shown) {
                            bells.write.ring();
                            if let Some(secrets) = &secrets {
                                secrets.send_modify(|count| *count += 1);
                            }
                        }
                    }),
                    synced: Box::new(move || settled.plan.ring()),
                    table: Arc::clone(table),
                };
                self.spawn_always(watch.run());
            }
        }
    }

    fn watch_pods(&self) {
        for (namespace, table) in self.namespaces.iter().zip(&self.pods) {
            let api: Api<Pod> = match namespace {
                Some(namespace) => Api::namespaced(self.client.clone(), namespace),
                None => Api::all(self.client.clone()),
            };
            let bells = Arc::clone(&self.bells);
            let settled = Arc::clone(&self.bells);
            let watch = Watch {
                what: "its own pods".to_owned(),
                api,
                fields: None,
                labels: Some(format!("{MANAGED_BY}={MANAGER}")),
                read: Box::new(|pod: Pod| SeenPod::of(&pod)),
                differs: Box::new(move |_, old, new| {
                    if old != new {
                        bells.pods.ring();
                    }
                    // The pods of the next Gateway may be replaced when those of one have been.
                    let counts = |pod: &SeenPod| (!pod.going, pod.template.clone());
                    if old.map(counts) != new.map(counts) {
                        bells.write.ring();
                    }
                }),
                synced: Box::new(move || settled.plan.ring()),
                table: Arc::clone(table),
            };
            self.spawn_always(watch.run());
        }
    }

    /// Watches what the cluster has from now on, and forgets what it has not any more.
    pub(crate) fn follow(&self, installed: &Installed) {
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        let before = sources.len();
        sources.retain(|index, source| installed.get(index) == Some(&source.resource));
        let mut changed = sources.len() != before;
        for (index, resource) in installed {
            if sources.contains_key(index) {
                continue;
            }
            let Some(watched) = WATCHED.get(*index) else {
                continue;
            };
            changed = true;
            info!("watching {} of {}", resource.plural, resource.api_version);
            sources.insert(*index, self.source(*index, watched, resource));
        }
        drop(sources);
        let first = !self.discovered.swap(true, std::sync::atomic::Ordering::AcqRel);
        if changed || first {
            self.bells.plan.ring();
        }
    }

    fn source(&self, index: usize, watched: &'static Watched, resource: &ApiResource) -> Source {
        let mut tasks = JoinSet::new();
        let mut tables = Vec::new();
        let everywhere = [None];
        let namespaces: &[Option<String>] = if watched.namespaced {
            &self.namespaces
        } else {
            &everywhere
        };
        for namespace in namespaces {
            let table: Arc<Table<Held>> = Arc::default();
            let what = match namespace {
                Some(namespace) => format!("{} in {namespace}", resource.plural),
                None => resource.plural.clone(),
            };
            let differs = self.listener(index, watched);
            let settled = Arc::clone(&self.bells);
            let synced = Box::new(move || settled.plan.ring());
            if watched.content == Content::Named {
                let watch = Watch {
                    what,
                    api: self.api::<PartialObjectMeta<DynamicObject>>(resource, namespace.as_ref()),
                    fields: (watched.kind == "Secret").then(|| SECRETS.to_owned()),
                    labels: None,
                    read: Box::new(|object: PartialObjectMeta<DynamicObject>| read_metadata(object.metadata)),
                    differs,
                    synced,
                    table: Arc::clone(&table),
                };
                tasks.spawn(watch.run());
            } else {
                let watch = Watch {
                    what,
                    api: self.api::<DynamicObject>(resource, namespace.as_ref()),
                    fields: None,
                    labels: None,
                    read: Box::new(move |object| read(watched, object)),
                    differs,
                    synced,
                    table: Arc::clone(&table),
                };
                tasks.spawn(watch.run());
            }
            tables.push(table);
        }
        Source {
            resource: resource.clone(),
            tables,
            _tasks: tasks,
        }
    }

    /// Tells those whom a difference concerns.
    fn listener(&self, index: usize, watched: &'static Watched) -> Differs<Held> {
        let bells = Arc::clone(&self.bells);
        let interest = Arc::clone(&self.interest);
        let named = watched.content == Content::Named;
        Box::new(move |key, old, new| {
            let of_interest = || {
                let interest = interest.read().unwrap_or_else(PoisonError::into_inner);
                interest.contains(&(index, key.clone()))
            };
            if old.map(|one| one.print) != new.map(|one| one.print) {
                if !named || of_interest() {
                    bells.plan.ring();
                }
            } else if old.map(|one| one.status_print) != new.map(|one| one.status_print) {
                bells.write.ring();
            }
        })
    }

    /// Changes of these objects are told to the planner from now on.
    pub(crate) fn set_interest(&self, new: Interest) {
        *self.interest.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// What has not been seen as a whole yet; empty when a plan can be made.
    pub(crate) fn missing(&self) -> Vec<String> {
        if !self.discovered.load(std::sync::atomic::Ordering::Acquire) {
            return vec!["what kinds the cluster has".to_owned()];
        }
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        let mut missing: Vec<String> = sources
            .values()
            .filter(|source| !source.tables.iter().all(|table| table.synced()))
            .map(|source| source.resource.plural.clone())
            .collect();
        for (kind, tables) in MADE.iter().zip(&self.made) {
            if !tables.iter().all(|table| table.synced()) {
                missing.push(format!("its own {}", kind.3));
            }
        }
        if !self.pods.iter().all(|table| table.synced()) {
            missing.push("its own pods".to_owned());
        }
        missing
    }

    /// Whether the cluster has Gateways, so that one that is not seen is not there.
    pub(crate) fn knows_gateways(&self) -> bool {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        index_of(GATEWAY_GROUP, "Gateway").is_some_and(|index| sources.contains_key(&index))
    }

    /// The kinds that the cluster has.
    pub(crate) fn installed(&self) -> Installed {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources
            .iter()
            .map(|(index, source)| (*index, source.resource.clone()))
            .collect()
    }

    /// The same as `Kind.group`.
    pub(crate) fn kinds(&self) -> BTreeSet<String> {
        let installed = self.installed();
        let names = installed
            .values()
            .map(|one| format!("{}.{}", one.kind, one.group));
        names.collect()
    }

    /// All objects of a kind.
    pub(crate) fn held(&self, index: usize) -> Vec<(Key, Arc<Held>)> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        let tables = sources.get(&index).map(|source| source.tables.as_slice());
        tables
            .unwrap_or_default()
            .iter()
            .flat_map(|table| table.rows())
            .collect()
    }

    /// One object.
    pub(crate) fn row(&self, index: usize, key: &Key) -> Option<Arc<Held>> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources
            .get(&index)?
            .tables
            .iter()
            .find_map(|table| table.row(key))
    }

    /// What the operator made of a kind.
    pub(crate) fn made(&self, index: usize) -> Vec<(Key, Arc<Mark>)> {
        let tables = self.made.get(index).map(Vec::as_slice).unwrap_or_default();
        tables.iter().flat_map(|table| table.rows()).collect()
    }

    /// One object that the operator made.
    pub(crate) fn mark(&self, index: usize, key: &Key) -> Option<Arc<Mark>> {
        self.made.get(index)?.iter().find_map(|table| table.row(key))
    }

    /// The pods of the operator's data planes.
    pub(crate) fn pods(&self) -> Vec<(Key, Arc<SeenPod>)> {
        self.pods.iter().flat_map(|table| table.rows()).collect()
    }
}
