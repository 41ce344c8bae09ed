//! Where clients connect: addresses, certificates and host names.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv6Addr;

use super::report::{Report, unknown};
use crate::certificate::{CertificatePair, ListenerTls, PemSource, Tls};
use crate::diagnostic::{Diagnostics, Origin};
use crate::document::Document;
use crate::snapshot::Listener;

pub(super) fn listeners(document: &Document, findings: &mut Diagnostics) -> Vec<Listener> {
    let names = document.credentials.iter().map(|spec| spec.name.as_str());
    let credentials: BTreeSet<&str> = names.collect();
    let specs = &document.listeners;
    let mut seen = HashMap::new();
    let mut addresses: HashMap<&str, &str> = HashMap::new();
    let mut out = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let place = format!("listeners[{index}]");
        let mut report = Report::new(findings, &spec.origin, "listener", &spec.name, place);
        report.check_name(&spec.name, &mut seen);
        match address(&spec.address) {
            Err(message) => report.error("address", message),
            Ok(0) => {}
            Ok(_) => {
                if let Some(other) = addresses.insert(&spec.address, &spec.name) {
                    let message = format!("{} is taken by listener \"{other}\"; change one", spec.address);
                    report.error("address", message);
                }
            }
        }
        let tls = spec
            .tls
            .as_ref()
            .map(|tls| certificates(tls, &credentials, &mut report));
        out.push(Listener {
            name: spec.name.clone(),
            address: spec.address.clone(),
            tls,
            hostnames: hostnames(&spec.hostnames, &mut report),
            origin: Origin::clone(&spec.origin),
        });
    }
    out
}

/// Certificates by name; bad ones are noted and left out.
fn certificates(spec: &ListenerTls, credentials: &BTreeSet<&str>, report: &mut Report<'_>) -> Tls {
    let mut tls = Tls::default();
    match (&spec.certificate, &spec.key) {
        (Some(certificate), Some(key)) => {
            let pair = pair("tls", certificate, key, credentials, report);
            tls.add(None, pair);
        }
        (Some(_), None) => report.error("tls.key", "is missing; give the key of the certificate"),
        (None, Some(_)) => report.error("tls.certificate", "is missing; give the certificate of the key"),
        (None, None) if spec.certificates.is_empty() => report.error(
            "tls",
            "has no certificate; give `certificate` and `key`, or `certificates`",
        ),
        (None, None) => {}
    }
    for (index, one) in spec.certificates.iter().enumerate() {
        let place = format!("tls.certificates[{index}]");
        let pair = pair(&place, &one.certificate, &one.key, credentials, report);
        if one.hostnames.is_empty() {
            tls.add(None, pair.clone());
        }
        for (at, name) in one.hostnames.iter().enumerate() {
            if let Some(name) = report.check(&format!("{place}.hostnames[{at}]"), hostname(name)) {
                tls.add(Some(name), pair.clone());
            }
        }
    }
    tls
}

fn pair(
    place: &str,
    certificate: &PemSource,
    key: &PemSource,
    credentials: &BTreeSet<&str>,
    report: &mut Report<'_>,
) -> CertificatePair {
    for (member, source) in [("certificate", certificate), ("key", key)] {
        let field = format!("{place}.{member}");
        match source {
            PemSource::File(path) if path.is_empty() => report.error(field, "give the path of a PEM file"),
            PemSource::Credential(name) if !credentials.contains(name.as_str()) => {
                report.error(field, unknown("credential", name, credentials.iter().copied()));
            }
            PemSource::File(_) | PemSource::Credential(_) => {}
        }
    }
    CertificatePair {
        certificate: certificate.clone(),
        key: key.clone(),
    }
}

/// The port of `host:port`.
fn address(text: &str) -> Result<u16, String> {
    let bad =
        || format!("`{text}` is not an address; write host and port, such as 127.0.0.1:1975 or [::1]:1975");
    let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
    let host_is_good = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    };
    if !host_is_good {
        return Err(bad());
    }
    port.parse().map_err(|_| bad())
}

/// Host names in lower case; ill-formed ones are noted and left out.
pub(super) fn hostnames(names: &[String], report: &mut Report<'_>) -> Vec<String> {
    names
        .iter()
        .enumerate()
        .filter_map(|(index, name)| report.check(&format!("hostnames[{index}]"), hostname(name)))
        .collect()
}

fn hostname(name: &str) -> Result<String, String> {
    let lower = name.to_lowercase();
    let labels = lower.strip_prefix("*.").unwrap_or(&lower);
    let good = lower.len() <= 253
        && labels.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
    if good {
        Ok(lower)
    } else {
        Err(format!(
            "`{name}` is not a host name; write it like api.example.com or *.example.com, without a port"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_host_and_port() {
        for good in ["127.0.0.1:1975", "[::1]:80", "localhost:0", "0.0.0.0:1"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in ["1975", ":1975", "::1:80x", "a b:1", "host:70000", "[::g]:1"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn host_names_are_lower_case_and_may_begin_with_a_star() {
        assert_eq!(hostname("*.Example.com"), Ok("*.example.com".into()));
        for bad in ["", "*", "a..b", "-a.b", "a.b:80", "exa*mple.com"] {
            assert!(hostname(bad).is_err(), "{bad}");
        }
    }
}
