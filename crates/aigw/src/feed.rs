//! Configurations while the process serves: the first one, and those that come after it.

use std::path::PathBuf;
use std::sync::Arc;

use aigw_config::Snapshot;
use aigw_mock::Options;
use aigw_runtime::{Arrived, Cluster, Live, Status, Watcher};
use aigw_translate::host::Registry;
use tokio::net::TcpListener;
use tracing::{error, warn};

use crate::cli::ServeArgs;
use crate::demo;
use crate::input::{Input, Ready};
use crate::process::Failure;

/// Where they come from.
pub(crate) enum Feed {
    /// Files, the environment or the demo.
    Input(Box<Inputs>),
    /// The operator's snapshots.
    Cluster(Box<Cluster>),
}

/// What was read, and what may change.
pub(crate) struct Inputs {
    input: Input,
    listen: Option<String>,
    watcher: Option<Watcher>,
    first: Option<Ready>,
    status: Arc<Status>,
}

/// A configuration to serve.
pub(crate) struct News {
    pub(crate) live: Live,
    /// False when nothing but credentials is new.
    pub(crate) is_new: bool,
    pub(crate) origin: Origin,
}

/// What it was, for the answer whether it is served.
pub(crate) enum Origin {
    Input(Vec<PathBuf>),
    Cluster(Box<Arrived>),
}

impl Feed {
    /// Reads files at once, so that bad ones end the command; a cluster is read when it is asked.
    pub(crate) async fn open(
        args: &ServeArgs,
        listen: Option<String>,
        status: &Arc<Status>,
    ) -> Result<Self, Failure> {
        let status = Arc::clone(status);
        if let Some(name) = args.snapshot.clone() {
            if let Some(directory) = &args.state {
                std::fs::create_dir_all(directory).map_err(|error| {
                    format!("cannot keep the snapshot in {}: {error}", directory.display())
                })?;
            }
            let client = kube::Client::try_default()
                .await
                .map_err(|error| format!("it is not known how to reach the cluster: {error}"))?;
            let cluster = Cluster::new(client, name, args.state.as_deref(), status);
            return Ok(Self::Cluster(Box::new(cluster)));
        }
        let input = match (args.demo, args.inputs.is_empty()) {
            (true, _) => Input::Demo(start_mock().await?),
            (false, true) => Input::Environment,
            (false, false) => Input::Files(args.inputs.clone()),
        };
        // Before the first reading, so that no change after it is missed.
        let watcher = match &input {
            Input::Files(roots) => Some(Watcher::new(roots.clone(), Vec::new())),
            Input::Environment | Input::Demo(_) => None,
        };
        let first = input
            .read(listen.as_deref())
            .map_err(|found| format!("the configuration cannot be used:\n{found}"))?;
        Ok(Self::Input(Box::new(Inputs {
            input,
            listen,
            watcher,
            first: Some(first),
            status,
        })))
    }

    /// The next one that can be compiled; bad ones are reported and change nothing. Never ends by itself.
    pub(crate) async fn next(&mut self) -> News {
        match self {
            Self::Input(inputs) => {
                let Ready {
                    live,
                    diagnostics,
                    files,
                } = inputs.next().await;
                for finding in diagnostics.iter() {
                    match finding.severity {
                        aigw_config::Severity::Error => error!("{finding}"),
                        aigw_config::Severity::Warning => warn!("{finding}"),
                    }
                }
                News {
                    live,
                    is_new: true,
                    origin: Origin::Input(files),
                }
            }
            Self::Cluster(cluster) => loop {
                let arrived = cluster.next().await;
                match cluster.compile(&arrived, &Registry) {
                    Ok((live, is_new)) => {
                        let origin = Origin::Cluster(Box::new(arrived));
                        return News { live, is_new, origin };
                    }
                    Err(found) => cluster.refuses(&arrived, "unusable", &found.to_string()),
                }
            },
        }
    }

    /// Says that what came is served, as `snapshot`.
    pub(crate) async fn serves(&mut self, origin: Origin, snapshot: Arc<Snapshot>) {
        match (self, origin) {
            (Self::Input(inputs), Origin::Input(files)) => {
                if let Some(watcher) = &mut inputs.watcher {
                    watcher.watch(&files);
                }
            }
            (Self::Cluster(cluster), Origin::Cluster(arrived)) => cluster.serves(*arrived, snapshot).await,
            _ => {}
        }
    }

    /// Says that the host cannot serve what came.
    pub(crate) fn refuses(&mut self, origin: Origin, problem: &str) {
        match (self, origin) {
            (Self::Input(inputs), Origin::Input(files)) => {
                if let Some(watcher) = &mut inputs.watcher {
                    watcher.watch(&files);
                }
                inputs.status.telemetry.metrics().reloaded(false);
                error!("the changed configuration cannot be served; the last good one goes on: {problem}");
            }
            (Self::Cluster(cluster), Origin::Cluster(arrived)) => cluster.refuses(&arrived, "host", problem),
            _ => {}
        }
    }
}

impl Inputs {
    async fn next(&mut self) -> Ready {
        if let Some(first) = self.first.take() {
            return first;
        }
        let Some(watcher) = &mut self.watcher else {
            return std::future::pending().await;
        };
        loop {
            watcher.changed().await;
            match self.input.read(self.listen.as_deref()) {
                Ok(ready) => return ready,
                Err(found) => {
                    self.status.telemetry.metrics().reloaded(false);
                    error!("the changed configuration cannot be used; the last good one goes on:\n{found}");
                }
            }
        }
    }
}

async fn start_mock() -> Result<std::net::SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let options = Options {
        keys: vec![demo::KEY.to_owned()],
        ..Options::default()
    };
    tokio::spawn(async move { aigw_mock::serve(listener, options, std::future::pending()).await });
    Ok(address)
}
