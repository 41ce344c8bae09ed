//! Serving, whatever the host is: configuration, telemetry, the ports that show the process, changes, and the end.

use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aigw_runtime::{Gateway, LogFormat, Status, Telemetry};
use axum::Router;
use serde_json::json;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::cli::{self, ServeArgs, say};
use crate::demo;
use crate::feed::{Feed, News};
use crate::front::{Front, Kind};
use crate::process::{self, Failure, start_log, stop_signal, write_ready_file};

/// Serves until a signal comes.
///
/// `prepare` is called before any port opens.
pub(crate) fn start(
    args: ServeArgs,
    listen: Option<String>,
    kind: Kind,
    prepare: impl FnOnce() -> Result<(), Failure>,
) -> Result<ExitCode, Failure> {
    start_log(args.process.log_format);
    process::raise_file_limit();
    let runtime = process::runtime(process::workers(args.workers))?;
    // First of all: to the first process of a container a signal that it does not await does nothing, and no other follows.
    let stop = {
        let _inside = runtime.enter();
        stop_signal()
    };
    prepare()?;
    let ended = runtime.block_on(serve(args, listen, kind, stop));
    // Whoever does not read the log holds up its writing, but not the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn serve(
    args: ServeArgs,
    listen: Option<String>,
    mut kind: Kind,
    stop: impl Future<Output = ()>,
) -> Result<ExitCode, Failure> {
    let mut stop = pin!(stop);
    let telemetry = telemetry(&args);
    let status = Status::new(Arc::clone(&telemetry));
    let mut feed = Feed::open(&args, listen, &status).await?;
    let admin_address = show(
        "admin",
        args.process.admin,
        aigw_runtime::admin(Arc::clone(&status)),
    )
    .await?;
    let status_address = match args.status {
        Some(address) => Some(show("status", address, aigw_runtime::status(Arc::clone(&status))).await?),
        None => None,
    };
    tokio::spawn(Arc::clone(&telemetry).run());
    let News { mut live, origin, .. } = tokio::select! {
        news = feed.next() => news,
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    kind.settle(&mut live).await?;

    let sink = Arc::clone(&telemetry);
    telemetry.metrics().serving(&live.snapshot.version);
    let gateway = Arc::new(Gateway::new(live, Box::new(move |record| sink.record(record))));
    let mut front = Front::open(kind, Arc::clone(&gateway), &telemetry).await?;
    status.runs(Arc::clone(&gateway), front.view(&gateway));
    let began = tokio::select! {
        began = front.begin() => Some(began),
        () = &mut stop => None,
    };
    match began {
        Some(began) => began?,
        None => {
            front.drain(Duration::ZERO).await;
            return Ok(ExitCode::SUCCESS);
        }
    }
    status.begins();
    feed.serves(origin, Arc::clone(&gateway.load().snapshot)).await;

    let addresses = front.addresses();
    for address in &addresses {
        info!("listening on {address} (admin http://{admin_address})");
    }
    let first = addresses.first().cloned().unwrap_or_default();
    if args.demo {
        say(&demo::invitation(&first));
    }
    let mut ready = json!({"gateway": first, "listeners": addresses, "admin": admin_address.to_string()});
    if let Some(address) = status_address {
        ready["status"] = json!(address.to_string());
    }
    write_ready_file(args.process.ready_file.as_deref(), &ready)?;

    tokio::select! {
        () = &mut stop => {}
        () = follow(&mut feed, &gateway, &telemetry, &mut front) => {}
    }
    let grace = status.grace(args.drain_timeout);
    info!("stopping; requests that are under way have {grace:?} to end");
    let whole = front.drain(grace).await;
    let last = tokio::task::spawn_blocking(move || telemetry.flush());
    let _ = tokio::time::timeout(Duration::from_secs(1), last).await;
    if !whole {
        warn!("some requests were cut at the end of the drain timeout");
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a port that shows the process.
async fn show(name: &str, address: SocketAddr, routes: Router) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on the {name} address {address}: {error}"))?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

fn telemetry(args: &ServeArgs) -> Arc<Telemetry> {
    let format = args.access_log.then_some(match args.process.log_format {
        cli::LogFormat::Text => LogFormat::Text,
        cli::LogFormat::Json => LogFormat::Json,
    });
    Telemetry::new(format, Box::new(std::io::stdout()))
}

/// Serves what comes, or goes on as before when the host cannot. Never ends.
async fn follow(feed: &mut Feed, gateway: &Arc<Gateway>, telemetry: &Telemetry, front: &mut Front) {
    loop {
        let News { live, is_new, origin } = feed.next().await;
        let adopted = match is_new {
            true => front.adopt(live, gateway).await,
            // Exchanges that have begun keep the credentials they began with.
            false => front.renew(live.credentials, gateway).await,
        };
        if let Err(problem) = adopted {
            feed.refuses(origin, &problem.to_string());
            continue;
        }
        let snapshot = Arc::clone(&gateway.load().snapshot);
        let metrics = telemetry.metrics();
        metrics.reloaded(true);
        metrics.serving(&snapshot.version);
        match is_new {
            true => info!("configuration {} is served", snapshot.version),
            false => info!("new credentials are used"),
        }
        feed.serves(origin, snapshot).await;
    }
}
