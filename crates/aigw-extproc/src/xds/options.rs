//! What the resources depend on besides the snapshot.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aigw_proxy::Proxies;

use crate::{At, Places};

/// Where the usual systems keep the authorities they trust, one file.
const AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How requests get from Envoy to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataPath {
    /// The external processor edits them, and Envoy sends them.
    #[default]
    Extproc,
    /// The native host in this process gets them and sends them.
    Local,
}

/// What the resources depend on besides the snapshot.
#[derive(Clone, Debug)]
pub struct Options {
    /// How requests get to an upstream.
    pub path: DataPath,
    /// Where the sockets of this process are.
    pub places: Places,
    /// Where the external processor is.
    pub processor: At,
    /// Forward proxies on the way to upstreams.
    pub proxies: Arc<Proxies>,
    /// Whether Envoy writes a line for each request and each attempt to its standard output.
    pub access_log: bool,
    /// PEM file with the authorities that are trusted where a backend names none.
    pub authorities: Option<PathBuf>,
}

impl Options {
    /// The processor's socket in `places`, direct connections, no access log, and the system's authorities.
    pub fn new(path: DataPath, places: Places) -> Self {
        Self {
            path,
            processor: At::Socket(places.processor()),
            places,
            proxies: Arc::new(Proxies::none()),
            access_log: false,
            authorities: find_authorities(&|name| std::env::var(name).ok()),
        }
    }
}

/// The file of the system's authorities: `SSL_CERT_FILE`, or where the usual systems have it.
fn find_authorities(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    env("SSL_CERT_FILE")
        .into_iter()
        .map(PathBuf::from)
        .chain(AUTHORITIES.iter().map(PathBuf::from))
        .find(|path| Path::is_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_authorities_first() {
        let folder = tempfile::tempdir().unwrap();
        let named = folder.path().join("ca.pem");
        let env = |name: &str| (name == "SSL_CERT_FILE").then(|| named.display().to_string());
        assert_ne!(find_authorities(&env), Some(named.clone()));
        std::fs::write(&named, "").unwrap();
        assert_eq!(find_authorities(&env), Some(named.clone()));
    }
}
