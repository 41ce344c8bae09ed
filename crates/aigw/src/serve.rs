//! Serving, whatever the host is: input, telemetry, admin port, reloads, and the end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aigw_mock::Options;
use aigw_runtime::{Gateway, LogFormat, Telemetry, Watcher};
use serde_json::json;
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use crate::cli::{self, ServeArgs, say};
use crate::demo;
use crate::front::{Front, Kind};
use crate::input::{Input, Ready};
use crate::process::{self, Failure, start_log, stop_signal, write_ready_file};

/// Serves until a signal comes.
pub(crate) fn start(args: ServeArgs, listen: Option<String>, kind: Kind) -> Result<ExitCode, Failure> {
    start_log(args.log_format);
    process::raise_file_limit();
    let runtime = process::runtime(process::workers(args.workers))?;
    let ended = runtime.block_on(serve(args, listen, kind));
    // Whoever does not read the log holds up its writing, but not the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn serve(args: ServeArgs, listen: Option<String>, mut kind: Kind) -> Result<ExitCode, Failure> {
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
    let mut ready = input
        .read(listen.as_deref())
        .map_err(|found| format!("the configuration cannot be used:\n{found}"))?;
    report(&ready);
    kind.settle(&mut ready.live).await?;

    let telemetry = telemetry(&args);
    let sink = Arc::clone(&telemetry);
    let Ready { live, files, .. } = ready;
    telemetry.metrics().serving(&live.snapshot.version);
    let gateway = Arc::new(Gateway::new(live, Box::new(move |record| sink.record(record))));
    tokio::spawn(Arc::clone(&telemetry).run());

    let admin = TcpListener::bind(args.admin)
        .await
        .map_err(|error| format!("cannot listen on the admin address {}: {error}", args.admin))?;
    let admin_address = admin.local_addr()?;
    let mut front = Front::open(kind, Arc::clone(&gateway), &telemetry).await?;
    let routes = aigw_runtime::admin(Arc::clone(&gateway), Arc::clone(&telemetry));
    let routes = front.add_routes(routes);
    tokio::spawn(async move { axum::serve(admin, routes).await });
    front.begin().await?;

    let stop = stop_signal();
    let addresses = front.addresses();
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

    let reload = Reload {
        input,
        listen,
        gateway: Arc::clone(&gateway),
        telemetry: Arc::clone(&telemetry),
    };
    tokio::select! {
        () = stop => {}
        () = reload.run(watcher, &files, &mut front) => {}
    }
    info!(
        "stopping; requests that are under way have {:?} to end",
        args.drain_timeout
    );
    let whole = front.drain(args.drain_timeout).await;
    let last = tokio::task::spawn_blocking(move || telemetry.flush());
    let _ = tokio::time::timeout(Duration::from_secs(1), last).await;
    if !whole {
        warn!("some requests were cut at the end of the drain timeout");
    }
    Ok(ExitCode::SUCCESS)
}

fn telemetry(args: &ServeArgs) -> Arc<Telemetry> {
    let format = args.access_log.then_some(match args.log_format {
        cli::LogFormat::Text => LogFormat::Text,
        cli::LogFormat::Json => LogFormat::Json,
    });
    Telemetry::new(format, Box::new(std::io::stdout()))
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

fn report(ready: &Ready) {
    for finding in ready.diagnostics.iter() {
        match finding.severity {
            aigw_config::Severity::Error => error!("{finding}"),
            aigw_config::Severity::Warning => warn!("{finding}"),
        }
    }
}

/// Takes over what changes.
struct Reload {
    input: Input,
    listen: Option<String>,
    gateway: Arc<Gateway>,
    telemetry: Arc<Telemetry>,
}

impl Reload {
    /// Reads the input again whenever one of its files changes; a bad one changes nothing. Never ends.
    async fn run(&self, watcher: Option<Watcher>, files: &[std::path::PathBuf], front: &mut Front) {
        let Some(mut watcher) = watcher else {
            return std::future::pending().await;
        };
        watcher.watch(files);
        loop {
            watcher.changed().await;
            match self.input.read(self.listen.as_deref()) {
                Err(found) => {
                    self.telemetry.metrics().reloaded(false);
                    error!("the changed configuration cannot be used; the last good one goes on:\n{found}");
                }
                Ok(ready) => {
                    report(&ready);
                    watcher.watch(&ready.files);
                    self.take_over(ready, front).await;
                }
            }
        }
    }

    /// Serves the new configuration, or goes on as before when the host cannot.
    async fn take_over(&self, ready: Ready, front: &mut Front) {
        let version = ready.live.snapshot.version.clone();
        let metrics = self.telemetry.metrics();
        if let Err(problem) = front.adopt(ready.live, &self.gateway).await {
            metrics.reloaded(false);
            error!("the changed configuration cannot be served; the last good one goes on: {problem}");
            return;
        }
        metrics.reloaded(true);
        metrics.serving(&version);
        info!("configuration {version} is served");
    }
}
