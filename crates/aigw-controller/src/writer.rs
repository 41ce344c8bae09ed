//! Brings the cluster to what the last plan wants: objects, statuses, and what is to go.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};
use tracing::{debug, info, warn};

use crate::apply::{Applier, Put};
use crate::caches::Caches;
use crate::kinds::index_of;
use crate::managed::{self, MADE};
use crate::memory::{About, Due, Memory};
use crate::metrics::Metrics;
use crate::notice::{AT_MOST, Notices, reference, worth_telling};
use crate::read::print_of_value;
use crate::rollout::Rollouts;
use crate::status::{Settled, settle};
use crate::sweep::{is_stale, owner};
use crate::term::Refused;
use crate::wanted::{Place, Wanted};

/// Requests at once.
const AT_ONCE: usize = 16;
/// When there is nothing to wait for, everything is looked at again after this.
const ANYWAY: Duration = Duration::from_secs(300);

/// Writes.
pub(crate) struct Writer {
    pub(crate) applier: Applier,
    pub(crate) caches: Arc<Caches>,
    pub(crate) notices: Notices,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) controller: String,
    pub(crate) wanted: watch::Receiver<Option<Arc<Wanted>>>,
    pub(crate) salt: RandomState,
}

/// What became of one write.
struct Outcome {
    about: About,
    result: Result<Change, Refused>,
}

enum Change {
    /// Written: hash of what was wanted, what was seen before, what the answer showed.
    Wrote(u64, Option<u64>, u64),
    /// The name is somebody else's.
    Foreign,
    /// It is gone.
    Gone,
}

impl Writer {
    /// Writes whenever something is to be written and this process leads; never ends.
    pub(crate) async fn run(mut self) {
        let mut right = self.applier.right.clone();
        loop {
            right.term(self.lead()).await;
            self.metrics.leading(false);
        }
    }

    async fn lead(&mut self) {
        self.metrics.leading(true);
        let mut memory = Memory::default();
        let mut rollouts = Rollouts::default();
        let caches = Arc::clone(&self.caches);
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let mut next = Instant::now() + ANYWAY;
            if let Some(wanted) = wanted {
                self.pass(&wanted, &mut memory, &mut rollouts, &mut next).await;
            }
            tokio::select! {
                changed = self.wanted.changed() => if changed.is_err() { return },
                () = caches.bells.write.changed() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Writes what is due; `next` becomes the time at which something will be.
    async fn pass(&self, wanted: &Wanted, memory: &mut Memory, rollouts: &mut Rollouts, next: &mut Instant) {
        let told = AtomicUsize::new(0);
        let held = rollouts.held(&self.caches, wanted, memory, next);
        let mut writes = self.objects(wanted, memory, &held, next);
        writes.extend(self.statuses(wanted, memory, next, &told));
        writes.extend(self.ends(wanted, memory, next));
        let mut writes = futures_util::stream::iter(writes).buffer_unordered(AT_ONCE);
        while let Some(Outcome { about, result }) = writes.next().await {
            match result {
                Ok(Change::Wrote(print, before, after)) => memory.wrote(about, print, before, after),
                Ok(Change::Gone) => memory.forget(&about),
                Ok(Change::Foreign) => {
                    let pause = memory.failed(about.clone(), self.salt.hash_one(&about));
                    *next = (*next).min(Instant::now() + pause);
                }
                Err(Refused::NotLeading) => return,
                // The object is gone; the next plan does without.
                Err(refused) if refused.code() == Some(404) => memory.forget(&about),
                Err(refused) => {
                    let pause = memory.failed(about.clone(), self.salt.hash_one(&about));
                    *next = (*next).min(Instant::now() + pause);
                    let conflict = refused.code() == Some(409);
                    if conflict {
                        debug!("{}: {refused}; trying again in {pause:?}", shown(&about));
                    } else {
                        warn!("{}: {refused}; trying again in {pause:?}", shown(&about));
                    }
                }
            }
        }
        drop(writes);
        memory.retain(|about| match about {
            About::Object(place) => wanted.objects.contains_key(place),
            About::Status(place) => wanted.statuses.contains_key(place),
            About::End(place) => !wanted.objects.contains_key(place),
        });
    }

    fn objects<'a>(
        &'a self,
        wanted: &'a Wanted,
        memory: &Memory,
        held: &HashSet<&Place>,
        next: &mut Instant,
    ) -> Vec<BoxFuture<'a, Outcome>> {
        let now = Instant::now();
        let mut writes: Vec<BoxFuture<'a, Outcome>> = Vec::new();
        for (place, object) in &wanted.objects {
            if held.contains(place) {
                continue;
            }
            let about = About::Object(place.clone());
            let mark = self.caches.mark(place.0, &place.1);
            match memory.object(&about, object.print, mark.as_deref(), now) {
                Due::No => continue,
                Due::Later(at) => {
                    *next = (*next).min(at);
                    continue;
                }
                Due::Now => {}
            }
            let Some(resource) = MADE.get(place.0).map(managed::resource) else {
                continue;
            };
            writes.push(Box::pin(async move {
                let before = mark.as_ref().map(|mark| mark.print);
                let put = self
                    .applier
                    .put(&resource, &place.1, mark.as_deref(), &object.value);
                let result = put.await;
                self.metrics.wrote("object", result.is_ok());
                let result = match result {
                    Ok(Put::Done(mark)) => Ok(Change::Wrote(object.print, before, mark.print)),
                    Ok(Put::Foreign) => {
                        self.name_is_taken(place, &object.gateway).await;
                        Ok(Change::Foreign)
                    }
                    Err(refused) => Err(refused),
                };
                Outcome { about, result }
            }));
        }
        writes
    }

