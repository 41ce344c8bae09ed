//! State that outlives exchanges and snapshots: permits for concurrency and for bytes held.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::health::{CheckedBackend, EjectedBackend, HealthTable};

/// Counters shared by all exchanges of a process, keyed by stable names.
#[derive(Debug, Default)]
pub struct Shared {
    requests: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    backends: Mutex<Counters>,
    rules: Mutex<Counters>,
    pub(crate) health: HealthTable,
}

type Counters = HashMap<Arc<str>, Arc<AtomicU64>>;

/// A held amount of something limited; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    counter: Arc<AtomicU64>,
    amount: u64,
}

impl Permit {
    fn take(counter: &Arc<AtomicU64>, amount: u64, limit: u64) -> Option<Self> {
        counter
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |held| {
                held.checked_add(amount).filter(|sum| *sum <= limit)
            })
            .ok()
            .map(|_| Self {
                counter: Arc::clone(counter),
                amount,
            })
    }

    /// Takes more of the same; false, and nothing taken, when that would pass `limit`.
    pub fn grow(&mut self, amount: u64, limit: u64) -> bool {
        match Self::take(&self.counter, amount, limit) {
            Some(mut more) => {
                self.amount = self.amount.saturating_add(std::mem::take(&mut more.amount));
                true
            }
            None => false,
        }
    }

    /// How much is held.
    pub fn amount(&self) -> u64 {
        self.amount
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.amount, Ordering::AcqRel);
    }
}

impl Shared {
    /// One of `limit` requests in flight.
    pub fn request(&self, limit: Option<u32>) -> Option<Permit> {
        Permit::take(&self.requests, 1, limit.map_or(u64::MAX, u64::from))
    }

    /// One of `limit` requests in flight to a backend.
    pub fn backend(&self, name: &Arc<str>, limit: u32) -> Option<Permit> {
        Permit::take(&counter(&self.backends, name), 1, u64::from(limit))
    }

    /// One of `limit` requests in flight that a rule has taken.
    pub fn rule(&self, key: &Arc<str>, limit: u32) -> Option<Permit> {
        Permit::take(&counter(&self.rules, key), 1, u64::from(limit))
    }

    /// The backends that rules have left out at some time.
    pub fn ejected(&self, now: Instant) -> Vec<EjectedBackend> {
        self.health.list(now)
    }

    /// Keeps what the checks of a rule (`aigw_config::Rule::key`) say of a backend, until they say something else.
    pub fn judge(&self, rule: &Arc<str>, backend: &Arc<str>, is_well: bool) {
        self.health.judge(rule, backend, Some(is_well));
    }

    /// Forgets what checks of a rule said of a backend: nobody checks it any more, or something else is checked.
    pub fn forget(&self, rule: &Arc<str>, backend: &Arc<str>) {
        self.health.judge(rule, backend, None);
    }

    /// What checks say, of the backends that they have said something of.
    pub fn checked(&self) -> Vec<CheckedBackend> {
        self.health.checked()
    }

    /// `amount` of at most `limit` bytes held in the process.
    pub fn bytes(&self, amount: u64, limit: u64) -> Option<Permit> {
        Permit::take(&self.bytes, amount, limit)
    }

    /// Bytes held now.
    pub fn bytes_held(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Requests in flight now.
    pub fn requests_held(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }
}

fn counter(table: &Mutex<Counters>, key: &Arc<str>) -> Arc<AtomicU64> {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(table.entry(Arc::clone(key)).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_bounded_and_given_back() {
        let shared = Shared::default();
        let first = shared.bytes(60, 100);
        assert!(first.is_some());
        assert!(shared.bytes(50, 100).is_none());
        let mut second = shared.bytes(10, 100);
        assert!(
            second
                .as_mut()
                .is_some_and(|permit| permit.grow(30, 100) && !permit.grow(1, 100))
        );
        assert_eq!(shared.bytes_held(), 100);
        drop(first);
        drop(second);
        assert_eq!(shared.bytes_held(), 0);
    }

    #[test]
    fn backends_are_counted_by_name() {
        let shared = Shared::default();
        let name: Arc<str> = "a".into();
        let held = shared.backend(&name, 1);
        assert!(held.is_some() && shared.backend(&name, 1).is_none());
        assert!(shared.backend(&"b".into(), 1).is_some());
        drop(held);
        assert!(shared.backend(&name, 1).is_some());
    }
}
