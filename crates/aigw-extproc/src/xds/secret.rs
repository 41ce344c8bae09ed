//! Certificates as secrets of their own, so that a new one replaces nothing but itself.

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, Secret, TlsCertificate, secret,
};

use super::typed::{ads, inline_bytes, no, tls_versions};

/// Name of the secret of a listener.
pub(super) fn name(listener: &str) -> String {
    format!("aigw-certificate/{listener}")
}

/// The secret of a listener.
pub(super) fn certificate(listener: &str, chain: &[u8], key: &[u8]) -> Secret {
    Secret {
        name: name(listener),
        r#type: Some(secret::Type::TlsCertificate(TlsCertificate {
            certificate_chain: inline_bytes(chain),
            private_key: inline_bytes(key),
            ..TlsCertificate::default()
        })),
    }
}

/// What a listener does with it: TLS 1.2 and above, HTTP/2 where the client offers it.
pub(super) fn context(listener: &str) -> DownstreamTlsContext {
    DownstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: tls_versions(),
            tls_certificate_sds_secret_configs: vec![SdsSecretConfig {
                name: name(listener),
                sds_config: ads(),
            }],
            alpn_protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
            ..CommonTlsContext::default()
        }),
        require_client_certificate: no(),
        ..DownstreamTlsContext::default()
    }
}
