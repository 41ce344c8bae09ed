//! What the pods of data planes say that they serve.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aigw_api::GATEWAY_GROUP;
use aigw_config::shard::FORMATS;
use aigw_plan::cluster::Report;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::bell::Bell;
use crate::caches::Caches;
use crate::kinds::index_of;
use crate::metrics::Metrics;
use crate::pod::SeenPod;
use crate::said::{Said, ask};
use crate::table::Key;
use crate::term::Right;

/// Pods asked at once.
const AT_ONCE: usize = 32;
/// How often pods are asked that serve what was written last.
const STEADY: Duration = Duration::from_secs(2);
/// How often the others are asked, for as long after a write.
const EAGER: Duration = Duration::from_millis(100);
const EAGER_FOR: Duration = Duration::from_secs(10);

/// The reports, and what is expected of them.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    by_pod: Mutex<BTreeMap<Key, Report>>,
    /// Version of the last snapshot by uid of the Gateway, and when it was written.
    expected: Mutex<BTreeMap<String, (String, Instant)>>,
    /// Whether every pod has been asked in this term.
    heard: AtomicBool,
    wrote: Bell,
}

impl Reports {
    /// All reports, in the order of pods.
    pub(crate) fn all(&self) -> Vec<Report> {
        let reports = self.by_pod.lock().unwrap_or_else(PoisonError::into_inner);
        reports.values().cloned().collect()
    }

    /// Whether every pod has been asked in this term of leadership. A plan made before would say that nothing serves.
    pub(crate) fn heard(&self) -> bool {
        self.heard.load(Ordering::Acquire)
    }

    /// The format to write for a Gateway whose index has `current`: see [`common_format`].
    pub(crate) fn format(&self, uid: &str, current: Option<u32>) -> u32 {
        let reports = self.by_pod.lock().unwrap_or_else(PoisonError::into_inner);
        let of_gateway = reports.values().filter(|one| one.gateway_uid == uid);
        common_format(of_gateway.map(|one| one.format), current, &FORMATS)
    }

    /// A snapshot was written: pods will serve it soon.
    pub(crate) fn expect(&self, uid: &str, version: &str) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.insert(uid.to_owned(), (version.to_owned(), Instant::now()));
        drop(expected);
        self.wrote.ring();
    }

    fn expected(&self) -> BTreeMap<String, (String, Instant)> {
        self.expected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts new reports in place of the old ones; whether they differ.
    fn replace(&self, new: BTreeMap<Key, Report>) -> bool {
        let mut reports = self.by_pod.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = *reports != new;
        *reports = new;
        differs
    }
}

/// Asks the pods.
pub(crate) struct Reader {
    pub(crate) caches: Arc<Caches>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) right: Right,
}

impl Reader {
    /// Asks while this process leads; never ends.
    pub(crate) async fn run(self) {
        let mut right = self.right.clone();
        loop {
            right.term(self.lead()).await;
            self.reports.heard.store(false, Ordering::Release);
        }
    }

    async fn lead(&self) {
        while !self.caches.missing().is_empty() {
            tokio::time::sleep(EAGER).await;
        }
        let mut said: BTreeMap<Key, (String, Said)> = BTreeMap::new();
        let mut steady = Instant::now();
        loop {
            let pods = self.caches.pods();
            let expected = self.reports.expected();
            let all = Instant::now() >= steady;
            if all {
                steady = Instant::now() + STEADY;
            }
            let mut asked: Vec<BoxFuture<'static, (Key, String, Option<Said>)>> = Vec::new();
            for (key, pod) in &pods {
                let heard = said.get(key).filter(|(uid, _)| *uid == pod.uid);
                let due = all || heard.is_none_or(|(_, said)| is_behind(said, &expected));
                // One that is not ready is asked once: an older one may never be, before its format is written.
                let due = due && (pod.ready || (all && heard.is_none()));
                if let (true, Some(address)) = (due, pod.address.clone()) {
                    let (key, uid) = (key.clone(), pod.uid.clone());
                    asked.push(Box::pin(async move { (key, uid, ask(&address).await) }));
                }
            }
            let answers = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
            let answers: Vec<_> = answers.collect().await;
            for (key, uid, answer) in answers {
                match answer {
                    Some(answer) => said.insert(key, (uid, answer)),
                    // Whether it still serves is not known.
                    None => said.remove(&key),
                };
            }
            said.retain(|key, (uid, _)| pods.iter().any(|(pod, seen)| pod == key && seen.uid == *uid));
            self.tell(&pods, &said);
            if !self.reports.heard.swap(true, Ordering::AcqRel) {
                self.caches.bells.plan.ring();
            }
            let eager = expected.values().any(|(_, at)| at.elapsed() < EAGER_FOR)
                && said.values().any(|(_, said)| is_behind(said, &expected));
            let pause = if eager {
                EAGER
            } else {
                steady.saturating_duration_since(Instant::now())
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.caches.bells.pods.changed() => {}
                () = self.reports.wrote.changed() => {}
            }
        }
    }

