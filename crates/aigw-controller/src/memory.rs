//! What was written, so that nothing is written twice, and what failed, so that it is not tried at once again.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::managed::Mark;
use crate::read::Held;
use crate::wanted::Place;

/// A watch is told of a write within this time; until then what it shows may be from before.
const LAG: Duration = Duration::from_secs(5);

/// What a write is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum About {
    /// An object that the operator makes.
    Object(Place),
    /// The status of somebody else's.
    Status(Place),
    /// The end of an object that it made.
    End(Place),
}

/// A write that succeeded.
#[derive(Clone, Copy, Debug)]
struct Written {
    /// Hash of what was wanted.
    wanted: u64,
    /// What was seen there before, and what the answer showed.
    before: Option<u64>,
    after: u64,
    at: Instant,
}

/// Whether something is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Now.
    Now,
    /// Not before this, when it is to be looked at again.
    Later(Instant),
    /// There is nothing to do.
    No,
}

/// The memory of one term of leadership.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    written: HashMap<About, Written>,
    failing: HashMap<About, (Backoff, Instant)>,
}

impl Memory {
    /// Whether an object is to be applied that is wanted so and seen so.
    pub(crate) fn object(&self, about: &About, wanted: u64, mark: Option<&Mark>, now: Instant) -> Due {
        self.due(about, wanted, mark.map(|mark| mark.print), now)
    }

    /// Whether a status may have to be written that is wanted so and seen so.
    pub(crate) fn status(&self, about: &About, wanted: u64, held: &Held, now: Instant) -> Due {
        self.due(about, wanted, Some(held.status_print), now)
    }

    fn due(&self, about: &About, wanted: u64, seen: Option<u64>, now: Instant) -> Due {
        if let Some((_, next)) = self.failing.get(about)
            && *next > now
        {
            return Due::Later(*next);
        }
        let Some(last) = self.written.get(about).filter(|last| last.wanted == wanted) else {
            return Due::Now;
        };
        let known_from = last.at + LAG;
        if seen == Some(last.after) {
            Due::No
        } else if seen == last.before && now < known_from {
            Due::Later(known_from)
        } else {
            Due::Now
        }
    }

    /// Whether the last write was of what is wanted.
    pub(crate) fn has_written(&self, about: &About, wanted: u64) -> bool {
        self.written.get(about).is_some_and(|last| last.wanted == wanted)
    }

    /// Whether something that failed may be tried again.
    pub(crate) fn retry(&self, about: &About, now: Instant) -> Due {
        match self.failing.get(about) {
            Some((_, next)) if *next > now => Due::Later(*next),
            _ => Due::Now,
        }
    }

    /// It is as wanted; `before` is what was seen, `after` what the answer showed.
    pub(crate) fn wrote(&mut self, about: About, wanted: u64, before: Option<u64>, after: u64) {
        self.failing.remove(&about);
        let at = Instant::now();
        let written = Written {
            wanted,
            before,
            after,
            at,
        };
        self.written.insert(about, written);
    }

    /// It could not be written; says how often in a row that has happened.
    pub(crate) fn failed(&mut self, about: About, salt: u64) -> Duration {
        self.written.remove(&about);
        let now = Instant::now();
        let (backoff, next) = self
            .failing
            .entry(about)
            .or_insert_with(|| (Backoff::write(), now));
        let pause = backoff.pause(salt);
        *next = now + pause;
        pause
    }

    /// It is gone.
    pub(crate) fn forget(&mut self, about: &About) {
        self.written.remove(about);
        self.failing.remove(about);
    }

    /// Forgets everything that is not wanted any more.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&About) -> bool) {
        self.written.retain(|about, _| wanted(about));
        self.failing.retain(|about, _| wanted(about));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_written_is_written_again_only_when_it_or_the_wish_changed() {
        let about = || About::Object((0, (String::new(), "a".to_owned())));
        let mut memory = Memory::default();
        let due = |memory: &Memory, wanted, seen| memory.due(&about(), wanted, seen, Instant::now());
        assert_eq!(due(&memory, 1, None), Due::Now);
        memory.wrote(about(), 1, None, 10);
        let later = Instant::now() + LAG;
        assert_eq!(
            due(&memory, 1, None),
            Due::Later(later),
            "the watch has not shown it yet"
        );
        assert_eq!(due(&memory, 1, Some(10)), Due::No);
        assert_eq!(due(&memory, 1, Some(11)), Due::Now, "somebody changed it");
        assert_eq!(due(&memory, 2, Some(10)), Due::Now, "something else is wanted");
        tokio::time::advance(LAG).await;
        assert_eq!(due(&memory, 1, None), Due::Now, "somebody deleted it");

        memory.failed(about(), 0);
        let next = Instant::now() + Duration::from_millis(200);
        assert_eq!(due(&memory, 1, Some(10)), Due::Later(next));
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(due(&memory, 1, Some(10)), Due::Now);
        assert_eq!(memory.failed(about(), 0).as_millis(), 400);
    }
}
