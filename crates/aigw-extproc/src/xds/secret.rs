//! Certificates as secrets of their own, so that a new one replaces nothing but itself.

use aigw_config::{CertificatePair, PemSource};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, Secret, TlsCertificate, secret,
};

use super::typed::{ads, inline_bytes, no, tls_versions};

/// Name of a certificate's secret: where it comes from, so that listeners share it, and others that come or go change nothing.
pub(super) fn name(pair: &CertificatePair) -> String {
    let CertificatePair { certificate, key } = pair;
    let place = |source: &PemSource| match source {
        PemSource::File(path) => path.clone(),
        PemSource::Credential(name) => name.clone(),
    };
    format!("aigw-certificate/{}|{}", place(certificate), place(key))
}

/// The secret of a certificate.
pub(super) fn certificate(pair: &CertificatePair, chain: &[u8], key: &[u8]) -> Secret {
    Secret {
        name: name(pair),
        r#type: Some(secret::Type::TlsCertificate(TlsCertificate {
            certificate_chain: inline_bytes(chain),
            private_key: inline_bytes(key),
            ..TlsCertificate::default()
        })),
    }
}

/// What a listener does with certificates: TLS 1.2 and above, HTTP/2 where the client offers it. Of several, Envoy takes the one
/// that suits the client's name and algorithms.
pub(super) fn context(pairs: &[CertificatePair]) -> DownstreamTlsContext {
    let secret = |pair| SdsSecretConfig {
        name: name(pair),
        sds_config: ads(),
    };
    DownstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: tls_versions(),
            tls_certificate_sds_secret_configs: pairs.iter().map(secret).collect(),
            alpn_protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
            ..CommonTlsContext::default()
        }),
        require_client_certificate: no(),
        ..DownstreamTlsContext::default()
    }
}
