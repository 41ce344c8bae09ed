//! The interleaved rounds: in each, every subject gets a short slice of every case, in a rotating order.

use std::path::PathBuf;
use std::time::Duration;

use crate::case::{Call, Case};
use crate::envoy::Envoy;
use crate::failure::Failure;
use crate::kind::{Group, Kind};
use crate::load::{Connection, Until, connect, drive, nanoseconds};
use crate::procfs::memory;
use crate::run::{Cell, FirstToken, Footprint, Machine, Run};
use crate::settings::{Effort, Flags};
use crate::statistics::quantile;
use crate::subject::{Part, Setup, Subject};

/// What is measured, and with what.
#[derive(Debug)]
pub struct Bench {
    /// The command line.
    pub flags: Flags,
    /// Directory of the benchmark's own servers.
    pub binaries: PathBuf,
    /// The gateway; `None` measures the baselines alone.
    pub gateway: Option<PathBuf>,
    /// Envoy; `None` measures nothing that stands behind one.
    pub envoy: Option<Envoy>,
    /// The groups that are measured.
    pub groups: Vec<Group>,
    /// The cases under load.
    pub cases: Vec<Case>,
    /// The cases with one request in flight.
    pub first_token_cases: Vec<Case>,
}

/// Starts everything, measures, and ends everything. `progress` is told what comes next.
pub async fn measure(bench: &Bench, progress: impl Fn(&str)) -> Result<Run, Failure> {
    let effort = bench.flags.effort();
    let subjects = start(bench)?;
    tokio::time::sleep(effort.settle).await;
    let idle = footprints(&subjects)?;

    let (mut cells, mut first_tokens) = (Vec::new(), Vec::new());
    for round in 0..effort.rounds {
        for (n, case) in bench.cases.iter().enumerate() {
            progress(&format!(
                "round {} of {}: {}",
                round + 1,
                effort.rounds,
                case.name
            ));
            let measured: Vec<&Subject> = subjects
                .iter()
                .filter(|subject| case.with_envoy() || !subject.kind.behind_envoy())
                .collect();
            for subject in rotated(&measured, round as usize + n) {
                let slice = slice(subject, case, round, &bench.flags, effort).await;
                cells.push(slice.map_err(|failure| failure.during(subject.kind.name(), case.name))?);
            }
        }
    }
    for round in 0..effort.rounds {
        for case in &bench.first_token_cases {
            progress(&format!(
                "one in flight, round {} of {}: {}",
                round + 1,
                effort.rounds,
                case.name
            ));
            first_tokens.extend(one_in_flight(&subjects, case, round, effort.one_in_flight).await?);
        }
    }

    let peak = footprints(&subjects)?;
    let memory = idle.into_iter().zip(peak).map(|(idle, peak)| Footprint {
        idle_kib: idle.idle_kib,
        ..peak
    });
    Ok(Run {
        machine: Machine::inspect(),
        settings: bench.flags.settings(),
        cells,
        first_tokens,
        memory: memory.collect(),
    })
}

/// The upstream first: it is the subject `direct`.
fn start(bench: &Bench) -> Result<Vec<Subject>, Failure> {
    let setup = Setup {
        binaries: &bench.binaries,
        out: &bench.flags.out,
        workers: bench.flags.workers,
        gateway: bench.gateway.as_deref(),
        envoy: bench.envoy.as_ref(),
    };
    let upstream = Subject::upstream(&setup)?;
    let address = upstream.address;
    let mut subjects = vec![upstream];
    for kind in Kind::ALL {
        let asked = bench.flags.subjects.is_empty() || bench.flags.subjects.contains(&kind);
        let measured = bench.groups.iter().any(|group| kind.is_in(*group));
        if asked && measured && kind != Kind::Direct && (bench.gateway.is_some() || !kind.is_gateway()) {
            subjects.push(Subject::start(kind, &setup, address)?);
        }
    }
    Ok(subjects)
}

fn footprints(subjects: &[Subject]) -> Result<Vec<Footprint>, Failure> {
    let proxies = subjects.iter().filter(|subject| subject.kind != Kind::Direct);
    let processes = proxies.flat_map(|subject| subject.parts.iter().map(move |part| (subject.kind, part)));
    let footprint = |(subject, (part, pid)): (Kind, &(Part, u32))| {
        let memory = memory(*pid)?;
        Ok(Footprint {
            subject,
            part: *part,
            idle_kib: memory.resident_kib,
            peak_kib: memory.peak_kib,
        })
    };
    processes.map(footprint).collect()
}

