//! What is asked for, and what was decided where that leaves something open.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aigw_config::Snapshot;
use aigw_extproc::xds::DataPath;
use aigw_extproc::{At, Places, Ports};
use aigw_runtime::Live;

use crate::cli::{self, EnvoyArgs};
use crate::process::Failure;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub path: DataPath,
    pub places: Places,
    /// Where Envoy finds us.
    pub processor: At,
    /// To start an Envoy of our own; `None` when it is started apart.
    pub own: Option<Own>,
    /// Whether Envoy writes an access log too.
    pub access_log: bool,
    /// Where clients connect.
    pub addresses: Vec<SocketAddr>,
    ports: Ports,
    /// Remove the places at the end.
    is_temporary: bool,
}

/// An Envoy of our own.
#[derive(Debug)]
pub(crate) struct Own {
    pub binary: PathBuf,
    pub concurrency: usize,
    pub log_level: String,
}

impl Options {
    /// For an Envoy of our own.
    pub fn own(args: &EnvoyArgs, own: Own) -> Result<Self, Failure> {
        let places = match &args.run_dir {
            Some(directory) => open(directory)?,
            None => Places::temporary().map_err(|error| {
                format!("cannot make a directory for sockets: {error}; name one with --run-dir")
            })?,
        };
        let processor = At::Socket(places.processor());
        Ok(Self {
            is_temporary: args.run_dir.is_none(),
            own: Some(own),
            ports: Ports::default(),
            ..Self::new(args, places, processor)
        })
    }

    /// For an Envoy that is started apart.
    pub fn apart(args: &EnvoyArgs, processor: Option<At>) -> Result<Self, Failure> {
        if let Some(At::Tcp(address)) = &processor
            && !address.ip().is_loopback()
        {
            return Err(format!(
                "--listen {address} would give provider keys and certificates to whoever connects, in the clear; \
                 take an address of this machine (127.0.0.1:PORT) or --socket"
            )
            .into());
        }
        let places = open(&run_dir(args))?;
        let processor = processor.unwrap_or_else(|| At::Socket(places.processor()));
        Ok(Self::new(args, places, processor))
    }

    fn new(args: &EnvoyArgs, places: Places, processor: At) -> Self {
        Self {
            path: match args.path {
                Some(cli::DataPath::Extproc) => DataPath::Extproc,
                Some(cli::DataPath::Local) | None => DataPath::Local,
            },
            places,
            processor,
            own: None,
            access_log: args.envoy_access_log,
            addresses: Vec::new(),
            ports: Ports::elsewhere(),
            is_temporary: false,
        }
    }

    /// Puts real addresses in the place of what listeners ask for.
    pub async fn settle(&mut self, live: &mut Live) -> Result<(), Failure> {
        // Nobody else has it yet.
        let Some(snapshot) = Arc::get_mut(&mut live.snapshot) else {
            return Err("the configuration is in use already".into());
        };
        self.ports.settle(&mut snapshot.listeners).await?;
        if self.addresses.is_empty() {
            self.note(snapshot);
        }
        Ok(())
    }

    /// Gives up addresses that this snapshot does not use.
    pub fn forget(&mut self, snapshot: &Snapshot) {
        self.ports.retain(&snapshot.listeners);
        self.note(snapshot);
    }

    fn note(&mut self, snapshot: &Snapshot) {
        let addresses = snapshot.listeners.iter();
        self.addresses = addresses
            .filter_map(|listener| listener.address.parse().ok())
            .collect();
    }

    /// Leaves nothing behind.
    pub fn clean(&self) {
        if self.is_temporary {
            self.places.remove();
        }
    }
}

/// Where an Envoy that is started apart looks for us.
fn run_dir(args: &EnvoyArgs) -> PathBuf {
    args.run_dir.clone().unwrap_or_else(|| {
        let user = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
        user.map_or_else(|| PathBuf::from("/run"), PathBuf::from)
            .join("aigw")
    })
}

fn open(directory: &std::path::Path) -> Result<Places, Failure> {
    Places::open(directory).map_err(|error| {
        format!(
            "cannot keep sockets in {}: {error}; name a directory with --run-dir",
            directory.display()
        )
        .into()
    })
}
