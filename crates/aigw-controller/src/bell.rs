//! Tells the planner that something changed, and lets a burst of changes pass before it begins.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// No change for so long ends a burst.
const QUIET: Duration = Duration::from_millis(50);
/// A burst that does not end is looked at anyway.
const AT_MOST: Duration = Duration::from_millis(500);

/// Rung by whoever sees a change.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    last: Mutex<Option<Instant>>,
    rung: Notify,
}

impl Bell {
    /// Something changed.
    pub(crate) fn ring(&self) {
        if let Ok(mut last) = self.last.lock() {
            *last = Some(Instant::now());
        }
        self.rung.notify_one();
    }

    /// Waits for a change, and then until none came for a moment. Changes that come later ring again.
    pub(crate) async fn changed(&self) {
        self.rung.notified().await;
        let began = Instant::now();
        loop {
            let last = self.last.lock().ok().and_then(|last| *last).unwrap_or(began);
            let until = (last + QUIET).min(began + AT_MOST);
            if until <= Instant::now() {
                break;
            }
            sleep_until(until).await;
        }
        // What rang meanwhile is part of this burst; it has been seen by the time the caller looks.
        let _ = futures_util::FutureExt::now_or_never(self.rung.notified());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_change_and_a_long_one_does_not_hold_it_up() {
        let bell = Arc::new(Bell::default());
        let began = Instant::now();
        bell.ring();
        bell.changed().await;
        assert_eq!(began.elapsed().as_millis(), 50);

        let ringing = Arc::clone(&bell);
        let ringer = tokio::spawn(async move {
            for _ in 0..40 {
                ringing.ring();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let began = Instant::now();
        bell.changed().await;
        assert_eq!(began.elapsed().as_millis(), 500);
        ringer.await.unwrap();
        bell.changed().await;
        let quiet = tokio::time::timeout(Duration::from_secs(60), bell.changed()).await;
        assert!(quiet.is_err(), "nothing changed any more");
    }
}
