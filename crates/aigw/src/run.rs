//! `aigw run`: starts everything, reloads what changes, and drains at a signal.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aigw_mock::Options;
use aigw_proxy::{Proxies, Server, Upstreams};
use aigw_runtime::{Gateway, Live, LogFormat, Telemetry, Watcher};
use serde_json::json;
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use crate::cli::{self, RunArgs, say};
use crate::demo;
use crate::input::{Input, Ready};

type Failure = Box<dyn std::error::Error>;

/// Serves until a signal comes.
pub(crate) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    start_log(args.log_format);
    let cores = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .min(16);
    let workers = args.workers.map_or(cores, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(serve(args));
    // Whoever does not read the log holds up its writing, but not the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn serve(args: RunArgs) -> Result<ExitCode, Failure> {
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
    let ready = input
        .read(args.listen.as_deref())
        .map_err(|found| format!("the configuration cannot be used:\n{found}"))?;
    report(&ready);

    let format = args.access_log.then_some(match args.log_format {
        cli::LogFormat::Text => LogFormat::Text,
        cli::LogFormat::Json => LogFormat::Json,
    });
    let telemetry = Telemetry::new(format, Box::new(std::io::stdout()));
    let sink = Arc::clone(&telemetry);
    let Ready { live, files, .. } = ready;
    telemetry.metrics().serving(&live.snapshot.version);
    let gateway = Arc::new(Gateway::new(live, Box::new(move |record| sink.record(record))));
    tokio::spawn(Arc::clone(&telemetry).run());

    let admin = TcpListener::bind(args.admin)
        .await
        .map_err(|error| format!("cannot listen on the admin address {}: {error}", args.admin))?;
    let admin_address = admin.local_addr()?;
    let routes = aigw_runtime::admin(Arc::clone(&gateway), Arc::clone(&telemetry));
    tokio::spawn(async move { axum::serve(admin, routes).await });

    let mut server = aigw_proxy::serve(Arc::clone(&gateway), Upstreams::new(Proxies::from_env())).await?;
    let addresses: Vec<String> = server
        .addresses()
        .iter()
        .map(|(_, address)| address.to_string())
        .collect();
    for address in &addresses {
        info!("listening on {address} (admin http://{admin_address})");
    }
    let first = addresses.first().cloned().unwrap_or_default();
    if args.demo {
        say(&demo::invitation(&first));
    }
    write_ready_file(
        args.ready_file.as_deref(),
        &json!({"gateway": first, "listeners": addresses, "admin": admin_address.to_string()}),
    )?;

    let reload = reload(
        input,
        args.listen,
        watcher,
        &files,
        &mut server,
        Arc::clone(&gateway),
        Arc::clone(&telemetry),
    );
    tokio::select! {
        () = stop_signal() => {}
        () = reload => {}
    }
    info!(
        "stopping; requests that are under way have {:?} to end",
        args.drain_timeout
    );
    let whole = server.drain(args.drain_timeout).await;
    let last = tokio::task::spawn_blocking(move || telemetry.flush());
    let _ = tokio::time::timeout(Duration::from_secs(1), last).await;
    if !whole {
        warn!("some requests were cut at the end of the drain timeout");
    }
    Ok(ExitCode::SUCCESS)
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

/// Reads the input again whenever one of its files changes; a bad one changes nothing. Never ends.
async fn reload(
    input: Input,
    listen: Option<String>,
    watcher: Option<Watcher>,
    files: &[std::path::PathBuf],
    server: &mut Server,
    gateway: Arc<Gateway>,
    telemetry: Arc<Telemetry>,
) {
    let Some(mut watcher) = watcher else {
        return std::future::pending().await;
    };
    watcher.watch(files);
    loop {
        watcher.changed().await;
        match input.read(listen.as_deref()) {
            Err(found) => {
                telemetry.metrics().reloaded(false);
                error!("the changed configuration cannot be used; the last good one goes on:\n{found}");
            }
            Ok(ready) => {
                report(&ready);
                watcher.watch(&ready.files);
                take_over(ready, server, &gateway, &telemetry).await;
            }
        }
    }
}

/// Serves the new configuration on its listeners, or goes on as before when one of them cannot be opened.
async fn take_over(ready: Ready, server: &mut Server, gateway: &Gateway, telemetry: &Telemetry) {
    let version = ready.live.snapshot.version.clone();
    let before = Live::clone(&gateway.load());
    gateway.swap(ready.live);
    if let Err(problem) = server.follow().await {
        gateway.swap(before);
        telemetry.metrics().reloaded(false);
        error!("the changed configuration cannot be served; the last good one goes on: {problem}");
        return;
    }
    telemetry.metrics().reloaded(true);
    telemetry.metrics().serving(&version);
    info!("configuration {version} is served");
}

fn report(ready: &Ready) {
    for finding in ready.diagnostics.iter() {
        match finding.severity {
            aigw_config::Severity::Error => error!("{finding}"),
            aigw_config::Severity::Warning => warn!("{finding}"),
        }
    }
}

/// Logs go to standard error, so that the access log has standard output for itself.
fn start_log(format: cli::LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("AIGW_LOG").unwrap_or_else(|_| "info".into());
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

/// Completes at the first signal to stop.
pub(crate) async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
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
