//! The endpoints of Envoy Gateway's Backend as places.

use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path};

use aigw_api::condition::reason;
use aigw_api::{BackendEndpoint, BackendSpec};
use aigw_config::Address;

use crate::endpoint::NoPlace;

/// Where Unix sockets are that no Backend leads to.
const CLOSED: [&str; 5] = ["/run/aigw", "/var/run/aigw", "/proc", "/dev", "/sys"];

/// The places of a Backend, each once, in an order of their own. The message of an error goes on after the object.
pub(crate) fn of(spec: &BackendSpec) -> Result<Vec<Address>, NoPlace> {
    let bad = |text: String| Err((reason::INVALID, text));
    if let Some(kind) = spec.kind.as_deref().filter(|kind| *kind != "Endpoints") {
        let message = format!("is of type {kind}, which is not supported yet; give `endpoints`");
        return Err((reason::NOT_SUPPORTED_YET, message));
    }
    if spec.endpoints.is_empty() {
        return bad("has no endpoints".to_owned());
    }
    let mut out = Vec::with_capacity(spec.endpoints.len());
    for (at, endpoint) in spec.endpoints.iter().enumerate() {
        match one(endpoint) {
            Ok(place) => out.push(place),
            Err(message) => return bad(format!("endpoints[{at}]: {message}")),
        }
    }
    out.sort();
    out.dedup();
    Ok(out)
}

/// What a Backend says of its places that has no effect: the field, and what is done in place of it.
pub(crate) fn without_effect(spec: &BackendSpec) -> Vec<(String, &'static str)> {
    let mut out = Vec::new();
    if spec.fallback == Some(true) {
        let message = "has no effect; give the reference in the route a higher `priority`";
        out.push(("spec.fallback".to_owned(), message));
    }
    if !spec.app_protocols.is_empty() {
        let message = "has no effect: it is HTTP/2 where TLS agrees on it, else HTTP/1.1";
        out.push(("spec.appProtocols".to_owned(), message));
    }
    for (at, endpoint) in spec.endpoints.iter().enumerate() {
        if endpoint.hostname.is_some() {
            let message = "has no effect: an endpoint is asked by its own name or address";
            out.push((format!("spec.endpoints[{at}].hostname"), message));
        }
        if endpoint.zone.is_some() {
            let message = "has no effect: endpoints share requests wherever they are";
            out.push((format!("spec.endpoints[{at}].zone"), message));
        }
    }
    out
}

/// The first endpoint at the port of HTTPS.
pub(crate) fn https(spec: &BackendSpec) -> Option<usize> {
    let port = |one: &BackendEndpoint| {
        let fqdn = one.fqdn.as_ref().map(|fqdn| fqdn.port);
        fqdn.or_else(|| one.ip.as_ref().map(|ip| ip.port))
    };
    spec.endpoints.iter().position(|one| port(one) == Some(443))
}

/// Whether a socket may be asked: in a data plane's pod are also those of the gateway itself and of its Envoy, which do what they are
/// told, and they must not be had by another name.
fn is_open(path: &Path) -> Result<(), String> {
    let closed = CLOSED.iter().any(|closed| path.starts_with(closed));
    if closed || path.components().any(|part| part == Component::ParentDir) {
        return Err(format!(
            "`{}` may not be asked: Unix sockets must be outside of {}, and their paths without `..`",
            path.display(),
            CLOSED.join(", ")
        ));
    }
    Ok(())
}

fn one(endpoint: &BackendEndpoint) -> Result<Address, String> {
    match endpoint {
        BackendEndpoint { fqdn: Some(fqdn), .. } => format!("{}:{}", fqdn.hostname, fqdn.port).parse(),
        BackendEndpoint { ip: Some(ip), .. } => {
            let address = ip.address.trim_matches(['[', ']']);
            let address: IpAddr = address
                .parse()
                .map_err(|_| format!("`{}` is no IP address; for a name use `fqdn`", ip.address))?;
            SocketAddr::new(address, ip.port).to_string().parse()
        }
        BackendEndpoint { unix: Some(unix), .. } => {
            let address: Address = format!("unix:{}", unix.path).parse()?;
            is_open(Path::new(&unix.path)).map(|()| address)
        }
        _ => Err("has none of `fqdn`, `ip` and `unix`; give one".to_owned()),
    }
}
