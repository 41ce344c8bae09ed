//! What the checks of one backend come to.

use aigw_config::HealthCheck;

/// Checks in a row, and what follows from them. Without any the backend is taken to be well.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    verdict: Option<bool>,
    /// Checks in a row that speak against what holds.
    against: u32,
}

/// What a check has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// It is well, as was taken for granted.
    Known,
    /// It is well no more, or again.
    Turned,
}

impl Pulse {
    /// Whether the backend is well; `None` until it is known.
    pub(super) fn verdict(&self) -> Option<bool> {
        self.verdict
    }

    /// Takes in a check that passed or failed.
    pub(super) fn beat(&mut self, passed: bool, check: &HealthCheck) -> Change {
        let holds = self.verdict.unwrap_or(true);
        if passed == holds {
            self.against = 0;
            return match self.verdict.replace(holds) {
                None => Change::Known,
                Some(_) => Change::None,
            };
        }
        self.against = self.against.saturating_add(1);
        let enough = if passed { check.healthy } else { check.unhealthy };
        if self.against < enough {
            return Change::None;
        }
        self.against = 0;
        self.verdict = Some(passed);
        Change::Turned
    }
}

#[cfg(test)]
mod tests {
    use aigw_config::{Millis, Probe};

    use super::*;

    #[test]
    fn so_many_in_a_row_turn_the_verdict() {
        let check = HealthCheck {
            probe: Probe::Connection,
            interval: Millis(1),
            timeout: Millis(1),
            initial_jitter: Millis(0),
            unhealthy: 3,
            healthy: 2,
        };
        // Whether the check passed, what changes, and what is known then.
        let rows = [
            (false, Change::None, None),
            (false, Change::None, None),
            (true, Change::Known, Some(true)),
            (false, Change::None, Some(true)),
            (false, Change::None, Some(true)),
            (true, Change::None, Some(true)),
            (false, Change::None, Some(true)),
            (false, Change::None, Some(true)),
            (false, Change::Turned, Some(false)),
            (false, Change::None, Some(false)),
            (true, Change::None, Some(false)),
            (false, Change::None, Some(false)),
            (true, Change::None, Some(false)),
            (true, Change::Turned, Some(true)),
        ];
        let mut pulse = Pulse::default();
        for (at, (passed, change, verdict)) in rows.into_iter().enumerate() {
            assert_eq!(pulse.beat(passed, &check), change, "{at}");
            assert_eq!(pulse.verdict(), verdict, "{at}");
        }
    }
}
