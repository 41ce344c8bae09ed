//! Backends that a rule leaves out: for a while, because they failed too often in a row, or until they pass its checks again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aigw_config::{Ejection, Rule};

/// No backend is left out for longer, unless the first time is longer already.
const LONGEST: Duration = Duration::from_secs(300);

/// What became of an attempt, as far as its backend's health goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered.
    Good,
    /// It answered with this status, 500 or more.
    Status(u16),
    /// No connection, a broken one, silence, or an answer that made no sense.
    Broken,
}

/// A backend of a rule, as metrics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EjectedBackend {
    /// Route and rule.
    pub rule: Arc<str>,
    /// Backend.
    pub backend: Arc<str>,
    /// It is left out now.
    pub is_out: bool,
    /// How often it was left out, in the life of this process.
    pub times: u64,
}

/// What a rule's checks say of a backend, as metrics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedBackend {
    /// Route and rule.
    pub rule: Arc<str>,
    /// Backend.
    pub backend: Arc<str>,
    /// It passes them.
    pub is_well: bool,
}

/// The health of all backends by rule and backend, over all snapshots.
#[derive(Debug, Default)]
pub(crate) struct HealthTable {
    rules: Mutex<HashMap<Arc<str>, States>>,
}

type States = HashMap<Arc<str>, State>;

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    errors: u32,
    /// Of them, those of a gateway: 502, 503, 504 and no answer at all.
    gateway_errors: u32,
    /// What the time to be left out is multiplied with; falls again while all is well.
    weight: u32,
    until: Option<Instant>,
    times: u64,
    /// What checks say; `None` before they have said anything, and where there are none.
    is_well: Option<bool>,
}

impl State {
    fn is_out(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    fn eject(&mut self, rule: &Ejection, now: Instant) {
        let well = self
            .until
            .map_or(Duration::ZERO, |until| now.saturating_duration_since(until));
        let steps = well.as_millis() / u128::from(rule.interval.0.max(1));
        self.weight = self
            .weight
            .saturating_sub(u32::try_from(steps).unwrap_or(u32::MAX))
            .saturating_add(1);
        let time = rule.time.duration();
        let span = time.saturating_mul(self.weight).min(LONGEST.max(time));
        self.until = now.checked_add(span);
        self.times += 1;
        (self.errors, self.gateway_errors) = (0, 0);
    }
}

impl HealthTable {
    /// Takes from `order` the candidates whose backend is left out now or fails its checks, unless nobody would remain.
    pub(crate) fn sift(&self, rule: &Rule, order: &mut Vec<usize>, now: Instant) {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(states) = rules.get(&rule.key) else {
            return;
        };
        let is_in = |index: &usize| {
            let candidate = rule.candidates.get(*index);
            let state = candidate.and_then(|one| states.get(&one.backend.name));
            !state.is_some_and(|state| {
                let is_ejected = rule.ejection.is_some() && state.is_out(now);
                is_ejected || state.is_well == Some(false)
            })
        };
        if order.iter().any(is_in) {
            order.retain(is_in);
        }
    }

    /// Counts what became of an attempt.
    pub(crate) fn note(&self, rule: &Ejection, backend: &Arc<str>, health: Health, now: Instant) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(states) = rules.get_mut(&rule.key) else {
            if health != Health::Good {
                rules.insert(Arc::clone(&rule.key), States::new());
                drop(rules);
                self.note(rule, backend, health, now);
            }
            return;
        };
        let out = states.values().filter(|state| state.is_out(now)).count();
        let state = states.entry(Arc::clone(backend)).or_default();
        if state.is_out(now) {
            // An answer to what was asked before.
            return;
        }
        match health {
            Health::Good => {
                (state.errors, state.gateway_errors) = (0, 0);
                return;
            }
            Health::Status(502..=504) | Health::Broken => {
                state.gateway_errors = state.gateway_errors.saturating_add(1);
            }
            Health::Status(_) => state.gateway_errors = 0,
        }
        state.errors = state.errors.saturating_add(1);
        let reached = |count: u32, limit: u32| limit > 0 && count >= limit;
        let failed = reached(state.errors, rule.errors) || reached(state.gateway_errors, rule.gateway_errors);
        if failed && out < rule.most {
            state.eject(rule, now);
        }
    }