    fn tell(&self, pods: &[(Key, Arc<SeenPod>)], said: &BTreeMap<Key, (String, Said)>) {
        let expected = self.reports.expected();
        let gateways = index_of(GATEWAY_GROUP, "Gateway");
        let mut reports = BTreeMap::new();
        let mut counts = BTreeMap::from([("current", 0), ("behind", 0), ("silent", 0), ("not_ready", 0)]);
        for (key, pod) in pods {
            let gateway = (key.0.clone(), pod.gateway.clone());
            let row = gateways.and_then(|index| self.caches.row(index, &gateway));
            let Some(row) = row else { continue };
            let heard = said.get(key).map(|(_, said)| said);
            let state = match heard {
                _ if !pod.ready => "not_ready",
                None => "silent",
                Some(said) if is_behind(said, &expected) => "behind",
                Some(_) => "current",
            };
            *counts.entry(state).or_insert(0) += 1;
            let format = heard.map_or(0, |said| said.format);
            let heard = heard
                .filter(|said| said.gateway_uid == row.uid)
                .cloned()
                .unwrap_or_default();
            let report = Report {
                gateway_uid: row.uid.clone(),
                pod: key.1.clone(),
                ready: pod.ready,
                version: heard.snapshot,
                format,
                hashes: heard.hashes,
                rejected: heard.refused.map(|one| one.detail),
            };
            reports.insert(key.clone(), report);
        }
        for (state, count) in counts {
            self.metrics.pods(state, count);
        }
        if self.reports.replace(reports) {
            self.caches.bells.plan.ring();
        }
    }
}

/// The newest of `ours` that every pod reads. `reported` has the newest format of each pod, 0 for one that has not said it: it
/// may be an older one, so that nothing above `current` is written while there is such a pod.
fn common_format(
    reported: impl Iterator<Item = u32>,
    current: Option<u32>,
    ours: &RangeInclusive<u32>,
) -> u32 {
    let newest = reported.fold(*ours.end(), |least, format| match (format, current) {
        (0, Some(current)) => least.min(current),
        (0, None) => least,
        (format, _) => least.min(format),
    });
    newest.max(*ours.start())
}

/// Whether it serves something else than what was written last.
fn is_behind(said: &Said, expected: &BTreeMap<String, (String, Instant)>) -> bool {
    expected
        .get(&said.gateway_uid)
        .is_some_and(|(version, _)| said.snapshot.as_deref() != Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reported: &[u32], current: Option<u32>) -> u32 {
        common_format(reported.iter().copied(), current, &(1..=2))
    }

    #[test]
    fn the_new_format_is_written_when_every_pod_reads_it() {
        for current in [None, Some(1), Some(2)] {
            assert_eq!(written(&[2, 2], current), 2);
            assert_eq!(written(&[2, 1, 2], current), 1, "an old pod is left");
            assert_eq!(written(&[3, 3], current), 2, "pods of a newer release");
        }
    }

    #[test]
    fn a_pod_that_has_not_said_its_format_keeps_it_from_being_raised() {
        assert_eq!(written(&[2, 0], Some(1)), 1);
        assert_eq!(written(&[2, 0], Some(2)), 2, "nothing is lowered for it");
        assert_eq!(written(&[1, 0], Some(2)), 1);
        assert_eq!(written(&[0], Some(3)), 2, "the index is a newer operator's");
    }

    #[test]
    fn without_pods_the_newest_is_written() {
        assert_eq!(written(&[], None), 2);
        assert_eq!(written(&[], Some(1)), 2);
        assert_eq!(written(&[0], None), 2, "the first snapshot of a Gateway");
    }
}
