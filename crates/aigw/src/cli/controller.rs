//! Arguments of the operator.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{ProcessArgs, WatchedArgs, duration};

#[derive(Clone, Debug, Args)]
pub(crate) struct ControllerArgs {
    /// How the cluster is reached (default: the account of the pod, or KUBECONFIG)
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Namespace of this operator, where its lease is (default: that of the account)
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// Name of this operator among several (default: the host's name)
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub(crate) identity: Option<String>,

    #[command(flatten)]
    pub(crate) watched: WatchedArgs,

    /// GatewayClasses with this controllerName are served
    #[arg(
        long,
        env = "AIGW_CONTROLLER_NAME",
        value_name = "NAME",
        default_value = "aigateway.envoyproxy.io/aigw"
    )]
    pub(crate) controller_name: String,

    /// Whether GatewayClasses of Envoy Gateway are served (auto: only while no Envoy Gateway is installed)
    #[arg(
        long,
        env = "AIGW_CLAIM_ENVOY_GATEWAY",
        value_enum,
        default_value_t = ClaimEnvoyGateway::Auto
    )]
    pub(crate) claim_envoy_gateway: ClaimEnvoyGateway,

    /// Serve what policies close that are not honoured (SecurityPolicy, rate limits), in place of answering 503
    #[arg(long, env = "AIGW_SERVE_DESPITE_POLICIES")]
    pub(crate) serve_despite_policies: bool,

    /// Image of aigw in the pods that serve Gateways
    #[arg(long, env = "AIGW_IMAGE", value_name = "IMAGE")]
    pub(crate) image: Option<String>,

    /// Image of Envoy in them
    #[arg(long, env = "AIGW_ENVOY_IMAGE", value_name = "IMAGE")]
    pub(crate) envoy_image: Option<String>,

    /// When nodes fetch these images: Always, IfNotPresent or Never (default: as Kubernetes has it)
    #[arg(long, env = "AIGW_IMAGE_PULL_POLICY", value_name = "POLICY", value_parser = ["Always", "IfNotPresent", "Never"])]
    pub(crate) image_pull_policy: Option<String>,

    /// Secret in the Gateway's namespace to fetch them with; may be given several times
    #[arg(long = "image-pull-secret", value_name = "NAME")]
    pub(crate) image_pull_secrets: Vec<String>,

    /// Whether several operators choose a leader; without, this must be the only one
    #[arg(long, env = "AIGW_LEADER_ELECTION", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) leader_election: bool,

    /// How long the others wait after the leader was last heard of
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub(crate) lease_duration: Duration,

    /// How long the leader goes on without having been able to renew its lease
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) renew_deadline: Duration,

    /// Pause between two tries to get or to renew the lease
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(crate) retry_period: Duration,

    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

/// Whether GatewayClasses of Envoy Gateway are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClaimEnvoyGateway {
    /// Only while no Envoy Gateway is installed
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