    /// Keeps what checks of a rule say of a backend; `None` forgets it.
    pub(crate) fn judge(&self, rule: &Arc<str>, backend: &Arc<str>, is_well: Option<bool>) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if is_well.is_some() {
            let states = rules.entry(Arc::clone(rule)).or_default();
            states.entry(Arc::clone(backend)).or_default().is_well = is_well;
        } else if let Some(state) = rules.get_mut(rule).and_then(|states| states.get_mut(backend)) {
            state.is_well = None;
        }
    }

    pub(crate) fn checked(&self) -> Vec<CheckedBackend> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let all = rules
            .iter()
            .flat_map(|(rule, states)| states.iter().map(move |one| (rule, one)));
        all.filter_map(|(rule, (backend, state))| {
            Some(CheckedBackend {
                rule: Arc::clone(rule),
                backend: Arc::clone(backend),
                is_well: state.is_well?,
            })
        })
        .collect()
    }

    pub(crate) fn list(&self, now: Instant) -> Vec<EjectedBackend> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let all = rules
            .iter()
            .flat_map(|(rule, states)| states.iter().map(move |one| (rule, one)));
        all.filter(|(_, (_, state))| state.times > 0)
            .map(|(rule, (backend, state))| EjectedBackend {
                rule: Arc::clone(rule),
                backend: Arc::clone(backend),
                is_out: state.is_out(now),
                times: state.times,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use aigw_config::{Capabilities, Millis, compile};
    use aigw_translate::host::Registry;
    use serde_json::json;

    use super::*;

    /// A rule with the backends a, b and c, of which at most that many are ejected.
    fn rule(most: usize) -> Rule {
        let names = ["a", "b", "c"];
        let backends =
            names.map(|name| json!({"name": name, "schema": {"name": "OpenAI"}, "url": "http://x"}));
        let refs = names.map(|name| json!({"name": name}));
        let document =
            json!({"backends": backends, "routes": [{"name": "r", "rules": [{"backends": refs}]}]});
        let document = serde_json::from_value(document).unwrap();
        let (mut snapshot, _) = compile(document, &Registry as &dyn Capabilities).unwrap();
        let mut rule = snapshot.routes.remove(0).rules.remove(0);
        rule.ejection = Some(Ejection {
            key: Arc::clone(&rule.key),
            errors: 3,
            gateway_errors: 2,
            time: Millis(30_000),
            interval: Millis(3_000),
            most,
        });
        rule
    }

    fn fail(table: &HealthTable, rule: &Rule, backend: &str, health: Health, now: Instant) {
        table.note(rule.ejection.as_ref().unwrap(), &backend.into(), health, now);
    }

    /// The candidates that are left of three, of the backends a, b and c.
    fn left(table: &HealthTable, rule: &Rule, now: Instant) -> Vec<usize> {
        let mut order = vec![0, 1, 2];
        table.sift(rule, &mut order, now);
        order
    }

    #[test]
    fn failures_in_a_row_leave_a_backend_out_for_longer_each_time() {
        let (table, rule, mut now) = (HealthTable::default(), rule(2), Instant::now());
        let play = |row: &[Health], now| {
            for health in row {
                fail(&table, &rule, "a", *health, now);
            }
            left(&table, &rule, now)
        };
        let bad = Health::Status(500);
        assert_eq!(play(&[bad, bad, Health::Good, bad, bad], now), [0, 1, 2]);
        assert_eq!(play(&[bad], now), [1, 2]);
        // What comes late counts for nothing.
        assert_eq!(play(&[Health::Broken; 4], now), [1, 2]);
        now += Duration::from_secs(30);
        assert_eq!(play(&[], now), [0, 1, 2]);
        // Two of a gateway do it too, and now it takes twice as long.
        assert_eq!(play(&[Health::Status(503), Health::Broken], now), [1, 2]);
        now += Duration::from_secs(59);
        assert_eq!(play(&[], now), [1, 2]);
        // It was well for long: as at first.
        now += Duration::from_secs(60);
        assert_eq!(play(&[bad; 3], now), [1, 2]);
        now += Duration::from_secs(30);
        assert_eq!(play(&[], now), [0, 1, 2]);
        let list = table.list(now);
        assert_eq!((list.len(), list[0].times, list[0].is_out), (1, 3, false));
    }

    #[test]
    fn no_more_are_left_out_than_may_be_and_never_all() {
        let now = Instant::now();
        for (most, expected) in [
            (0, vec![0, 1, 2]),
            (1, vec![1, 2]),
            (2, vec![2]),
            (9, vec![0, 1, 2]),
        ] {
            let (table, rule) = (HealthTable::default(), rule(most));
            for name in ["a", "b", "c"] {
                for _ in 0..3 {
                    fail(&table, &rule, name, Health::Broken, now);
                }
            }
            assert_eq!(left(&table, &rule, now), expected, "at most {most}");
        }
    }

    #[test]
    fn what_fails_its_checks_is_left_out_until_it_passes_or_nobody_asks() {
        let (table, mut rule, now) = (HealthTable::default(), rule(2), Instant::now());
        let judge = |name: &str, is_well| table.judge(&rule.key, &name.into(), is_well);
        assert_eq!(table.checked(), []);
        judge("a", Some(false));
        judge("c", Some(true));
        assert_eq!(left(&table, &rule, now), [1, 2]);
        let mut shown = table.checked();
        shown.sort_by(|one, other| one.backend.cmp(&other.backend));
        let shown: Vec<_> = shown
            .iter()
            .map(|one| (&*one.rule, &*one.backend, one.is_well))
            .collect();
        assert_eq!(shown, [("r 0", "a", false), ("r 0", "c", true)]);
        // Ejected is something else, and both count.
        for _ in 0..3 {
            fail(&table, &rule, "b", Health::Broken, now);
        }
        assert_eq!(left(&table, &rule, now), [2]);
        judge("c", Some(false));
        assert_eq!(left(&table, &rule, now), [0, 1, 2], "somebody has to serve");
        judge("c", Some(true));
        judge("a", Some(true));
        assert_eq!(left(&table, &rule, now), [0, 2]);
        judge("a", Some(false));
        judge("a", None);
        judge("c", None);
        assert_eq!(left(&table, &rule, now), [0, 2]);
        assert_eq!(table.checked(), []);
        // A rule that ejects no more has forgotten nobody's checks, but does not mind who failed.
        judge("a", Some(false));
        rule.ejection = None;
        assert_eq!(left(&table, &rule, now), [1, 2]);
    }
}
