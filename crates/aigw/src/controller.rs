//! `aigw controller`: the operator of a cluster.

use std::process::ExitCode;
use std::time::Duration;

use aigw_controller::{Election, Options, Place, connect, run};
use aigw_plan::cluster::{Claim, Means, Options as PlanOptions};
use aigw_plan::workload::{Images, WorkloadOptions};
use aigw_translate::host::Registry;
use serde_json::json;
use tokio::net::TcpListener;
use tracing::info;

use crate::cli::{ClaimEnvoyGateway, ControllerArgs};
use crate::process::{self, Failure, start_log, stop_signal, write_ready_file};

/// What data planes of this release can serve.
pub(crate) const MEANS: Means<'static> = Means {
    capabilities: &Registry,
    check_certificate: aigw_proxy::check_certificate,
};

/// Runs until a signal comes.
pub(crate) fn controller(args: ControllerArgs) -> Result<ExitCode, Failure> {
    start_log(args.process.log_format);
    let runtime = process::runtime(process::workers(None).min(4))?;
    let ended = runtime.block_on(operate(args));
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn operate(args: ControllerArgs) -> Result<ExitCode, Failure> {
    let client = connect(&Place {
        kubeconfig: args.kubeconfig.clone(),
        context: None,
    })
    .await?;
    let options = Options {
        namespace: args
            .namespace
            .clone()
            .unwrap_or_else(|| client.default_namespace().to_owned()),
        identity: args.identity.clone().unwrap_or_else(host_name),
        namespaces: args.watched.namespaces.clone(),
        election: args.leader_election.then(|| Election {
            duration: args.lease_duration,
            renew_deadline: args.renew_deadline,
            retry: args.retry_period,
            ..Election::default()
        }),
        plan: plan_options(&args),
    };
    let admin = TcpListener::bind(args.process.admin).await.map_err(|error| {
        format!(
            "cannot listen on the admin address {}: {error}",
            args.process.admin
        )
    })?;
    let address = admin.local_addr()?;
    info!(
        "operator {} of {} (admin http://{address})",
        options.identity, options.namespace
    );
    let stop = stop_signal();
    write_ready_file(
        args.process.ready_file.as_deref(),
        &json!({"admin": address.to_string()}),
    )?;
    run(client, options, MEANS, admin, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// How an operator that is told this plans.
pub(crate) fn plan_options(args: &ControllerArgs) -> PlanOptions {
    PlanOptions {
        controller_name: args.controller_name.clone(),
        claim: match args.claim_envoy_gateway {
            ClaimEnvoyGateway::Auto => Claim::Auto,
            ClaimEnvoyGateway::Always => Claim::Always,
            ClaimEnvoyGateway::Never => Claim::Never,
        },
        serve_despite_policies: args.serve_despite_policies,
        workload: workload(args),
        ..PlanOptions::default()
    }
}

/// What serves Gateways that say nothing else.
fn workload(args: &ControllerArgs) -> WorkloadOptions {
    let own = Images::default();
    WorkloadOptions {
        images: Images {
            aigw: args.image.clone().unwrap_or(own.aigw),
            envoy: args.envoy_image.clone().unwrap_or(own.envoy),
            pull_policy: args.image_pull_policy.clone(),
            pull_secrets: args.image_pull_secrets.clone(),
        },
        ..WorkloadOptions::default()
    }
}

/// The host's name, which is the pod's in a pod; beside it a number that another process on the host has not.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{}", name.trim(), std::process::id())
}
