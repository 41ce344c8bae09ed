//! The plan of attempts: which candidate comes next after what kind of failure.

use std::time::Duration;

use aigw_config::{Backoff, OnError, Retry};

use crate::route::scramble;

/// How an attempt failed, as far as the plan cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setback {
    /// No connection: nothing was sent.
    Connect,
    /// The connection broke or the answer made no sense.
    Broken,
    /// Sent, and no answer in time.
    Timeout,
    /// An answer that another try may better (408, 429, 5xx or configured), with the wait it asked for.
    Status(Option<Duration>),
    /// 401, 403 or an unknown model: this backend is set up wrong, another may be right.
    Misconfigured,
    /// Nothing was tried: too many requests in flight to the backend, no credential, or not expressible in strict mode.
    NotTried,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try this candidate after a pause.
    Try(usize, Duration),
    /// Nobody is left.
    GiveUp,
}

/// Upstreams that ask for a longer wait than this are left alone.
pub const PATIENCE: Duration = Duration::from_secs(2);
const BACKOFF: Duration = Duration::from_millis(50);

/// Ordered candidates and what was used up of them.
#[derive(Debug)]
pub(crate) struct Plan {
    order: Vec<usize>,
    position: usize,
    tries_here: u32,
    reconnected: bool,
    attempts: u32,
    limit: u32,
    per_backend: u32,
    retries: bool,
    /// An attempt that fell silent may be made again on the same backend.
    again_after_silence: bool,
    backoff: Option<Backoff>,
    entropy: u64,
}

impl Plan {
    /// `entropy` decides about pauses.
    pub(crate) fn new(order: Vec<usize>, retry: &Retry, entropy: u64) -> Self {
        Self {
            order,
            position: 0,
            tries_here: 0,
            reconnected: false,
            attempts: 0,
            limit: retry.attempts.max(1),
            per_backend: retry.attempts_per_backend.max(1),
            retries: retry.on_error == OnError::Retry,
            again_after_silence: retry.timeout.is_some(),
            backoff: retry.backoff,
            entropy,
        }
    }

    /// The pause before the attempt after the one that is going on: `own` where none is configured.
    fn pause(&self, own: Duration) -> Duration {
        let Some(Backoff { base, max }) = self.backoff else {
            return own;
        };
        let grown = (1u64 << self.attempts.clamp(1, 32)) - 1;
        // Envoy draws from below this bound; so every pause may be none at all.
        let bound = base.0.saturating_mul(grown).saturating_mul(1_000);
        let drawn = scramble(self.entropy.wrapping_add(u64::from(self.attempts))) % bound.max(1);
        Duration::from_micros(drawn).min(max.duration())
    }

    /// The candidate to begin with.
    pub(crate) fn first(&self) -> Next {
        self.order
            .first()
            .map_or(Next::GiveUp, |index| Next::Try(*index, Duration::ZERO))
    }

    /// An attempt at the current candidate begins.
    pub(crate) fn started(&mut self) {
        self.tries_here += 1;
        self.attempts += 1;
    }

    /// The current attempt came to nothing before it began, and begins again.
    pub(crate) fn renewed(&mut self) {
        self.tries_here = self.tries_here.saturating_sub(1);
        self.attempts = self.attempts.saturating_sub(1);
    }

    /// True when some failure of the attempt that is going on would be followed by another attempt, besides a connection that is
    /// tried once more.
    pub(crate) fn has_more(&self) -> bool {
        self.retries
            && self.attempts < self.limit
            && (self.tries_here < self.per_backend || self.position + 1 < self.order.len())
    }

    /// What follows the failure of the attempt that is going on; changes nothing, so that it can be asked before.
    pub(crate) fn peek(&self, setback: Setback) -> Next {
        if !self.retries && setback != Setback::NotTried {
            return Next::GiveUp;
        }
        let same = self.order.get(self.position).copied();
        let again = match setback {
            Setback::Connect if !self.reconnected => Some(Duration::ZERO),
            Setback::Misconfigured | Setback::NotTried => None,
            Setback::Timeout if !self.again_after_silence => None,
            Setback::Status(Some(wait)) if wait > PATIENCE => None,
            _ if self.tries_here >= self.per_backend || self.attempts >= self.limit => None,
            Setback::Status(Some(wait)) => Some(wait),
            _ => Some(self.pause(BACKOFF.saturating_mul(1 << self.tries_here.min(5)))),
        };
        if let (Some(pause), Some(index)) = (again, same) {
            return Next::Try(index, pause);
        }
        match self.order.get(self.position + 1) {
            Some(index) if setback == Setback::NotTried => Next::Try(*index, Duration::ZERO),
            Some(index) if self.attempts < self.limit => Next::Try(*index, self.pause(Duration::ZERO)),
            _ => Next::GiveUp,
        }
    }

