//! Places behind an endpoint: addresses, names and Unix sockets.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::snapshot::Endpoint;

/// Most bytes in a Unix socket's path (`sun_path` of Linux, without its NUL).
const MAX_PATH: usize = 107;

/// How a place is reached; as text `ip:port`, `name:port` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// At an address.
    Ip(SocketAddr),
    /// By a name in lower case, which is asked for when a connection is opened, and a port.
    Name(Arc<str>, u16),
    /// At a Unix socket: an absolute path.
    Unix(Arc<Path>),
}

/// One of the places that share an endpoint's requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// How it is reached.
    pub at: Address,
    /// Whether it is asked by its own name in place of the endpoint's.
    pub own_name: bool,
}

impl Place {
    /// What the place is told and has to prove: `endpoint`, under the place's own name where it goes by that. A Unix socket
    /// is `localhost`.
    pub fn endpoint(&self, endpoint: &Endpoint) -> Endpoint {
        if !self.own_name {
            return endpoint.clone();
        }
        let (host, port) = match &self.at {
            Address::Ip(at) => (at.ip().to_string(), at.port()),
            Address::Name(name, port) => (name.to_string(), *port),
            Address::Unix(_) => ("localhost".to_owned(), endpoint.default_port()),
        };
        let mut own = Endpoint {
            host,
            port,
            ..endpoint.clone()
        };
        own.authority = match own.port == own.default_port() {
            true if own.host.contains(':') => format!("[{}]", own.host),
            true => own.host.clone(),
            false => own.name(),
        };
        own
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                _ if !path.starts_with('/') || path.contains('\0') => Err(format!(
                    "`{text}` has no absolute path; write it like unix:/run/models.sock"
                )),
                _ if path.len() > MAX_PATH => Err(format!(
                    "`{text}`: the path of a Unix socket has {MAX_PATH} bytes at most"
                )),
                _ => Ok(Self::Unix(Arc::from(Path::new(path)))),
            };
        }
        if let Ok(at) = text.parse::<SocketAddr>() {
            return match at.port() {
                0 => Err(format!("`{text}` has no usable port; ports are 1 to 65535")),
                _ => Ok(Self::Ip(at)),
            };
        }
        let bad = || {
            format!(
                "`{text}` is no address; write it like 10.0.0.7:8080, [fd00::7]:8080, models.example.com:8080 or \
                 unix:/run/models.sock"
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        if !is_name(host) {
            return Err(bad());
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self::Name(host.to_lowercase().into(), port)),
            _ => Err(format!("`{text}` has no usable port; ports are 1 to 65535")),
        }
    }
}

/// Whether `host` can be asked for: labels of letters, digits, `-` and `_`, the last of which is no number.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let named = host.strip_suffix('.').unwrap_or(host);
    let last = named.rsplit('.').next().unwrap_or_default();
    named.len() <= 253 && named.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(at) => at.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_are_read_and_written_alike() {
        for text in [
            "10.0.0.7:8080",
            "[fd00::7]:8080",
            "models.example.com:443",
            "vllm_1:80",
            "unix:/run/models.sock",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let upper: Address = "API.Example.com:443".parse().unwrap();
        assert_eq!(upper.to_string(), "api.example.com:443");
    }

    #[test]
    fn what_is_no_address_says_what_one_is() {
        let long = format!("unix:/{}", "x".repeat(107));
        let rows = [
            ("", "is no address"),
            ("models.example.com", "is no address"),
            ("http://h:80", "is no address"),
            ("a b:80", "is no address"),
            ("10.0.0.300:80", "is no address"),
            ("fd00::7:8080x", "is no address"),
            ("a..b:80", "is no address"),
            ("h:0", "no usable port"),
            ("h:99999", "no usable port"),
            ("10.0.0.1:0", "no usable port"),
            ("unix:run/x", "no absolute path"),
            ("unix:", "no absolute path"),
            (long.as_str(), "107 bytes at most"),
        ];
        for (text, says) in rows {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains(says) && error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn a_place_goes_by_the_name_of_the_endpoint_or_by_its_own() {
        let endpoint = Endpoint {
            https: true,
            host: "models.test".to_owned(),
            port: 8443,
            authority: "models.test:8443".to_owned(),
            ca: Some("ca".to_owned()),
            server_name: None,
        };
        let rows = [
            ("10.0.0.1:443", "10.0.0.1", 443, "10.0.0.1"),
            ("[fd00::1]:443", "fd00::1", 443, "[fd00::1]"),
            ("[fd00::1]:8080", "fd00::1", 8080, "[fd00::1]:8080"),
            ("a.test:443", "a.test", 443, "a.test"),
            ("a.test:80", "a.test", 80, "a.test:80"),
            ("unix:/x", "localhost", 443, "localhost"),
        ];
        for (text, host, port, authority) in rows {
            let place = |own_name| Place {
                at: text.parse().unwrap(),
                own_name,
            };
            assert_eq!(place(false).endpoint(&endpoint), endpoint);
            let own = place(true).endpoint(&endpoint);
            let told = (own.host.as_str(), own.port, own.authority.as_str());
            assert_eq!(told, (host, port, authority), "{text}");
            assert!(own.https && own.ca == endpoint.ca);
        }
    }
}
