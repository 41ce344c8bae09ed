//! The servers that are measured, each started with all that it needs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::envoy::{self, Envoy};
use crate::failure::Failure;
use crate::kind::Kind;
use crate::process::{self, Process, command, free_addresses, start};
use crate::procfs::cpu_time;

/// Which of a subject's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A server in Rust: a bare proxy, a processor or the gateway.
    Server,
    /// Envoy.
    Envoy,
}

/// A server under measurement, or an Envoy with what stands behind it.
#[derive(Debug)]
pub struct Subject {
    /// Who it is.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its processes, by id.
    pub parts: Vec<(Part, u32)>,
    /// Ended in this order.
    processes: Vec<Process>,
    /// Processes that those have started.
    adopted: Vec<u32>,
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Those that would start another one first.
        self.processes.clear();
        for pid in &self.adopted {
            process::end_adopted(*pid, envoy::PROGRAM);
        }
    }
}

/// What subjects are started with.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// Directory of the benchmark's own servers.
    pub binaries: &'a Path,
    /// Directory of configurations, logs and sockets.
    pub out: &'a Path,
    /// Worker threads of every server.
    pub workers: u32,
    /// The gateway's binary.
    pub gateway: Option<&'a Path>,
    /// Envoy's.
    pub envoy: Option<&'a Envoy>,
}

impl Setup<'_> {
    /// A file of a subject.
    pub fn file(&self, kind: Kind, extension: &str) -> PathBuf {
        self.out.join(format!("{}.{extension}", kind.name()))
    }

    /// The command of one of the benchmark's own servers.
    pub fn own(&self, name: &str) -> Command {
        command(&self.binaries.join(name), self.workers)
    }
}

impl Subject {
    /// A subject of processes that run.
    pub fn new(kind: Kind, address: SocketAddr, processes: Vec<(Part, Process)>) -> Self {
        let parts = processes
            .iter()
            .map(|(part, process)| (*part, process.pid()))
            .collect();
        let processes = processes.into_iter().map(|(_, process)| process).collect();
        Self {
            kind,
            address,
            parts,
            processes,
            adopted: Vec::new(),
        }
    }

    /// Counts a process in that another one has started.
    pub fn adopt(&mut self, part: Part, pid: u32) {
        self.parts.push((part, pid));
        self.adopted.push(pid);
    }

    /// Starts the upstream: it is the subject `direct`.
    pub fn upstream(setup: &Setup) -> Result<Self, Failure> {
        own(Kind::Direct, &mut setup.own("upstream"))
    }

    /// Starts any other subject before that upstream.
    pub fn start(kind: Kind, setup: &Setup, upstream: SocketAddr) -> Result<Self, Failure> {
        match kind {
            Kind::Direct => Self::upstream(setup),
            Kind::Forward | Kind::Rewrite => own(
                kind,
                setup.own(kind.name()).args(["--upstream", &upstream.to_string()]),
            ),
            Kind::Aigw => {
                let (address, process) = gateway(kind, setup, upstream, |_| ())?;
                Ok(Self::new(kind, address, vec![(Part::Server, process)]))
            }
            _ => envoy::start(kind, setup, upstream),
        }
    }

    /// CPU time that one kind of process has used since it began.
    pub fn cpu_time(&self, part: Part) -> Result<Duration, Failure> {
        let own = self.parts.iter().filter(|(own, _)| *own == part);
        own.map(|(_, pid)| cpu_time(*pid)).sum()
    }

    /// Whether it has such a process.
    pub fn has(&self, part: Part) -> bool {
        self.parts.iter().any(|(own, _)| *own == part)
    }
}

/// Starts one of the benchmark's own servers, which says in one line where it listens.
fn own(kind: Kind, command: &mut Command) -> Result<Subject, Failure> {
    let (process, line) = Process::announced(kind.name(), command)?;
    let wrong = |_| start(kind.name(), format!("it printed {line:?}, not its address"));
    let address = line.parse().map_err(wrong)?;
    Ok(Subject::new(kind, address, vec![(Part::Server, process)]))
}

/// Starts the gateway with its default logging, which goes to a file. `more` adds arguments to the command.
pub fn gateway(
    kind: Kind,
    setup: &Setup,
    upstream: SocketAddr,
    more: impl FnOnce(&mut Command),
) -> Result<(SocketAddr, Process), Failure> {
    let Some(binary) = setup.gateway else {
        return Err(start(kind.name(), "there is no gateway".to_owned()));
    };
    let config = setup.file(kind, "yaml");
    std::fs::write(&config, gateway_config(upstream))
        .map_err(Failure::system(config.display().to_string()))?;
    let (address, admin) = free_addresses()?;
    let mut command = command(binary, setup.workers);
    command
        .arg("run")
        .args(["--listen", &address.to_string(), "--admin", &admin.to_string()]);
    more(&mut command);
    command.arg(&config);
    let mut process = Process::logged(kind.name(), &mut command, &setup.file(kind, "log"))?;
    process.await_listener(address)?;
    Ok((address, process))
}

/// The gateway's configuration: one backend a dialect, one model a backend.
fn gateway_config(upstream: SocketAddr) -> String {
    format!(
        "\
backends:
  - name: openai
    schema: {{name: OpenAI}}
    url: http://{upstream}
    apiKey: bench-key
  - name: anthropic
    schema: {{name: Anthropic}}
    url: http://{upstream}
    apiKey: bench-key
routes:
  - name: bench
    rules:
      - models: [gpt-bench]
        backends: [{{name: openai}}]
      - models: [claude-bench]
        backends: [{{name: anthropic}}]
"
    )
}
