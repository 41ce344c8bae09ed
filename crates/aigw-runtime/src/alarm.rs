//! A timer for deadlines that mostly move away before they are reached: it is set once and then left alone.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

/// Alarms that are kept for whoever needs one next.
const KEPT: usize = 4_096;

/// The timer. Setting one costs more than waking in vain now and then does, so it goes off no later than asked for, looks, and
/// is set again.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready when `deadline` has passed. It may be another one each time.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

/// Alarms that nobody needs at the moment, still set: whoever comes next seldom has to set one.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Mutex<Vec<Alarm>>);

impl Alarms {
    fn lock(&self) -> MutexGuard<'_, Vec<Alarm>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An alarm, set or not.
    pub(crate) fn take(&self) -> Alarm {
        self.lock().pop().unwrap_or_default()
    }

    /// Takes an alarm back.
    pub(crate) fn put_back(&self, alarm: Alarm) {
        let mut kept = self.lock();
        if alarm.0.is_some() && kept.len() < KEPT {
            kept.push(alarm);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_keeps_to_the_deadline_of_each_poll_wherever_it_was_set_before() {
        let alarms = Alarms::default();
        for (span, others) in [(50, [90_000, 20]), (30, [20, 90_000]), (70, [1, 10])] {
            let mut alarm = alarms.take();
            let now = Instant::now();
            for other in others {
                let other = now + Duration::from_millis(other);
                let _ = poll_fn(|cx| Poll::Ready(alarm.poll(cx, other))).await;
            }
            let deadline = now + Duration::from_millis(span);
            let waited =
                tokio::time::timeout(Duration::from_secs(30), poll_fn(|cx| alarm.poll(cx, deadline)));
            assert!(waited.await.is_ok() && Instant::now() >= deadline);
            alarms.put_back(alarm);
        }
        assert_eq!(alarms.lock().len(), 1);
    }
}
