//! A process under measurement: started with nothing of the caller's environment, found ready, and ended when dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::procfs;

/// A process that is ended when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Who it is, for failures.
    name: &'static str,
    log: Option<PathBuf>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about it then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts it and reads the one line in which it says where it listens.
    pub fn announced(name: &'static str, command: &mut Command) -> Result<(Self, String), Failure> {
        let child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::system(name))?;
        let mut process = Self {
            child,
            name,
            log: None,
        };
        let mut line = String::new();
        if let Some(stdout) = process.child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(Failure::system("read a server's address"))?;
        }
        if line.trim().is_empty() {
            return Err(start(name, "it did not say where it listens".to_owned()));
        }
        Ok((process, line.trim().to_owned()))
    }

    /// Starts it with its output going to a file.
    pub fn logged(name: &'static str, command: &mut Command, log: &Path) -> Result<Self, Failure> {
        let create = || Failure::system(log.display().to_string());
        let out = File::create(log).map_err(create())?;
        let errors = out.try_clone().map_err(create())?;
        let spawned = command.stdout(out).stderr(errors).spawn();
        let child = spawned.map_err(Failure::system(command.get_program().to_string_lossy()))?;
        Ok(Self {
            child,
            name,
            log: Some(log.to_owned()),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it takes connections.
    pub fn await_listener(&mut self, address: SocketAddr) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let pause = Duration::from_millis(20);
        while TcpStream::connect_timeout(&address, pause).is_err() {
            let ended = self.child.try_wait().map_err(Failure::system(self.name))?;
            if let Some(status) = ended {
                return Err(start(
                    self.name,
                    format!("it ended with {status}\n{}", self.log_end()),
                ));
            }
            if Instant::now() > deadline {
                let detail = format!("nothing listens on {address} after 20 s\n{}", self.log_end());
                return Err(start(self.name, detail));
            }
            std::thread::sleep(pause);
        }
        Ok(())
    }

    fn log_end(&self) -> String {
        let log = self
            .log
            .as_ref()
            .and_then(|log| std::fs::read_to_string(log).ok());
        let log = log.unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default()
            .join("\n")
    }
}

/// A server's command: nothing of the caller's environment, so that neither a proxy variable nor a log filter nor a
/// provider's key changes what is measured.
pub fn command(binary: &Path, workers: u32) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("TOKIO_WORKER_THREADS", workers.to_string())
        .env("AIGW_WORKERS", workers.to_string())
        .stdin(Stdio::null());
    command
}

/// Ends a process of that name that another one has started and has not ended with itself.
pub fn end_adopted(pid: u32, name: &str) {
    if procfs::name(pid).is_some_and(|own| own == name) {
        // It may have ended in this moment; there is nothing to do about it then.
        let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }
}

/// Why a subject did not come up.
pub fn start(subject: &str, detail: String) -> Failure {
    Failure::Start {
        subject: subject.to_owned(),
        detail,
    }
}

/// Two addresses that were free a moment ago; both are held until both are known, so that they differ.
pub fn free_addresses() -> Result<(SocketAddr, SocketAddr), Failure> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Failure::system("find a free port"));
    let (first, second) = (bind()?, bind()?);
    let address = |listener: &TcpListener| listener.local_addr().map_err(Failure::system("own address"));
    Ok((address(&first)?, address(&second)?))
}
