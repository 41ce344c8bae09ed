//! What the snapshot names and does not hold: certificates, authorities of backends, and addresses of names to listen on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};

use aigw_config::{CertificatePair, Credentials, Snapshot, Tls};

/// What was found, or why it was not.
type Found<T> = Result<T, String>;
/// Certificate chain and key, PEM.
type Pair = (Vec<u8>, Vec<u8>);

/// Read from credentials, files and the system's resolver; compare two to see whether something has changed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Materials {
    /// Certificate chain and key, PEM, or why there are none.
    pub(super) certificates: BTreeMap<CertificatePair, Found<Pair>>,
    /// Authorities in the files that backends name, PEM, or why there are none.
    pub(super) authorities: BTreeMap<String, Found<Vec<u8>>>,
    /// Addresses of host names to listen on, or why there are none.
    pub(super) addresses: BTreeMap<String, Found<IpAddr>>,
}

impl Materials {
    /// Reads what `snapshot` names. Blocks.
    pub fn read(snapshot: &Snapshot, credentials: &Credentials) -> Self {
        let mut found = Self::default();
        for listener in &snapshot.listeners {
            for pair in listener.tls.iter().flat_map(Tls::pairs) {
                found
                    .certificates
                    .entry(pair.clone())
                    .or_insert_with(|| aigw_proxy::read_certificate(pair, credentials));
            }
            let host = host(&listener.address);
            if host.parse::<IpAddr>().is_err() {
                found.addresses.insert(host.to_owned(), resolve(host));
            }
        }
        let named: BTreeSet<&String> = snapshot
            .backends
            .values()
            .filter(|backend| backend.endpoint.https)
            .filter_map(|backend| backend.endpoint.ca.as_ref())
            .collect();
        for ca in named {
            found
                .authorities
                .insert(ca.clone(), aigw_proxy::read_authorities(ca));
        }
        found
    }
}

impl Materials {
    /// Certificates that cannot be used now stay as they were in `last`; says why.
    pub fn keep_certificates(&mut self, last: &Self) -> Vec<String> {
        let mut problems = Vec::new();
        for (pair, found) in &mut self.certificates {
            if let (Err(problem), Some(Ok(texts))) = (&*found, last.certificates.get(pair)) {
                problems.push(problem.clone());
                *found = Ok(texts.clone());
            }
        }
        problems
    }
}

/// The host of `host:port`, without brackets.
pub(super) fn host(address: &str) -> &str {
    address
        .rsplit_once(':')
        .map_or(address, |(host, _)| host)
        .trim_matches(['[', ']'])
}

fn resolve(host: &str) -> Result<IpAddr, String> {
    let found = (host, 0)
        .to_socket_addrs()
        .map_err(|error| format!("cannot resolve {host}: {error}"))?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    // The same one every time.
    addresses.sort();
    addresses
        .first()
        .copied()
        .ok_or_else(|| format!("{host} has no address"))
}

impl fmt::Debug for Materials {
    /// Keys are in here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Materials")
            .field("certificates", &self.certificates.keys())
            .field("authorities", &self.authorities.len())
            .field("addresses", &self.addresses)
            .finish()
    }
}
