//! The command line: types only.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Say what is wrong with configuration files, and serve nothing
    Check(CheckArgs),
    /// Say what a request for a model would meet: route, backends, paths, authentication, losses
    Explain(ExplainArgs),
    /// Show the providers that are known and how they are reached
    Providers(ProvidersArgs),
    /// Serve mock providers for tests and demonstrations
    Mock(MockArgs),
    /// Ask a running gateway whether it is ready (for container health checks)
    Healthcheck(HealthcheckArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// Files or directories: the native form or Kubernetes manifests. Without any, providers come from the
    /// environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, …; `aigw providers` lists them)
    #[arg(value_name = "FILE|DIR")]
    pub(crate) inputs: Vec<PathBuf>,

    /// Serve built-in mock providers; needs no keys
    #[arg(long, conflicts_with = "inputs")]
    pub(crate) demo: bool,

    /// Where clients connect; replaces the address of the only HTTP listener of the input
    #[arg(long, env = "AIGW_LISTEN", value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,

    /// Where health, metrics and configuration are shown
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
