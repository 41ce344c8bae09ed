//! The command line, and what it makes of the run.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::kind::{Group, Kind};
use crate::load::Until;

/// Measures direct-to-upstream, two bare hyper proxies, Envoy and aigw side by side.
#[derive(Debug, Clone, clap::Parser)]
#[command(version, about)]
pub struct Flags {
    /// The aigw binary [default: next to this one].
    #[arg(long, value_name = "PATH")]
    pub aigw: Option<PathBuf>,
    /// Measure the baselines alone; no bar can be judged.
    #[arg(long, conflicts_with = "aigw")]
    pub without_aigw: bool,
    /// About a minute: shows the order of things, not figures to quote.
    #[arg(long)]
    pub quick: bool,
    /// A few requests each: shows that everything answers, measures nothing.
    #[arg(long, conflicts_with = "quick")]
    pub smoke: bool,
    /// Exit with an error where a bar is missed or could not be judged.
    #[arg(long)]
    pub enforce: bool,
    /// Interleaved rounds.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// Seconds of one slice, which is one subject in one case in one round.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Connections, each with one request in flight.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Worker threads of every server.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub workers: u32,
    /// Only this group [default: native and envoy].
    #[arg(long, value_name = "GROUP")]
    pub only: Option<Group>,
    /// Only these subjects of it; ratios need both of theirs.
    #[arg(long, value_delimiter = ',', value_name = "NAME", hide_possible_values = true)]
    pub subjects: Vec<Kind>,
    /// Only cases with these names.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub cases: Vec<String>,
    /// Directory of the report, the raw figures and aigw's log while it runs.
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    pub out: PathBuf,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Interleaved rounds.
    pub rounds: u32,
    /// A slice of a proxy.
    pub slice: Until,
    /// A slice of direct, whose CPU time is not measured.
    pub direct_slice: Until,
    /// What runs before each slice and is not counted.
    pub warm_up: Until,
    /// Requests a subject, case and round with one in flight.
    pub one_in_flight: u32,
    /// Quiet time after start before idle memory is read.
    pub settle: Duration,
}

/// What of the effort stands in the report.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// `full`, `quick` or `smoke`.
    pub effort: &'static str,
    /// Interleaved rounds.
    pub rounds: u32,
    /// Seconds of one slice; `None` where requests were counted.
    pub slice_seconds: Option<f64>,
    /// Connections of the load generator.
    pub connections: u32,
    /// Worker threads of every server.
    pub workers: u32,
    /// Requests a subject, case and round with one in flight.
    pub one_in_flight: u32,
}

impl Flags {
    /// How much is to be measured.
    pub fn effort(&self) -> Effort {
        if self.smoke {
            return Effort {
                rounds: self.rounds.unwrap_or(1),
                slice: Until::Requests(4),
                direct_slice: Until::Requests(4),
                warm_up: Until::Requests(1),
                one_in_flight: 4,
                settle: Duration::ZERO,
            };
        }
        let (rounds, seconds, one_in_flight) = if self.quick { (3, 0.5, 200) } else { (9, 1.3, 1000) };
        let seconds = self.seconds.unwrap_or(seconds).clamp(0.01, 3600.0);
        let elapsed = |share: f64| Until::Elapsed(Duration::from_secs_f64(seconds * share));
        Effort {
            rounds: self.rounds.unwrap_or(rounds),
            slice: elapsed(1.0),
            direct_slice: elapsed(0.5),
            warm_up: elapsed(0.1),
            one_in_flight,
            settle: Duration::from_secs(1),
        }
    }

    /// The effort, for the report.
    pub fn settings(&self) -> Settings {
        let effort = self.effort();
        let slice_seconds = match effort.slice {
            Until::Elapsed(time) => Some(time.as_secs_f64()),
            Until::Requests(_) => None,
        };
        Settings {
            effort: if self.smoke {
                "smoke"
            } else if self.quick {
                "quick"
            } else {
                "full"
            },
            rounds: effort.rounds,
            slice_seconds,
            connections: self.connections,
            workers: self.workers,
            one_in_flight: effort.one_in_flight,
        }
    }
}
