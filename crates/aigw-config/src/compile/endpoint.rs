//! A backend's base URL as an endpoint and a path, and the places behind endpoints.

use std::collections::HashMap;
use std::sync::Arc;

use super::report::Report;
use crate::address::{Address, Place};
use crate::diagnostic::Diagnostics;
use crate::document::EndpointsSpec;
use crate::snapshot::Endpoint;

/// A base URL taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BaseUrl {
    pub(super) endpoint: Endpoint,
    /// Path without surrounding slashes; empty when there is none.
    pub(super) path: String,
}

pub(super) fn parse(text: &str) -> Result<BaseUrl, String> {
    let uri: http::Uri = text
        .parse()
        .map_err(|_| format!("`{text}` is not a URL; write it like https://api.example.com/v1"))?;
    let https = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => {
            return Err(format!(
                "`{text}` must begin with https:// or http://, such as https://api.example.com/v1"
            ));
        }
    };
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .unwrap_or_default();
    if authority.contains('@') {
        return Err("takes no user name or password; use `apiKey` or `auth`".to_owned());
    }
    if uri.query().is_some() || text.contains('#') {
        return Err("takes no query and no fragment; remove them".to_owned());
    }
    let host = uri.host().unwrap_or_default();
    if host.is_empty() {
        return Err(format!(
            "`{text}` names no host; write it like https://api.example.com/v1"
        ));
    }
    let default_port = if https { 443 } else { 80 };
    let port = match uri.port() {
        None if authority.len() > host.len() => return Err(bad_port(text)),
        None => default_port,
        Some(port) if port.as_u16() == 0 => return Err(bad_port(text)),
        Some(port) => port.as_u16(),
    };
    let host = host.to_lowercase();
    Ok(BaseUrl {
        endpoint: Endpoint {
            https,
            authority: if port == default_port {
                host.clone()
            } else {
                format!("{host}:{port}")
            },
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            ca: None,
            server_name: None,
        },
        path: uri.path().trim_matches('/').to_owned(),
    })
}

/// Places by the name of their endpoint, each once, in an order of their own.
pub(super) fn places<'a>(
    specs: &'a [EndpointsSpec],
    findings: &mut Diagnostics,
) -> HashMap<&'a str, Arc<[Place]>> {
    let mut out = HashMap::new();
    for (index, spec) in specs.iter().enumerate() {
        let mut report = Report::new(
            findings,
            &spec.origin,
            "endpoints of",
            &spec.name,
            format!("endpoints[{index}]"),
        );
        let mut found = Vec::with_capacity(spec.addresses.len());
        for text in &spec.addresses {
            let at = report.check("addresses", text.parse::<Address>());
            found.extend(at.map(|at| Place {
                at,
                own_name: spec.own_names,
            }));
        }
        found.sort_unstable();
        found.dedup();
        if out.insert(spec.name.as_str(), Arc::from(found)).is_some() {
            report.error("name", "is given twice; put all its addresses into one list");
        }
    }
    out
}

fn bad_port(text: &str) -> String {
    format!("`{text}` has no usable port; ports are 1 to 65535")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_host_port_authority_and_path() {
        let rows = [
            (
                "https://API.openai.com",
                true,
                "api.openai.com",
                443,
                "api.openai.com",
                "",
            ),
            (
                "https://h.example:443/v1/",
                true,
                "h.example",
                443,
                "h.example",
                "v1",
            ),
            ("http://h:8080/a/b", false, "h", 8080, "h:8080", "a/b"),
            ("http://[::1]:11434/v1", false, "::1", 11434, "[::1]:11434", "v1"),
            ("https://[::1]", true, "::1", 443, "[::1]", ""),
        ];
        for (text, https, host, port, authority, path) in rows {
            let url = parse(text).unwrap();
            assert_eq!(url.endpoint.https, https, "{text}");
            assert_eq!(url.endpoint.host, host, "{text}");
            assert_eq!(url.endpoint.port, port, "{text}");
            assert_eq!(url.endpoint.authority, authority, "{text}");
            assert_eq!(url.path, path, "{text}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "api.openai.com",
            "ftp://h",
            "https://",
            "https://u:p@h",
            "https://h?x=1",
            "https://h#x",
            "https://h:0",
            "https://h:99999",
            "https://a b",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
