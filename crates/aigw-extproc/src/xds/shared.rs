//! What all streams share: the goal, what each Envoy has of it, and what they refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::Instant;

use super::goal::Goal;
use super::resources::{Kind, Resources};
use super::session::Verdict;
use super::state::{Rejection, State};

/// How far the Envoys are with a goal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// They are at it.
    Under,
    /// No Envoy is connected.
    Alone,
    /// All have it.
    Done,
    /// It is the goal no more.
    Replaced,
    /// One has refused it.
    Rejected(Kind, String),
}

/// What all streams share.
#[derive(Debug)]
pub(super) struct Shared {
    ledger: Mutex<Ledger>,
    goal: watch::Sender<Option<Arc<Goal>>>,
    news: watch::Sender<u64>,
    /// The last goal that every Envoy had.
    good: ArcSwapOption<Goal>,
    grace: Duration,
}

#[derive(Debug, Default)]
struct Ledger {
    /// The goal that each open stream has completed last.
    streams: BTreeMap<u64, u64>,
    opened: u64,
    /// The first goal of this version that came from outside; later ones differ in the clusters of before alone.
    offered: u64,
    refusal: Option<(u64, Kind, String)>,
    state: State,
}

impl Shared {
    pub fn new(grace: Duration) -> Self {
        Self {
            ledger: Mutex::default(),
            goal: watch::Sender::new(None),
            news: watch::Sender::new(0),
            good: ArcSwapOption::empty(),
            grace,
        }
    }

    /// Says that something is new.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Follows the goal.
    pub fn goals(&self) -> watch::Receiver<Option<Arc<Goal>>> {
        self.goal.subscribe()
    }

    /// Makes `resources` the goal; the number says which one it is.
    pub fn offer(&self, resources: Resources) -> u64 {
        let mut ledger = self.lock();
        let next = match &*self.goal.borrow() {
            Some(goal) if *goal.resources == resources => return ledger.offered,
            Some(goal) => goal.followed_by(Arc::new(resources), Instant::now(), self.grace),
            None => Goal::first(Arc::new(resources)),
        };
        ledger.offered = next.sequence;
        ledger.state.served = Some(next.resources.version().to_string());
        let sequence = next.sequence;
        self.aim(next);
        sequence
    }

    /// How far the goal is that [`Shared::offer`] has given this number.
    pub fn progress(&self, sequence: u64) -> Progress {
        let ledger = self.lock();
        if let Some((refused, kind, detail)) = &ledger.refusal
            && *refused == sequence
        {
            return Progress::Rejected(*kind, detail.clone());
        }
        if ledger.offered != sequence {
            return Progress::Replaced;
        }
        match ledger.streams.values().min() {
            None => Progress::Alone,
            Some(&completed) if completed >= sequence => Progress::Done,
            Some(_) => Progress::Under,
        }
    }

    /// A stream was opened.
    pub fn open(&self) -> u64 {
        let mut ledger = self.lock();
        ledger.opened += 1;
        let stream = ledger.opened;
        ledger.streams.insert(stream, 0);
        ledger.state.connected = ledger.streams.len();
        self.tell();
        stream
    }

    /// A stream was closed.
    pub fn close(&self, stream: u64) {
        let mut ledger = self.lock();
        ledger.streams.remove(&stream);
        ledger.state.connected = ledger.streams.len();
        self.tell();
    }

    /// An Envoy has said what it thinks of a response. A goal that it refuses is withdrawn, if there was a good one before.
    pub fn judge(&self, verdict: Verdict) {
        let mut ledger = self.lock();
        let kind = ledger.state.kinds.entry(verdict.kind.word()).or_default();
        let Some(detail) = verdict.refusal else {
            kind.accepted += 1;
            kind.acknowledged = Some(verdict.version);
            return;
        };
        tracing::error!(kind = verdict.kind.word(), version = %verdict.version, "Envoy refuses: {detail}");
        kind.rejected += 1;
        kind.last_rejection = Some(Rejection {
            version: verdict.version,
            detail: detail.clone(),
        });
        let offered = ledger.offered;
        if verdict.sequence < offered {
            return;
        }
        ledger.refusal = Some((offered, verdict.kind, detail));
        let goal = self.goal.borrow().clone();
        if let (Some(goal), Some(good)) = (goal, self.good.load_full())
            && good.sequence < offered
        {
            let next = goal.withdrawn_for(&good);
            ledger.offered = next.sequence;
            ledger.state.served = Some(next.resources.version().to_string());
            self.aim(next);
        }
        self.tell();
    }

