//! The processes that are measured: started, found ready, and ended when dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::failure::Failure;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The upstream itself, nothing between.
    Direct,
    /// The bare proxy that streams bodies.
    Forward,
    /// The bare proxy that parses and writes bodies.
    Rewrite,
    /// The gateway.
    Aigw,
}

impl Kind {
    /// As it stands in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Forward => "forward",
            Self::Rewrite => "rewrite",
            Self::Aigw => "aigw",
        }
    }
}

/// A process that is ended when this is dropped.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about it then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server under measurement.
#[derive(Debug)]
pub struct Subject {
    /// Who it is.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
}

impl Subject {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Starts the upstream.
    pub fn upstream(binaries: &Path, workers: u32) -> Result<Self, Failure> {
        Self::own(Kind::Direct, &binaries.join("upstream"), &[], workers)
    }

    /// Starts the bare proxy that streams.
    pub fn forward(binaries: &Path, upstream: SocketAddr, workers: u32) -> Result<Self, Failure> {
        Self::own(
            Kind::Forward,
            &binaries.join("forward"),
            &upstream_flag(upstream),
            workers,
        )
    }

    /// Starts the bare proxy that parses and writes.
    pub fn rewrite(binaries: &Path, upstream: SocketAddr, workers: u32) -> Result<Self, Failure> {
        Self::own(
            Kind::Rewrite,
            &binaries.join("rewrite"),
            &upstream_flag(upstream),
            workers,
        )
    }

    /// Starts one of the benchmark's own servers, which says in one line where it listens.
    fn own(kind: Kind, binary: &Path, flags: &[String], workers: u32) -> Result<Self, Failure> {
        let mut command = command(binary, workers);
        let spawned = command.args(flags).stdout(Stdio::piped()).spawn();
        let mut process = Process(spawned.map_err(Failure::system(binary.display().to_string()))?);
        let mut line = String::new();
        if let Some(stdout) = process.0.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(Failure::system("read a server's address"))?;
        }
        let detail = format!("it printed {line:?}, not its address");
        let address = line.trim().parse().map_err(|_| start(kind.name(), detail))?;
        Ok(Self {
            kind,
            address,
            process,
        })
    }

    /// Starts the gateway with its default logging, which goes to a file.
    pub fn aigw(gateway: &Gateway, upstream: SocketAddr, workers: u32) -> Result<Self, Failure> {
        let config = gateway.out.join("aigw.yaml");
        std::fs::write(&config, gateway_config(upstream)).map_err(Failure::system("write aigw.yaml"))?;
        let log = File::create(gateway.log()).map_err(Failure::system("create aigw.log"))?;
        let errors = log.try_clone().map_err(Failure::system("aigw.log"))?;
        let (address, admin) = free_addresses()?;
        let spawned = command(&gateway.binary, workers)
            .arg("run")
            .args(["--listen", &address.to_string(), "--admin", &admin.to_string()])
            .arg(&config)
            .stdout(log)
            .stderr(errors)
            .spawn();
        let process = Process(spawned.map_err(Failure::system(gateway.binary.display().to_string()))?);
        let mut subject = Self {
            kind: Kind::Aigw,
            address,
            process,
        };
        subject.await_listener(gateway)?;
        Ok(subject)
    }

    /// Waits until the gateway takes connections.
    fn await_listener(&mut self, gateway: &Gateway) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let pause = Duration::from_millis(20);
        while std::net::TcpStream::connect_timeout(&self.address, pause).is_err() {
            let ended = self
                .process
                .0
                .try_wait()
                .map_err(Failure::system("wait for aigw"))?;
            if let Some(status) = ended {
                return Err(start(
                    "aigw",
                    format!("it ended with {status}\n{}", gateway.log_end()),
                ));
            }
            if Instant::now() > deadline {
                let detail = format!(
                    "nothing listens on {} after 20 s\n{}",
                    self.address,
                    gateway.log_end()
                );
                return Err(start("aigw", detail));
            }
            std::thread::sleep(pause);
        }
        Ok(())
    }
}

/// The gateway's binary and the directory of its configuration and log.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The binary.
    pub binary: PathBuf,
    /// The directory.
    pub out: PathBuf,
}

impl Gateway {
    /// Where its log goes.
    pub fn log(&self) -> PathBuf {
        self.out.join("aigw.log")
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default()
            .join("\n")
    }
}

/// A server's command: nothing of the caller's environment, so that neither a proxy variable nor a log filter nor a
/// provider's key changes what is measured.
fn command(binary: &Path, workers: u32) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("TOKIO_WORKER_THREADS", workers.to_string())
        .stdin(Stdio::null());
    command
}

fn upstream_flag(upstream: SocketAddr) -> [String; 2] {
    ["--upstream".to_owned(), upstream.to_string()]
}

fn start(subject: &str, detail: String) -> Failure {
    Failure::Start {
        subject: subject.to_owned(),
        detail,
    }
}

/// Two addresses that were free a moment ago; both are held until both are known, so that they differ.
fn free_addresses() -> Result<(SocketAddr, SocketAddr), Failure> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Failure::system("find a free port"));
    let (first, second) = (bind()?, bind()?);
    let address = |listener: &TcpListener| listener.local_addr().map_err(Failure::system("own address"));
    Ok((address(&first)?, address(&second)?))
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
