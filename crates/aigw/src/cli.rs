//! The command line: types only.

mod cluster;
mod controller;
mod serving;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use cluster::{
    CheckArgs, CleanupArgs, CrdsApplyArgs, CrdsArgs, CrdsCommand, DoctorArgs, Output, WatchedArgs,
};
pub(crate) use controller::{ClaimEnvoyGateway, ControllerArgs};
pub(crate) use serving::{DataPath, EnvoyArgs, ExtprocArgs, ProxyArgs, RunArgs, ServeArgs};

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
    /// Say what is wrong with configuration files, or with what a cluster holds, and serve nothing
    Check(CheckArgs),
    /// Examine a cluster's operator, definitions, rights, Gateways and credentials; say what to do about what is not well
    Doctor(DoctorArgs),
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

/// What the gateway and the operator have in common as processes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProcessArgs {
    /// Where health, readiness and metrics are shown; a gateway also shows its configuration there and is asked to drain
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

#[derive(Clone, Debug, Args)]
pub(crate) struct ProvidersArgs {
    /// Print the table as Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
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
