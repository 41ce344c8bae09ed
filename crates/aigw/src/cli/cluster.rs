//! The command line, continued: commands that look at a cluster or bring something into it.

use std::path::PathBuf;

use aigw_controller::Place;
use clap::{Args, Subcommand, ValueEnum};

/// The cluster that is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The cluster (default: that of KUBECONFIG, else of ~/.kube/config, else the one this runs in)
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig (default: its current one)
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

impl PlaceArgs {
    /// Whether a cluster is named at all.
    pub(crate) fn is_given(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some()
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }
}

/// The namespaces that an operator looks at, said to it and to what removes what it has made.
#[derive(Clone, Debug, Args)]
pub(crate) struct WatchedArgs {
    /// Look at this namespace only; may be given several times, or as a list with commas
    #[arg(
        long = "watch-namespace",
        env = "AIGW_WATCH_NAMESPACES",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(crate) namespaces: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// Files or directories
    #[arg(
        value_name = "FILE|DIR",
        required_unless_present_any = ["kubeconfig", "context"],
        conflicts_with_all = ["kubeconfig", "context", "namespaces"]
    )]
    pub(crate) inputs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Look at this namespace of the cluster only; may be given several times, or as a list with commas
    #[arg(short = 'n', long = "namespace", value_name = "NAME", value_delimiter = ',')]
    pub(crate) namespaces: Vec<String>,

    /// Fail on warnings too, such as a reference to an object that is not in the input
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Look at this namespace only; may be given several times, or as a list with commas
    #[arg(short = 'n', long = "namespace", value_name = "NAME", value_delimiter = ',')]
    pub(crate) namespaces: Vec<String>,

    /// Form of what is said
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Form of what a command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// One JSON object
    Json,
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
    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Objects to apply when the definitions are served, as YAML; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) then: Vec<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CleanupArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    #[command(flatten)]
    pub(crate) watched: WatchedArgs,

    /// Delete these objects as well, such as those that `aigw crds apply --then` has applied
    #[arg(long, value_name = "FILE")]
    pub(crate) objects: Vec<PathBuf>,

    /// Delete the definitions as well of whose kinds there is no object
    #[arg(long)]
    pub(crate) definitions: bool,
}
