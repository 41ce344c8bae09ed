//! One of several operators writes: the one that holds the Lease.
//!
//! A leader counts by its own clock from the moment before it asked for the last renewal that succeeded, and stops after
//! `renew_deadline`; the others count `duration` from the moment they saw the Lease change. Since the first is shorter, two never
//! write at once, whatever their clocks say.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Error};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use crate::options::Election;

/// Until when this process may write.
pub(crate) type Term = Option<Instant>;

/// What a candidate knows of the Lease.
pub(crate) struct Candidate {
    api: Api<Lease>,
    identity: String,
    election: Election,
    term: watch::Sender<Term>,
    /// The Lease as last seen (its resource version) and when it was first seen so.
    seen: Option<(String, Instant)>,
}

impl Candidate {
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        identity: &str,
        election: Election,
        term: watch::Sender<Term>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            identity: identity.to_owned(),
            election,
            term,
            seen: None,
        }
    }

    /// Tries to get and to keep the Lease until `stop` completes, then gives it back.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let began = Instant::now();
            // A request that hangs must not keep the next try away for longer than the term lasts.
            let tried = tokio::select! {
                () = &mut stop => break,
                tried = timeout(self.election.renew_deadline / 2, self.try_once()) => tried,
            };
            match tried {
                Ok(Ok(true)) => self.hold(began),
                Ok(Ok(false)) => self.step_down("another operator holds the lease"),
                Ok(Err(error)) => debug!("the lease cannot be got or renewed: {error}"),
                Err(_) => debug!("the lease cannot be got or renewed: no answer"),
            }
            tokio::select! {
                () = &mut stop => break,
                () = sleep(self.election.retry) => {}
                () = expiry(*self.term.borrow()) => self.step_down("the lease could not be renewed in time"),
            }
        }
        let led = self.term.borrow().is_some();
        self.term.send_replace(None);
        if led {
            let released = timeout(Duration::from_secs(2), self.release()).await;
            if !matches!(released, Ok(Ok(()))) {
                warn!("the lease was not given back; another operator takes it when it runs out");
            }
        }
    }

    fn hold(&self, began: Instant) {
        let before = self.term.send_replace(Some(began + self.election.renew_deadline));
        if before.is_none() {
            info!("leading: this operator holds the lease {}", self.election.lease);
        }
    }

    fn step_down(&self, why: &str) {
        let changed = self.term.send_if_modified(|term| term.take().is_some());
        if changed {
            warn!("not leading any more: {why}");
        }
    }

    /// Gets or renews the Lease when that may be done; whether it is held.
    async fn try_once(&mut self) -> Result<bool, Error> {
        let Some(lease) = self.api.get_opt(&self.election.lease).await? else {
            let new = Lease {
                metadata: ObjectMeta {
                    name: Some(self.election.lease.clone()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(None)),
            };
            let made = self.api.create(&PostParams::default(), &new).await;
            return won(made);
        };
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if !holder.is_empty() && holder != self.identity && !self.ran_out(&version, &spec) {
            return Ok(false);
        }
        let next = Lease {
            spec: Some(self.spec(Some(&spec))),
            ..lease
        };
        // The resource version in it makes two that try at once differ.
        let params = PostParams::default();
        won(self.api.replace(&self.election.lease, &params, &next).await)
    }

    /// Whether the Lease has not changed for as long as it says, by this process's clock.
    fn ran_out(&mut self, version: &str, spec: &LeaseSpec) -> bool {
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => {
                let now = Instant::now();
                self.seen = Some((version.to_owned(), now));
                now
            }
        };
        let seconds = spec.lease_duration_seconds.and_then(|n| u64::try_from(n).ok());
        since.elapsed() > seconds.map_or(self.election.duration, Duration::from_secs)
    }

    fn spec(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let same = before.filter(|one| one.holder_identity.as_deref() == Some(&self.identity));
        let changes = before.map_or(0, |one| one.lease_transitions.unwrap_or_default());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.election.duration.as_secs().max(1)).ok(),
            acquire_time: same
                .and_then(|one| one.acquire_time.clone())
                .or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if same.is_some() || before.is_none() {
                changes
            } else {
                changes.saturating_add(1)
            }),
            ..before.cloned().unwrap_or_default()
        }
    }

    /// Lets another one have it at once.
    async fn release(&self) -> Result<(), Error> {
        let lease = self.api.get(&self.election.lease).await?;
        let spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return Ok(());
        }
        let free = Lease {
            spec: Some(LeaseSpec {
                holder_identity: Some(String::new()),
                renew_time: Some(MicroTime(Timestamp::now())),
                ..spec
            }),
            ..lease
        };
        let params = PostParams::default();
        let replaced = self.api.replace(&self.election.lease, &params, &free).await;
        replaced.map(|_| ())
    }
}

/// Completes when the term has run out; never when there is none.
pub(crate) async fn expiry(term: Term) {
    match term {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Somebody else being quicker is no error.
fn won(answer: Result<Lease, Error>) -> Result<bool, Error> {
    match answer {
        Ok(_) => Ok(true),
        Err(Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}