    /// Somebody else has an object of the name; the Gateway's people are told.
    async fn name_is_taken(&self, place: &Place, gateway: &(String, String)) {
        let note = format!(
            "{} is there and was not made by aigw; it is left alone, so this Gateway is not served: rename or delete it",
            shown(&About::Object(place.clone()))
        );
        warn!("Gateway {}/{}: {note}", gateway.0, gateway.1);
        let row = index_of(aigw_api::GATEWAY_GROUP, "Gateway").and_then(|index| {
            let resource = self.caches.installed().get(&index).cloned()?;
            Some((resource, self.caches.row(index, gateway)?))
        });
        if let Some((resource, row)) = row {
            let object = reference(&resource, gateway, &row.uid);
            let kind = kube::runtime::events::EventType::Warning;
            self.notices.tell(&object, kind, "NameTaken", &note).await;
        }
    }

    fn statuses<'a>(
        &'a self,
        wanted: &'a Wanted,
        memory: &mut Memory,
        next: &mut Instant,
        told: &'a AtomicUsize,
    ) -> Vec<BoxFuture<'a, Outcome>> {
        let now = Instant::now();
        let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let installed = self.caches.installed();
        let mut writes: Vec<BoxFuture<'a, Outcome>> = Vec::new();
        for (place, status) in &wanted.statuses {
            // An object that was deleted or made anew since is planned for anew.
            let row = self
                .caches
                .row(place.0, &place.1)
                .filter(|row| row.uid == status.uid);
            let (Some(row), Some(resource)) = (row, installed.get(&place.0)) else {
                continue;
            };
            let about = About::Status(place.clone());
            match memory.status(&about, status.print, &row, now) {
                Due::No => continue,
                Due::Later(at) => {
                    *next = (*next).min(at);
                    continue;
                }
                Due::Now => {}
            }
            let settled = settle(&status.value, &row.status, &self.controller, &time);
            if settled.value == row.status {
                memory.wrote(about, status.print, None, row.status_print);
                continue;
            }
            let resource = resource.clone();
            writes.push(Box::pin(async move {
                let Settled {
                    value,
                    turned,
                    shared,
                } = settled;
                // Entries of others must not be set back to what they were when we looked.
                let version = shared.then_some(row.version.as_str());
                let put = self
                    .applier
                    .put_status(&resource, &place.1, &status.uid, version, &value);
                let result = put.await;
                self.metrics.wrote("status", result.is_ok());
                if result.is_ok()
                    && let Some((kind, reason, note)) = worth_telling(&turned)
                    && told.fetch_add(1, Ordering::Relaxed) < AT_MOST
                {
                    let object = reference(&resource, &place.1, &status.uid);
                    self.notices.tell(&object, kind, &reason, &note).await;
                    self.metrics.wrote("event", true);
                }
                let wrote = |after: serde_json::Value| {
                    Change::Wrote(status.print, Some(row.status_print), print_of_value(&after))
                };
                let result = result.map(wrote);
                Outcome { about, result }
            }));
        }
        writes
    }

    /// Deletes what the operator made and nothing wants any more.
    fn ends<'a>(
        &'a self,
        wanted: &Wanted,
        memory: &Memory,
        next: &mut Instant,
    ) -> Vec<BoxFuture<'a, Outcome>> {
        let now = Instant::now();
        let mut writes: Vec<BoxFuture<'a, Outcome>> = Vec::new();
        // Without having seen all Gateways nothing is known to be nobody's.
        if !self.caches.missing().is_empty() || !self.caches.knows_gateways() {
            return writes;
        }
        let owned: HashSet<&Place> = wanted.objects.keys().collect();
        for (index, kind) in MADE.iter().enumerate() {
            for (key, mark) in self.caches.made(index) {
                let place = (index, key);
                let owner = owner(&self.caches, wanted, &place.1.0, &mark.gateway, &self.controller);
                if !is_stale(&mark, &owner, owned.contains(&place)) {
                    continue;
                }
                let about = About::End(place.clone());
                if let Due::Later(at) = memory.retry(&about, now) {
                    *next = (*next).min(at);
                    continue;
                }
                let resource = managed::resource(kind);
                writes.push(Box::pin(async move {
                    let deleted = self.applier.delete(&resource, &place.1, &mark.uid).await;
                    self.metrics.wrote("deletion", deleted.is_ok());
                    if deleted.is_ok() {
                        info!("deleted {}: nothing wants it any more", shown(&about));
                    }
                    Outcome {
                        about,
                        result: deleted.map(|()| Change::Gone),
                    }
                }));
            }
        }
        writes
    }
}

/// How an object is named in messages.
fn shown(about: &About) -> String {
    let (kind, (namespace, name)) = match about {
        About::Object((index, key)) | About::End((index, key)) => (MADE.get(*index).map(|one| one.2), key),
        About::Status((index, key)) => (crate::kinds::WATCHED.get(*index).map(|one| one.kind), key),
    };
    let kind = kind.unwrap_or_default();
    if namespace.is_empty() {
        format!("{kind} {name}")
    } else {
        format!("{kind} {namespace}/{name}")
    }
}