    /// Goes on as [`Plan::peek`] said.
    pub(crate) fn advance(&mut self, setback: Setback) -> Next {
        let next = self.peek(setback);
        if let Next::Try(index, _) = next {
            if self.order.get(self.position) == Some(&index) {
                if setback == Setback::Connect && !self.reconnected {
                    self.reconnected = true;
                    // The second connection attempt is a gift: nothing had been sent.
                    self.attempts = self.attempts.saturating_sub(1);
                    self.tries_here = self.tries_here.saturating_sub(1);
                }
            } else {
                self.position += 1;
                self.tries_here = 0;
                self.reconnected = false;
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use aigw_config::Millis;

    use super::*;

    fn plan(order: &[usize], attempts: u32, per_backend: u32) -> Plan {
        let retry = Retry {
            attempts,
            attempts_per_backend: per_backend,
            statuses: vec![],
            on_error: OnError::Retry,
            timeout: None,
            backoff: None,
        };
        Plan::new(order.to_vec(), &retry, 0)
    }

    fn run(mut plan: Plan, setbacks: &[Setback]) -> Vec<usize> {
        let mut tried = Vec::new();
        let mut next = plan.first();
        let mut setbacks = setbacks.iter().cycle();
        while let Next::Try(index, _) = next {
            tried.push(index);
            plan.started();
            next = setbacks
                .next()
                .map_or(Next::GiveUp, |setback| plan.advance(*setback));
        }
        tried
    }

    #[test]
    fn one_attempt_a_candidate_and_one_more_after_a_refused_connection() {
        assert_eq!(run(plan(&[2, 0, 1], 3, 1), &[Setback::Status(None)]), [2, 0, 1]);
        assert_eq!(run(plan(&[2, 0], 2, 1), &[Setback::Connect]), [2, 2, 0, 0]);
        assert_eq!(run(plan(&[0, 1, 2, 3], 3, 1), &[Setback::Broken]), [0, 1, 2]);
        assert_eq!(run(plan(&[0], 1, 1), &[Setback::Status(None)]), [0]);
    }

    #[test]
    fn a_timeout_is_tried_elsewhere_only() {
        assert_eq!(run(plan(&[0, 1], 4, 2), &[Setback::Timeout]), [0, 1]);
        assert_eq!(run(plan(&[0, 1], 4, 2), &[Setback::Broken]), [0, 0, 1, 1]);
    }

    #[test]
    fn long_waits_move_on_and_short_ones_are_waited_for() {
        let long = Setback::Status(Some(Duration::from_secs(3)));
        assert_eq!(run(plan(&[0, 1], 4, 2), &[long]), [0, 1]);
        let mut waiting = plan(&[0], 2, 2);
        waiting.started();
        let short = Setback::Status(Some(Duration::from_secs(1)));
        assert_eq!(waiting.advance(short), Next::Try(0, Duration::from_secs(1)));
    }

    #[test]
    fn what_was_not_tried_costs_no_attempt() {
        let mut plan = plan(&[0, 1], 1, 1);
        assert_eq!(plan.advance(Setback::NotTried), Next::Try(1, Duration::ZERO));
        assert_eq!(plan.advance(Setback::NotTried), Next::GiveUp);
    }

    #[test]
    fn configured_pauses_grow_and_are_bounded() {
        let retry = |base, max| Retry {
            attempts: 9,
            attempts_per_backend: 1,
            statuses: vec![],
            on_error: OnError::Retry,
            timeout: Some(Millis(1)),
            backoff: Some(Backoff {
                base: Millis(base),
                max: Millis(max),
            }),
        };
        let mut longest = [Duration::ZERO; 4];
        for entropy in 0..2_000 {
            let mut plan = Plan::new((0..9).collect(), &retry(100, 500), entropy);
            for longest in &mut longest {
                plan.started();
                let Next::Try(_, pause) = plan.advance(Setback::Status(None)) else {
                    panic!("there are nine candidates");
                };
                *longest = pause.max(*longest);
            }
        }
        for (longest, bound) in longest.into_iter().zip([100, 300, 500, 500]) {
            let bound = Duration::from_millis(bound);
            assert!(
                longest <= bound && longest > bound * 9 / 10,
                "{longest:?} of {bound:?}"
            );
        }
        // What a backend asks for goes before them, and nothing is waited for when nothing was sent.
        let mut plan = Plan::new(
            vec![0, 1],
            &Retry {
                attempts_per_backend: 2,
                ..retry(60_000, 60_000)
            },
            7,
        );
        plan.started();
        let second = Duration::from_secs(1);
        assert_eq!(plan.peek(Setback::Status(Some(second))), Next::Try(0, second));
        assert_eq!(plan.peek(Setback::NotTried), Next::Try(1, Duration::ZERO));
        // An attempt that ended by its own timeout is made again.
        assert!(matches!(plan.peek(Setback::Timeout), Next::Try(0, pause) if pause > Duration::ZERO));
    }

    #[test]
    fn without_retries_the_first_failure_is_the_last() {
        let retry = Retry {
            attempts: 3,
            attempts_per_backend: 1,
            statuses: vec![],
            on_error: OnError::Return,
            timeout: None,
            backoff: None,
        };
        let mut plan = Plan::new(vec![0, 1], &retry, 0);
        plan.started();
        assert_eq!(plan.advance(Setback::Connect), Next::GiveUp);
    }
}
