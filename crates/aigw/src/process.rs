//! What every long-running command does: log, threads, signals, the ready file.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::task::Poll;

use crate::cli;

pub(crate) type Failure = Box<dyn std::error::Error>;

/// Threads for `asked` workers, or one a core.
pub(crate) fn workers(asked: Option<u16>) -> usize {
    let cores = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .min(16);
    asked.map_or(cores, usize::from)
}

/// As many open files as the system allows: two for each request soon come to more than the usual first limit. An Envoy of ours
/// inherits it.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // What there is goes on to do.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// The threads.
pub(crate) fn runtime(workers: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
}

/// Logs go to standard error, so that the access log has standard output for itself.
pub(crate) fn start_log(format: cli::LogFormat) {
    // The client of Kubernetes tells of every failed try; what becomes of it is told once, by whoever tried.
    let filter = tracing_subscriber::EnvFilter::try_from_env("AIGW_LOG")
        .unwrap_or_else(|_| "info,kube_client=off".into());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        cli::LogFormat::Text => log.try_init(),
        cli::LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    if let Err(problem) = started {
        cli::complain(&format!("the log cannot be started: {problem}"));
    }
}

/// Completes at the first signal to stop. From the call on, and not only once it is awaited, such a signal does not end the process
/// by itself: call it before anybody is told that the process serves.
pub(crate) fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
    let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    async move {
        std::future::poll_fn(
            |cx| match signals.iter_mut().any(|one| one.poll_recv(cx).is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            },
        )
        .await;
    }
}

/// Writes the file in one step, so that a reader never sees half of it.
pub(crate) fn write_ready_file(path: Option<&Path>, value: &serde_json::Value) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let partial = path.with_extension("partial");
    let mut file = std::fs::File::create(&partial)
        .map_err(|error| format!("cannot write {}: {error}", partial.display()))?;
    writeln!(file, "{value}")?;
    std::fs::rename(&partial, path)?;
    Ok(())
}
