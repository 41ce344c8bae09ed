//! Health checks: asks the backends of rules that want it, by and by, and tells the engine what comes of it.
//!
//! One task follows the snapshot and keeps one check for each backend and way to ask it, whatever the number of rules; each
//! waits and asks in tasks of its own, one at a time, so no two questions to a backend overlap. All verdicts are given by the one
//! task, so none comes after its check has ended.

mod pulse;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aigw_config::{Backend, Endpoint, HealthCheck, Snapshot};
use aigw_engine::Shared;
use aigw_runtime::{Gateway, random};
use tokio::task::{AbortHandle, JoinSet};
use tracing::{info, warn};

use crate::upstream::Upstreams;
use pulse::{Change, Pulse};

/// What is asked, and how. Another endpoint is another backend, whatever its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Subject {
    backend: Arc<str>,
    endpoint: Endpoint,
    check: Arc<HealthCheck>,
}

/// A check under way.
#[derive(Debug)]
struct Entry {
    /// Tells what its tasks report from what others do that began under the same subject.
    number: u64,
    backend: Arc<Backend>,
    /// Keys of the rules that ask for it.
    rules: Vec<Arc<str>>,
    pulse: Pulse,
    task: AbortHandle,
}

/// What a task reports.
enum Step {
    /// It is time to ask.
    Due,
    /// It was asked.
    Asked(Result<(), String>),
}

type Tasks = JoinSet<(Subject, u64, Step)>;

/// What a snapshot wants of one subject.
type Wanted = HashMap<Subject, (Arc<Backend>, Vec<Arc<str>>)>;

/// Checks the backends of the gateway's snapshot, whichever that is, until the gateway drains.
pub async fn check_health(gateway: Arc<Gateway>, upstreams: Arc<Upstreams>) {
    let mut changes = gateway.changes();
    let mut checks = Checks {
        shared: Arc::clone(&gateway.shared),
        upstreams,
        entries: HashMap::new(),
        tasks: Tasks::new(),
        begun: 0,
    };
    checks.follow(&snapshot(&gateway));
    loop {
        tokio::select! {
            changed = changes.changed() => match changed {
                Ok(()) => checks.follow(&snapshot(&gateway)),
                Err(_) => return,
            },
            // Of a task that was ended nothing comes.
            Some(step) = checks.tasks.join_next(), if !checks.tasks.is_empty() => {
                if let Ok((subject, number, step)) = step {
                    checks.take(&subject, number, step);
                }
            }
            () = gateway.drained() => return,
        }
    }
}

fn snapshot(gateway: &Gateway) -> Arc<Snapshot> {
    Arc::clone(&gateway.load().snapshot)
}

struct Checks {
    shared: Arc<Shared>,
    upstreams: Arc<Upstreams>,
    entries: HashMap<Subject, Entry>,
    tasks: Tasks,
    begun: u64,
}

impl Checks {
    /// Begins what the snapshot wants and ends what it no longer does. What is wanted still goes on as it is, its verdict with it.
    fn follow(&mut self, snapshot: &Snapshot) {
        let mut wanted = wanted(snapshot);
        let shared = &self.shared;
        self.entries.retain(|subject, entry| {
            let (backend, rules) = match wanted.remove(subject) {
                Some((backend, rules)) => (backend, rules),
                None => (Arc::clone(&entry.backend), Vec::new()),
            };
            for gone in entry.rules.iter().filter(|rule| !rules.contains(rule)) {
                shared.forget(gone, &subject.backend);
            }
            (entry.backend, entry.rules) = (backend, rules);
            if entry.rules.is_empty() {
                entry.task.abort();
            }
            !entry.rules.is_empty()
        });
        // Once all that is gone is forgotten: a rule may have come from one check to another.
        for (subject, entry) in &self.entries {
            entry.tell(subject, shared);
        }
        for (subject, (backend, rules)) in wanted {
            self.begun += 1;
            let jitter = draw(subject.check.initial_jitter.duration());
            let entry = Entry {
                number: self.begun,
                backend,
                rules,
                pulse: Pulse::default(),
                task: rest(&mut self.tasks, &subject, self.begun, jitter),
            };
            self.entries.insert(subject, entry);
        }
    }

    /// Goes on with a check whose task has ended.
    fn take(&mut self, subject: &Subject, number: u64, step: Step) {
        let Some(entry) = self.entries.get_mut(subject).filter(|one| one.number == number) else {
            return;
        };
        let result = match step {
            Step::Due => {
                entry.task = ask(&mut self.tasks, subject, entry, &self.upstreams);
                return;
            }
            Step::Asked(result) => result,
        };
        match entry.pulse.beat(result.is_ok(), &subject.check) {
            Change::None => {}
            Change::Known => entry.tell(subject, &self.shared),
            Change::Turned => {
                entry.tell(subject, &self.shared);
                let (backend, rules) = (&subject.backend, entry.rules.join(", "));
                match result {
                    Ok(()) => info!("backend {backend} passes its health check again (rules: {rules})"),
                    Err(problem) => {
                        warn!(
                            "backend {backend} fails its health check and is left out (rules: {rules}): {problem}"
                        );
                    }
                }
            }
        }
        let interval = subject.check.interval.duration();
        let pause = interval.saturating_add(draw(interval / 10));
        entry.task = rest(&mut self.tasks, subject, number, pause);
    }
}

impl Entry {
    fn tell(&self, subject: &Subject, shared: &Shared) {
        if let Some(is_well) = self.pulse.verdict() {
            for rule in &self.rules {
                shared.judge(rule, &subject.backend, is_well);
            }
        }
    }
}

/// A task that reports after a pause.
fn rest(tasks: &mut Tasks, subject: &Subject, number: u64, pause: Duration) -> AbortHandle {
    let subject = subject.clone();
    tasks.spawn(async move {
        tokio::time::sleep(pause).await;
        (subject, number, Step::Due)
    })
}

/// A task that asks the backend, as it is now.
fn ask(tasks: &mut Tasks, subject: &Subject, entry: &Entry, upstreams: &Arc<Upstreams>) -> AbortHandle {
    let (subject, number) = (subject.clone(), entry.number);
    let (backend, upstreams) = (Arc::clone(&entry.backend), Arc::clone(upstreams));
    tasks.spawn(async move {
        let result = upstreams.check(&backend, &subject.check).await;
        (subject, number, Step::Asked(result))
    })
}

/// What the rules of a snapshot want checked: the backends that may get requests.
fn wanted(snapshot: &Snapshot) -> Wanted {
    let mut wanted = Wanted::new();
    for rule in snapshot.routes.iter().flat_map(|route| &route.rules) {
        let Some(check) = &rule.health_check else { continue };
        for candidate in rule.candidates.iter().filter(|one| one.weight > 0) {
            let backend = &candidate.backend;
            let subject = Subject {
                backend: Arc::clone(&backend.name),
                endpoint: backend.endpoint.clone(),
                check: Arc::clone(check),
            };
            let (_, rules) = wanted
                .entry(subject)
                .or_insert_with(|| (Arc::clone(backend), Vec::new()));
            if !rules.contains(&rule.key) {
                rules.push(Arc::clone(&rule.key));
            }
        }
    }
    wanted
}

/// A time between nothing and `most`.
fn draw(most: Duration) -> Duration {
    let share = u32::try_from(random() >> 32).unwrap_or(u32::MAX);
    most.mul_f64(f64::from(share) / f64::from(u32::MAX))
}
