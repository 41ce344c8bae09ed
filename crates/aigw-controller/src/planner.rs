//! One level-triggered rebuild: after every change the whole is planned anew from what is known.

use std::sync::Arc;
use std::time::Instant;

use aigw_config::Credentials;
use aigw_plan::cluster::{ClusterPlan, Means, Options as PlanOptions, World, plan_cluster};
use kube::Client;
use tokio::sync::watch;
use tracing::warn;

use crate::backoff::Backoff;
use crate::caches::Caches;
use crate::kinds::{Content, WATCHED};
use crate::metrics::Metrics;
use crate::references::References;
use crate::reports::Reports;
use crate::snapshots::last_credentials;
use crate::surroundings::Surroundings;
use crate::term::Right;
use crate::wanted::Wanted;

/// A plan may ask for Secrets that refer to nothing further; more rounds than these come of changes meanwhile, which ring.
const ROUNDS: u32 = 4;

/// Plans.
pub(crate) struct Planner {
    pub(crate) client: Client,
    pub(crate) caches: Arc<Caches>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) surroundings: watch::Receiver<Surroundings>,
    pub(crate) options: PlanOptions,
    pub(crate) means: Means<'static>,
    pub(crate) right: Right,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) out: watch::Sender<Option<Arc<Wanted>>>,
}

impl Planner {
    /// Plans whenever something changes and this process leads; never ends.
    pub(crate) async fn run(mut self) {
        let mut right = self.right.clone();
        loop {
            right.term(self.lead()).await;
            self.out.send_replace(None);
        }
    }

    /// What the leader does. Nothing is taken over from an earlier term.
    async fn lead(&mut self) {
        let mut references = References::default();
        let mut backoff = Backoff::watch();
        // The credentials of the last plan, whoever made it.
        let mut in_service: Option<Credentials> = None;
        self.caches.bells.plan.ring();
        loop {
            self.caches.bells.plan.changed().await;
            // Whoever completes what is lacking rings.
            if !self.caches.missing().is_empty() || !self.reports.heard() {
                continue;
            }
            let began = Instant::now();
            match self.rebuild(&mut references, &mut in_service).await {
                Ok(plan) => {
                    backoff.reset();
                    self.metrics.rebuilt(began.elapsed());
                    self.out.send_replace(Some(Arc::new(Wanted::of(plan))));
                }
                Err(problem) => {
                    warn!("the plan waits: {problem}");
                    let bells = Arc::clone(&self.caches.bells);
                    let pause = backoff.pause(0);
                    tokio::spawn(async move {
                        tokio::time::sleep(pause).await;
                        bells.plan.ring();
                    });
                }
            }
        }
    }

    async fn rebuild(
        &self,
        references: &mut References,
        in_service: &mut Option<Credentials>,
    ) -> Result<ClusterPlan, String> {
        let mut credentials = match in_service.take() {
            Some(credentials) => credentials,
            None => last_credentials(&self.client, &self.caches).await?,
        };
        for round in 1.. {
            let world = self.world(references, credentials.clone());
            let plan = self.plan(world).await?;
            let changed = references.follow(&self.client, &self.caches, &plan.wanted).await;
            match changed {
                Ok(true) if round < ROUNDS => {}
                Ok(_) => {
                    credentials = Credentials::default();
                    for gateway in plan.gateways.values() {
                        credentials.extend(gateway.credentials.clone());
                    }
                    *in_service = Some(credentials);
                    return Ok(plan);
                }
                Err(unanswered) => {
                    *in_service = Some(credentials);
                    return Err(unanswered.0);
                }
            }
        }
        Err("it does not come to an end".to_owned())
    }

    fn world(&self, references: &References, in_service: Credentials) -> World {
        let mut objects = Vec::new();
        for (index, watched) in WATCHED.iter().enumerate() {
            if watched.content != Content::Named {
                let rows = self.caches.held(index);
                objects.extend(rows.into_iter().filter_map(|(_, row)| row.object.clone()));
            }
        }
        objects.extend(references.objects());
        World {
            objects,
            reports: self.reports.all(),
            in_service,
        }
    }

    /// Plans beside the other tasks.
    async fn plan(&self, world: World) -> Result<ClusterPlan, String> {
        let surroundings = self.surroundings.borrow().clone();
        let options = PlanOptions {
            installed: self.caches.kinds(),
            envoy_gateway_runs: surroundings.envoy_gateway_runs,
            bundle_version: surroundings.bundle_version,
            ..self.options.clone()
        };
        let means = self.means;
        let planned = tokio::task::spawn_blocking(move || plan_cluster(&world, &options, means));
        planned
            .await
            .map_err(|error| format!("the plan cannot be made: {error}"))
    }
}
