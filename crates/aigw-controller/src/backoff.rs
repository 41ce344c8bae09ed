//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// Doubles from `least` to `most`; begins again after [`Backoff::reset`].
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(least: Duration, most: Duration) -> Self {
        Self {
            least,
            most,
            next: least,
        }
    }

    /// For a write of one object.
    pub(crate) fn write() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(60))
    }

    /// For a watch, and for whatever needs nothing but that the API server is back.
    pub(crate) fn watch() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(5))
    }

    /// How long to wait now. The last quarter is drawn by `salt`, so that many waiters do not come back at once.
    pub(crate) fn pause(&mut self, salt: u64) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.most);
        let share = u32::try_from(salt % 256).unwrap_or_default();
        now - now / 4 * share / 256
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_most_and_begins_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let millis = |backoff: &mut Backoff, salt| backoff.pause(salt).as_millis();
        assert_eq!(millis(&mut backoff, 0), 100);
        assert_eq!(millis(&mut backoff, 0), 200);
        assert_eq!(millis(&mut backoff, 0), 350);
        assert!((262..350).contains(&millis(&mut backoff, 255)));
        backoff.reset();
        assert_eq!(millis(&mut backoff, 0), 100);
    }
}
