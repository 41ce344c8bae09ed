//! Which forward proxy, if any, stands between this process and an endpoint.

use std::net::IpAddr;

use aigw_config::Endpoint;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Builder, Matcher};

/// The proxies of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` in either case, read once.
#[derive(Debug)]
pub struct Proxies(Option<Matcher>);

/// One forward proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `proxy-authorization`.
    pub authorization: Option<HeaderValue>,
}

impl Proxies {
    /// No proxy.
    pub fn none() -> Self {
        Self(None)
    }

    /// What the environment says.
    pub fn from_env() -> Self {
        Self(Some(Matcher::from_env()))
    }

    /// `proxy` for everything that `bypass` (the form of `NO_PROXY`) does not name.
    pub fn to(proxy: &str, bypass: &str) -> Self {
        Self(Some(
            Builder::default()
                .all(proxy.to_owned())
                .no(bypass.to_owned())
                .build(),
        ))
    }

    /// The proxy for `endpoint`; an error when it is of a kind that is not supported.
    pub fn find(&self, endpoint: &Endpoint) -> Result<Option<Proxy>, String> {
        let Some(matcher) = &self.0 else { return Ok(None) };
        if is_loopback(&endpoint.host) {
            return Ok(None);
        }
        let scheme = if endpoint.https { "https" } else { "http" };
        let Ok(target) = Uri::builder()
            .scheme(scheme)
            .authority(endpoint.authority.as_str())
            .path_and_query("/")
            .build()
        else {
            return Ok(None);
        };
        let Some(found) = matcher.intercept(&target) else {
            return Ok(None);
        };
        let uri = found.uri();
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(host)) => Ok(Some(Proxy {
                host: host.trim_matches(['[', ']']).to_owned(),
                port: uri.port_u16().unwrap_or(80),
                authorization: found.basic_auth().cloned(),
            })),
            (scheme, _) => Err(format!(
                "the environment names a {} proxy for {}; only http:// proxies are supported (or name the host in NO_PROXY)",
                scheme.unwrap_or("malformed"),
                endpoint.host
            )),
        }
    }
}

/// A server on this machine is never meant to be reached through a proxy.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(https: bool, host: &str, port: u16) -> Endpoint {
        let authority = format!("{host}:{port}");
        Endpoint {
            https,
            host: host.to_owned(),
            port,
            authority,
            ca: None,
            server_name: None,
        }
    }

    #[test]
    fn bypass_and_loopback_go_straight() {
        let proxies = Proxies::to("http://me:secret%21@proxy.test:3128", ".internal.test,10.0.0.0/8");
        let found = proxies
            .find(&endpoint(true, "api.openai.com", 443))
            .unwrap()
            .unwrap();
        assert_eq!((found.host.as_str(), found.port), ("proxy.test", 3128));
        assert_eq!(found.authorization.unwrap(), "Basic bWU6c2VjcmV0IQ==");
        for host in ["localhost", "127.0.0.1", "vllm.internal.test", "10.1.2.3"] {
            assert!(
                proxies.find(&endpoint(false, host, 80)).unwrap().is_none(),
                "{host}"
            );
        }
        assert!(
            Proxies::none()
                .find(&endpoint(true, "api.openai.com", 443))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn unsupported_kind_is_named() {
        let error = Proxies::to("socks5://proxy.test:1080", "")
            .find(&endpoint(true, "api.test", 443))
            .unwrap_err();
        assert!(error.contains("socks5"), "{error}");
    }
}
