//! What a run has measured: the raw figures, as they are written to JSON.

use serde::Serialize;

use crate::kind::Kind;
use crate::settings::Settings;
use crate::subject::Part;

/// Everything that one run has measured.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Where it ran.
    pub machine: Machine,
    /// How it ran.
    pub settings: Settings,
    /// Throughput, latency and CPU time: one cell a case, subject and round.
    pub cells: Vec<Cell>,
    /// Time to first token with one request in flight: one a case, subject and round.
    pub first_tokens: Vec<FirstToken>,
    /// Memory of each process but the upstream.
    pub memory: Vec<Footprint>,
}

/// The machine that a run was made on.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Model name of the processor.
    pub processor: String,
    /// Cores that the run may use.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
}

/// One slice: one subject in one case in one round.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// Name of the case.
    pub case: &'static str,
    /// Who was loaded.
    pub subject: Kind,
    /// Which round, from 0.
    pub round: u32,
    /// Requests answered.
    pub requests: usize,
    /// Requests a second.
    pub throughput: f64,
    /// Median latency, microseconds.
    pub p50_us: f64,
    /// 99th percentile of the latency, microseconds.
    pub p99_us: f64,
    /// CPU time of all the subject's processes a request, microseconds; `None` for direct.
    pub cpu_us: Option<f64>,
    /// Of it, Envoy's; `None` where no Envoy is.
    pub envoy_cpu_us: Option<f64>,
    /// Of it, that of the server in Rust; `None` where there is none.
    pub server_cpu_us: Option<f64>,
}

/// Time from sending a request to the first bytes of its answer's body.
#[derive(Debug, Clone, Serialize)]
pub struct FirstToken {
    /// Name of the case.
    pub case: &'static str,
    /// Who was asked.
    pub subject: Kind,
    /// Which round, from 0.
    pub round: u32,
    /// Median, microseconds.
    pub p50_us: f64,
    /// 99th percentile, microseconds.
    pub p99_us: f64,
}

/// Resident memory of one process.
#[derive(Debug, Clone, Serialize)]
pub struct Footprint {
    /// Whose.
    pub subject: Kind,
    /// Which of its processes.
    pub part: Part,
    /// After start, before the first request, KiB.
    pub idle_kib: u64,
    /// The most of the whole run, KiB.
    pub peak_kib: u64,
}

impl Machine {
    /// Asks the system; what it does not say is `unknown`.
    pub fn inspect() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processor = processor(&read("/proc/cpuinfo")).unwrap_or("unknown").to_owned();
        let kernel = read("/proc/sys/kernel/osrelease");
        let kernel = if kernel.is_empty() {
            "unknown"
        } else {
            kernel.trim()
        }
        .to_owned();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        Self {
            processor,
            cores,
            kernel,
        }
    }
}

fn processor(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim())
}

#[cfg(test)]
pub(crate) mod sample {
    //! Runs for tests.

    use super::{Cell, Machine, Run};
    use crate::kind::Kind;
    use crate::settings::Settings;

    /// A slice of one request, with this CPU time and throughput.
    pub(crate) fn cell(
        case: &'static str,
        subject: Kind,
        round: u32,
        (cpu_us, throughput): (f64, f64),
    ) -> Cell {
        Cell {
            case,
            subject,
            round,
            requests: 1,
            throughput,
            p50_us: 1.0,
            p99_us: 1.0,
            cpu_us: Some(cpu_us),
            envoy_cpu_us: None,
            server_cpu_us: Some(cpu_us),
        }
    }

    pub(crate) fn run(cells: Vec<Cell>) -> Run {
        Run {
            machine: Machine {
                processor: "P".to_owned(),
                cores: 2,
                kernel: "K".to_owned(),
            },
            settings: Settings {
                effort: "full",
                rounds: 3,
                slice_seconds: Some(1.0),
                connections: 16,
                workers: 2,
                one_in_flight: 10,
            },
            cells,
            first_tokens: Vec::new(),
            memory: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::processor;

    #[test]
    fn processor_is_the_first_model_name() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: A Processor @ 2.00GHz\n";
        assert_eq!(processor(cpuinfo), Some("A Processor @ 2.00GHz"));
        assert_eq!(processor("processor\t: 0\n"), None);
    }
}