    /// A stream's Envoy has answered to all of a goal.
    pub fn complete(&self, stream: u64, sequence: u64) {
        let mut ledger = self.lock();
        let Some(completed) = ledger.streams.get_mut(&stream) else {
            return;
        };
        if *completed >= sequence {
            return;
        }
        *completed = sequence;
        let is_refused = ledger
            .refusal
            .as_ref()
            .is_some_and(|(refused, ..)| *refused == ledger.offered);
        let goal = self.goal.borrow().clone();
        if let Some(goal) = goal
            && !is_refused
            && ledger
                .streams
                .values()
                .all(|&completed| completed >= goal.sequence)
        {
            ledger.state.acknowledged = Some(goal.resources.version().to_string());
            self.good.store(Some(goal));
        }
        self.tell();
    }

    /// Whether Envoy has a cluster of this name, and will have it for a while.
    pub fn has_cluster(&self, name: &str) -> bool {
        let has = |goal: &Goal| goal.find(Kind::Cluster, name).is_some();
        self.good.load().as_deref().is_some_and(has) && self.goal.borrow().as_deref().is_some_and(has)
    }

    /// Lets go of clusters whose time is over.
    pub fn expire(&self) {
        let _ledger = self.lock();
        let next = self
            .goal
            .borrow()
            .as_ref()
            .and_then(|goal| goal.expired(Instant::now()));
        if let Some(next) = next {
            self.aim(next);
        }
    }

    /// What is known.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    fn aim(&self, goal: Goal) {
        self.goal.send_replace(Some(Arc::new(goal)));
    }

    fn tell(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(version: &str) -> Resources {
        Resources::empty(&Arc::from(version))
    }

    fn refusal(sequence: u64) -> Verdict {
        Verdict {
            kind: Kind::Listener,
            sequence,
            version: "v".to_owned(),
            refusal: Some("no".to_owned()),
        }
    }

    fn aimed(shared: &Shared) -> (u64, String) {
        let goal = shared.goals().borrow().clone().unwrap();
        (goal.sequence, goal.resources.version().to_string())
    }

    #[tokio::test]
    async fn all_streams_count() {
        let shared = Shared::new(Duration::ZERO);
        let first = shared.offer(resources("v1"));
        assert_eq!(shared.progress(first), Progress::Alone);
        let (one, two) = (shared.open(), shared.open());
        shared.complete(one, first);
        assert_eq!(shared.progress(first), Progress::Under);
        assert_eq!(shared.state().acknowledged, None);
        shared.complete(two, first);
        assert_eq!(shared.progress(first), Progress::Done);
        assert_eq!(shared.state().acknowledged.as_deref(), Some("v1"));
        assert_eq!(shared.offer(resources("v1")), first);
        shared.open();
        assert_eq!(shared.progress(first), Progress::Under);
    }

    #[tokio::test]
    async fn one_refusal_withdraws_for_all() {
        let shared = Shared::new(Duration::ZERO);
        let first = shared.offer(resources("v1"));
        let (one, two) = (shared.open(), shared.open());
        shared.complete(one, first);
        shared.complete(two, first);
        let second = shared.offer(resources("v2"));
        shared.complete(one, second);
        shared.judge(refusal(second));
        assert_eq!(
            shared.progress(second),
            Progress::Rejected(Kind::Listener, "no".to_owned())
        );
        assert_eq!(aimed(&shared), (second + 1, "v1".to_owned()));
        // What comes late about it changes nothing.
        shared.judge(refusal(second));
        shared.complete(two, second);
        assert_eq!(aimed(&shared), (second + 1, "v1".to_owned()));
        assert_eq!(shared.state().served.as_deref(), Some("v1"));
        let third = shared.offer(resources("v3"));
        assert_eq!(shared.progress(third), Progress::Under);
    }

    #[tokio::test]
    async fn the_first_version_has_nothing_to_go_back_to() {
        let shared = Shared::new(Duration::ZERO);
        let first = shared.offer(resources("v1"));
        let one = shared.open();
        shared.judge(refusal(first));
        shared.complete(one, first);
        assert_eq!(
            shared.progress(first),
            Progress::Rejected(Kind::Listener, "no".to_owned())
        );
        assert_eq!(shared.state().acknowledged, None);
        let second = shared.offer(resources("v2"));
        assert_eq!(
            shared.progress(first),
            Progress::Rejected(Kind::Listener, "no".to_owned())
        );
        shared.complete(one, second);
        assert_eq!(shared.progress(second), Progress::Done);
    }
}
