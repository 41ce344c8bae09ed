//! How the addresses behind one endpoint share its requests: the one with the fewest under way is next, and one that could not be
//! reached comes last for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::host::Host;

/// How long an address that could not be reached is tried after all others.
const AVOID: Duration = Duration::from_secs(5);

/// What one address has to do.
#[derive(Debug, Default)]
pub(super) struct Load {
    under_way: AtomicUsize,
    failed: Mutex<Option<Instant>>,
}

/// A request under way at an address, until it is dropped.
pub(super) struct Turn(Arc<Host>);

impl Turn {
    /// Counts a request in.
    pub(super) fn at(host: &Arc<Host>) -> Self {
        host.load.under_way.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(host))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.load.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    /// Notes whether the address could be reached.
    pub(super) fn note(&self, reached: bool) {
        let failed = (!reached).then(Instant::now);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    fn is_avoided(&self) -> bool {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| at.elapsed() < AVOID)
    }

    fn rank(&self) -> (bool, usize) {
        (self.is_avoided(), self.under_way.load(Ordering::Relaxed))
    }
}

/// Puts the best first. `turn` goes up with every request: equals take turns.
pub(super) fn order(hosts: &mut [Arc<Host>], turn: usize) {
    if !hosts.is_empty() {
        let by = turn % hosts.len();
        hosts.rotate_left(by);
    }
    hosts.sort_by_cached_key(|host| host.load.rank());
}
