//! TLS towards upstreams, and forward proxies on the way.

use std::net::IpAddr;
use std::path::Path;

use aigw_config::Endpoint;
use aigw_proxy::Proxy;
use envoy_types::pb::envoy::config::core::v3::{DataSource, TransportSocket};
use envoy_types::pb::envoy::extensions::transport_sockets::http_11_proxy::v3::Http11ProxyUpstreamTransport;
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, SubjectAltNameMatcher, UpstreamTlsContext,
    common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher};

use super::materials::Materials;
use super::typed::{file, inline_bytes, socket, tls_versions, transport as named};

/// TLS with the endpoint's or the system's authorities, for the endpoint's name and no other.
pub(super) fn transport(
    endpoint: &Endpoint,
    materials: &Materials,
    system: Option<&Path>,
) -> Result<TransportSocket, String> {
    let name = endpoint.server_name.as_deref().unwrap_or(&endpoint.host);
    let is_address = name.parse::<IpAddr>().is_ok();
    let validation = CertificateValidationContext {
        trusted_ca: authorities(endpoint, materials, system)?,
        match_typed_subject_alt_names: vec![SubjectAltNameMatcher {
            san_type: if is_address {
                SanType::IpAddress
            } else {
                SanType::Dns
            }
            .into(),
            matcher: Some(StringMatcher {
                match_pattern: Some(string_matcher::MatchPattern::Exact(name.to_ascii_lowercase())),
                ..StringMatcher::default()
            }),
            ..SubjectAltNameMatcher::default()
        }],
        ..CertificateValidationContext::default()
    };
    let context = UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: tls_versions(),
            validation_context_type: Some(ValidationContextType::ValidationContext(validation)),
            ..CommonTlsContext::default()
        }),
        // An address is no server name (RFC 6066 section 3).
        sni: if is_address {
            String::new()
        } else {
            name.to_owned()
        },
        ..UpstreamTlsContext::default()
    };
    Ok(named("envoy.transport_sockets.tls", context))
}

fn authorities(
    endpoint: &Endpoint,
    materials: &Materials,
    system: Option<&Path>,
) -> Result<Option<DataSource>, String> {
    let Some(ca) = &endpoint.ca else {
        return system.map(file).ok_or_else(|| {
            "this machine has no certificate authorities; install ca-certificates or give the backend a `ca`"
                .to_owned()
        });
    };
    match materials.authorities.get(ca) {
        Some(Ok(pem)) => Ok(inline_bytes(pem)),
        Some(Err(detail)) => Err(detail.clone()),
        None => Err("the backend's `ca` has not been read".to_owned()),
    }
}

/// Through a forward proxy: CONNECT for TLS, whole URIs in the clear.
pub(super) fn through(
    proxy: &Proxy,
    endpoint: &Endpoint,
    tls: Option<TransportSocket>,
) -> Result<TransportSocket, String> {
    if endpoint.host.parse::<IpAddr>().is_err() {
        return Err("Envoy would ask the forward proxy for an address in place of the name".to_owned());
    }
    if proxy.authorization.is_some() {
        return Err("the forward proxy wants a password, which Envoy cannot give".to_owned());
    }
    if proxy.host.parse::<IpAddr>().is_err() {
        return Err("the forward proxy is given by name, which Envoy does not resolve".to_owned());
    }
    let inner = tls.unwrap_or_else(|| named("envoy.transport_sockets.raw_buffer", RawBuffer {}));
    Ok(named(
        "envoy.transport_sockets.http_11_proxy",
        Http11ProxyUpstreamTransport {
            transport_socket: Some(inner),
            default_proxy_address: socket(&proxy.host, proxy.port),
        },
    ))
}