/// All subjects, beginning with another one each time: none always follows the same neighbour.
fn rotated<T>(all: &[T], by: usize) -> impl Iterator<Item = &T> {
    all.iter().cycle().skip(by % all.len().max(1)).take(all.len())
}

fn call(case: &Case, kind: Kind) -> &Call {
    if kind.is_gateway() {
        &case.gateway
    } else {
        &case.plain
    }
}

async fn slice(
    subject: &Subject,
    case: &Case,
    round: u32,
    flags: &Flags,
    effort: Effort,
) -> Result<Cell, Failure> {
    let direct = subject.kind == Kind::Direct;
    let until = if direct { effort.direct_slice } else { effort.slice };
    let call = call(case, subject.kind);

    let connections = connect(subject.address, flags.connections as usize, call).await?;
    let (connections, _) = drive(connections, call, effort.warm_up).await?;
    let used = |part: Part| subject.cpu_time(part);
    let before = (used(Part::Server)?, used(Part::Envoy)?);
    let (_, slice) = drive(connections, call, until).await?;
    let server = used(Part::Server)?.saturating_sub(before.0);
    let envoy = used(Part::Envoy)?.saturating_sub(before.1);

    let requests = slice.latencies.len();
    let per_request = |time: Duration| time.as_secs_f64() * 1e6 / requests.max(1) as f64;
    let of = |part: Part, time: Duration| (!direct && subject.has(part)).then(|| per_request(time));
    Ok(Cell {
        case: case.name,
        subject: subject.kind,
        round,
        requests,
        throughput: requests as f64 / slice.elapsed.as_secs_f64(),
        p50_us: microseconds(&slice.latencies, 0.50),
        p99_us: microseconds(&slice.latencies, 0.99),
        cpu_us: (!direct).then(|| per_request(server + envoy)),
        envoy_cpu_us: of(Part::Envoy, envoy),
        server_cpu_us: of(Part::Server, server),
    })
}

/// Asks every subject in turn, one request at a time, so that all see the same machine in the same moment.
async fn one_in_flight(
    subjects: &[Subject],
    case: &Case,
    round: u32,
    requests: u32,
) -> Result<Vec<FirstToken>, Failure> {
    let mut lanes = Vec::new();
    for subject in subjects.iter().filter(|subject| !subject.kind.behind_envoy()) {
        let call = call(case, subject.kind);
        let during = |failure: Failure| failure.during(subject.kind.name(), case.name);
        let connections = connect(subject.address, 1, call).await.map_err(during)?;
        let warm = drive(connections, call, Until::Requests(u64::from(requests / 10))).await;
        let (connections, _) = warm.map_err(during)?;
        lanes.extend(
            connections
                .into_iter()
                .map(|connection| Lane::new(subject.kind, call, connection)),
        );
    }
    let count = lanes.len().max(1);
    for n in 0..requests as usize {
        for step in 0..count {
            if let Some(lane) = lanes.get_mut((n + step) % count) {
                let timing = lane.connection.exchange(lane.call).await;
                let timing = timing.map_err(|failure| failure.during(lane.kind.name(), case.name))?;
                lane.times.push(nanoseconds(timing.first));
            }
        }
    }
    Ok(lanes
        .into_iter()
        .map(|lane| lane.result(case.name, round))
        .collect())
}

/// One subject's connection with one request in flight.
struct Lane<'a> {
    kind: Kind,
    call: &'a Call,
    connection: Connection,
    times: Vec<u64>,
}

impl<'a> Lane<'a> {
    fn new(kind: Kind, call: &'a Call, connection: Connection) -> Self {
        Self {
            kind,
            call,
            connection,
            times: Vec::new(),
        }
    }

    fn result(mut self, case: &'static str, round: u32) -> FirstToken {
        self.times.sort_unstable();
        FirstToken {
            case,
            subject: self.kind,
            round,
            p50_us: microseconds(&self.times, 0.50),
            p99_us: microseconds(&self.times, 0.99),
        }
    }
}

/// A quantile of ascending nanoseconds, in microseconds.
fn microseconds(sorted: &[u64], q: f64) -> f64 {
    quantile(sorted, q).unwrap_or_default() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::rotated;

    #[test]
    fn rotation_begins_elsewhere_each_time_and_leaves_nobody_out() {
        let order = |by| rotated(&[1, 2, 3], by).copied().collect::<Vec<_>>();
        assert_eq!(
            (order(0), order(1), order(5)),
            (vec![1, 2, 3], vec![2, 3, 1], vec![3, 1, 2])
        );
        assert_eq!(rotated::<u8>(&[], 3).count(), 0);
    }
}
