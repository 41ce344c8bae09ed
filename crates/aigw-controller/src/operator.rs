//! The operator as a whole: its tasks, and how they end.

use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;

use aigw_plan::cluster::Means;
use kube::Client;
use thiserror::Error as ThisError;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info};

use crate::admin::admin;
use crate::apply::Applier;
use crate::caches::Caches;
use crate::lease::{Candidate, Term};
use crate::metrics::Metrics;
use crate::notice::Notices;
use crate::options::Options;
use crate::planner::Planner;
use crate::reports::{Reader, Reports};
use crate::snapshots::Snapshots;
use crate::surroundings::{self, Surroundings};
use crate::term::Right;
use crate::writer::Writer;

/// The term of an operator that is the only one.
const ALWAYS: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Why an operator ended that was not told to.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The options contradict each other; the text says which.
    #[error("{0}")]
    Options(String),
    /// A task ended, which none does: a defect. Kubernetes starts the process again.
    #[error("a task of the operator ended: {0}")]
    Ended(String),
}

/// Runs until `stop` completes, then gives the Lease back. `admin` serves `/health`, `/ready` and `/metrics`.
pub async fn run(
    client: Client,
    options: Options,
    means: Means<'static>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    if let Some(election) = &options.election {
        election.check().map_err(Error::Options)?;
    }
    let (term, receiver) = watch::channel::<Term>(None);
    let right = Right::new(receiver);
    let caches = Caches::new(client.clone(), &options.namespaces);
    let metrics = Arc::new(Metrics::new());
    let mut tasks = JoinSet::new();
    let routes = admin(Arc::clone(&caches), Arc::clone(&metrics));
    tasks.spawn(async move {
        if let Err(problem) = axum::serve(listener, routes).await {
            error!("the admin port is not served: {problem}");
        }
    });
    begin(&mut tasks, &client, &options, means, &caches, &metrics, &right);

    let (stopping, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        let _ = stopped.await;
    };
    let leading = match options.election {
        Some(election) => {
            let candidate = Candidate::new(client, &options.namespace, &options.identity, election, term);
            tokio::spawn(candidate.run(stopped))
        }
        None => {
            term.send_replace(Some(Instant::now() + ALWAYS));
            tokio::spawn(async move {
                stopped.await;
                term.send_replace(None);
            })
        }
    };
    let ended = tokio::select! {
        () = stop => Ok(()),
        ended = tasks.join_next() => {
            let how = ended.map(|one| one.map_or_else(|error| error.to_string(), |()| "without a word".to_owned()));
            Err(Error::Ended(how.unwrap_or_default()))
        }
    };
    info!("stopping");
    // First the right to write ends, and with it every write; then the lease is free for another operator.
    drop(stopping);
    let _ = leading.await;
    tasks.shutdown().await;
    ended
}

fn begin(
    tasks: &mut JoinSet<()>,
    client: &Client,
    options: &Options,
    means: Means<'static>,
    caches: &Arc<Caches>,
    metrics: &Arc<Metrics>,
    right: &Right,
) {
    let reports = Arc::new(Reports::default());
    let applier = Applier {
        client: client.clone(),
        right: right.clone(),
    };
    let (found, surroundings) = watch::channel(Surroundings::default());
    let (out, wanted) = watch::channel(None);
    let controller = options.plan.controller_name.clone();
    let namespaces = options.namespaces.clone();
    tasks.spawn(surroundings::follow(
        client.clone(),
        namespaces,
        Arc::clone(caches),
        found,
    ));
    let planner = Planner {
        client: client.clone(),
        caches: Arc::clone(caches),
        reports: Arc::clone(&reports),
        surroundings,
        options: options.plan.clone(),
        means,
        right: right.clone(),
        metrics: Arc::clone(metrics),
        out,
    };
    tasks.spawn(planner.run());
    let snapshots = Snapshots {
        applier: applier.clone(),
        caches: Arc::clone(caches),
        reports: Arc::clone(&reports),
        metrics: Arc::clone(metrics),
        wanted: wanted.clone(),
    };
    tasks.spawn(snapshots.run());
    let writer = Writer {
        notices: Notices::new(client.clone(), &controller, &options.identity, right.clone()),
        applier,
        caches: Arc::clone(caches),
        metrics: Arc::clone(metrics),
        controller,
        wanted,
        salt: RandomState::new(),
    };
    tasks.spawn(writer.run());
    let reader = Reader {
        caches: Arc::clone(caches),
        reports,
        metrics: Arc::clone(metrics),
        right: right.clone(),
    };
    tasks.spawn(reader.run());
}
