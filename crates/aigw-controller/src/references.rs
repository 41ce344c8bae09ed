//! Data of the Secrets and ConfigMaps that a plan refers to, fetched one by one: nobody else's are ever read.

use std::collections::BTreeMap;

use aigw_plan::{Object, Wanted};
use futures_util::StreamExt as _;
use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use serde_json::Value;
use tokio::time::{Duration, timeout};
use tracing::warn;

use crate::caches::{Caches, Interest};
use crate::kinds::index_of;
use crate::table::Key;

/// Requests at once.
const AT_ONCE: usize = 16;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so many failures in a row an object counts as missing.
const TRIES: u32 = 3;

/// What was fetched.
#[derive(Default)]
pub(crate) struct References {
    fetched: BTreeMap<(usize, Key), Fetched>,
}

#[derive(Default)]
struct Fetched {
    /// Version of its metadata when it was fetched.
    version: String,
    /// The object; none when it is not there or may not be read.
    object: Option<Object>,
    failures: u32,
}

/// What was not answered.
#[derive(Debug)]
pub(crate) struct Unanswered(pub(crate) String);

impl References {
    /// The objects.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Object> + '_ {
        self.fetched.values().filter_map(|one| one.object.clone())
    }

    /// Fetches what is wanted and is not held as it is now; forgets the rest. True when something came of it, so that a plan
    /// made before is out of date.
    pub(crate) async fn follow(
        &mut self,
        client: &Client,
        caches: &Caches,
        wanted: &Wanted,
    ) -> Result<bool, Unanswered> {
        let mut interest = Interest::new();
        for (kind, keys) in [("Secret", &wanted.secrets), ("ConfigMap", &wanted.config_maps)] {
            if let Some(index) = index_of("", kind) {
                let keys = keys.iter().map(|key| (key.namespace.clone(), key.name.clone()));
                interest.extend(keys.map(|key| (index, key)));
            }
        }
        // First, so that what changes while it is fetched is told.
        caches.set_interest(interest.clone());
        let before = self.fetched.len();
        self.fetched.retain(|place, _| interest.contains(place));
        let mut changed = self.fetched.len() != before;

        let installed = caches.installed();
        let mut due = Vec::new();
        for place in interest {
            let row = caches.row(place.0, &place.1);
            let held = self.fetched.get(&place);
            match (row, held) {
                (None, held) => changed |= held.is_some() && self.fetched.remove(&place).is_some(),
                (Some(row), Some(held)) if held.version == row.version && held.failures == 0 => {}
                (Some(row), _) => {
                    if let Some(resource) = installed.get(&place.0) {
                        due.push((place, row.version.clone(), resource.clone()));
                    }
                }
            }
        }
        let requests = due.into_iter().map(|(place, version, resource)| async move {
            let answer = fetch(client, &resource, &place.1).await;
            (place, version, resource, answer)
        });
        let mut answers = futures_util::stream::iter(requests).buffer_unordered(AT_ONCE);
        let mut unanswered = None;
        while let Some((place, version, resource, answer)) = answers.next().await {
            let entry = self.fetched.entry(place.clone()).or_default();
            match answer {
                Ok(data) => {
                    changed = true;
                    entry.object = data.and_then(|data| aigw_plan::read_as(&resource.kind, &data));
                    entry.version = version;
                    entry.failures = 0;
                }
                Err(problem) => {
                    entry.failures += 1;
                    let what = format!("{} {}/{}: {problem}", resource.kind, place.1.0, place.1.1);
                    if entry.failures < TRIES || entry.object.is_some() {
                        unanswered = Some(what);
                    } else {
                        warn!("{what}; it counts as missing until it can be read");
                    }
                }
            }
        }
        match unanswered {
            Some(what) => Err(Unanswered(what)),
            None => Ok(changed),
        }
    }
}

/// The object; `None` when it is not there or may not be read.
async fn fetch(
    client: &Client,
    resource: &ApiResource,
    (namespace, name): &Key,
) -> Result<Option<Value>, String> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
    match timeout(PATIENCE, api.get_opt(name)).await {
        Ok(Ok(object)) => {
            let value = object.map(serde_json::to_value).transpose();
            value.map_err(|error| error.to_string())
        }
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
            warn!(
                "{} {namespace}/{name} may not be read: {}",
                resource.kind, status.message
            );
            Ok(None)
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}
