//! From files, environment or demo to something that can be served.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aigw_config::{Diagnostics, ListenerSpec, Origin};
use aigw_runtime::{Live, Loaded, PresetEnv, load, load_environment};
use aigw_translate::host::{PRESETS, Registry};

use crate::demo;

/// The listener of an input that names none.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:1975";

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Files and directories, watched.
    Files(Vec<PathBuf>),
    /// Provider keys in the environment.
    Environment,
    /// The demo, with its mock providers at this address.
    Demo(SocketAddr),
}

/// A configuration that can be served, and what was found on the way.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) live: Live,
    pub(crate) diagnostics: Diagnostics,
    /// Files that were read, to watch.
    pub(crate) files: Vec<PathBuf>,
}

impl Input {
    /// Reads and compiles.
    pub(crate) fn read(&self, listen: Option<&str>) -> Result<Ready, Diagnostics> {
        let mut loaded = self.load()?;
        place_listener(&mut loaded, listen)?;
        let ready = loaded.compile(&Registry)?;
        let mut diagnostics = ready.diagnostics;
        warn_exposed(&ready.snapshot, &mut diagnostics);
        let live = Live {
            snapshot: Arc::new(ready.snapshot),
            credentials: Arc::new(ready.credentials),
        };
        Ok(Ready {
            live,
            diagnostics,
            files: ready.files_watched,
        })
    }

    fn load(&self) -> Result<Loaded, Diagnostics> {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match self {
            Self::Files(paths) => load(paths, &env, &Registry),
            Self::Environment => {
                let rows: Vec<PresetEnv<'_>> = PRESETS
                    .iter()
                    .map(|preset| PresetEnv {
                        preset: preset.id,
                        key_var: preset.key_var,
                        url_var: preset.url_var,
                        url_suffix: preset.url_suffix,
                        headers: preset.header_vars,
                        models: preset.models,
                    })
                    .collect();
                load_environment(&rows, &env)
            }
            Self::Demo(mock) => Ok(demo::input(*mock)),
        }
    }
}

/// Gives the input its default listener, or puts `--listen` in the place of its only one.
fn place_listener(loaded: &mut Loaded, listen: Option<&str>) -> Result<(), Diagnostics> {
    let listeners = &mut loaded.document.listeners;
    match (listeners.as_mut_slice(), listen) {
        ([], _) => listeners.push(ListenerSpec {
            name: "http".to_owned(),
            address: listen.unwrap_or(DEFAULT_LISTEN).to_owned(),
            tls: None,
            hostnames: Vec::new(),
            origin: Origin::default(),
        }),
        (_, None) => {}
        ([only], Some(address)) => only.address = address.to_owned(),
        (many, Some(address)) => {
            let mut plain = many.iter_mut().filter(|listener| listener.tls.is_none());
            match (plain.next(), plain.next()) {
                (Some(only), None) => only.address = address.to_owned(),
                (first, _) => {
                    let count = if first.is_none() {
                        "several HTTPS listeners"
                    } else {
                        "several HTTP listeners"
                    };
                    let mut found = Diagnostics::default();
                    found.error(
                        &Origin::default(),
                        "--listen",
                        "",
                        format!("the input has {count}, so that it is not clear which one is meant; change the address in the file"),
                    );
                    return Err(found);
                }
            }
        }
    }
    Ok(())
}

/// A gateway that anybody on the network can use with its owner's keys should be meant to be one.
fn warn_exposed(snapshot: &aigw_config::Snapshot, diagnostics: &mut Diagnostics) {
    if snapshot.client_keys.is_some() {
        return;
    }
    for listener in &snapshot.listeners {
        let host = listener
            .address
            .rsplit_once(':')
            .map_or(listener.address.as_str(), |(host, _)| host);
        let is_loopback = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if !is_loopback {
            diagnostics.warn(
                &listener.origin,
                format!("listener \"{}\"", listener.name),
                "address",
                "anybody who can reach this address can spend your provider keys; set `clientKeys` or listen on 127.0.0.1",
            );
        }
    }
}
