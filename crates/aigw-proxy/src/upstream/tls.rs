//! TLS towards upstreams: whom to trust, and which HTTP version to agree on.

use std::sync::Arc;

use aigw_config::Endpoint;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::sync::OnceCell;

/// The system's authorities, read when the first backend needs them.
#[derive(Debug, Default)]
pub(super) struct SystemRoots(OnceCell<Arc<RootCertStore>>);

impl SystemRoots {
    async fn load(&self) -> Result<Arc<RootCertStore>, String> {
        let load = || async {
            tokio::task::spawn_blocking(read_system_roots)
                .await
                .map_err(|error| error.to_string())?
                .map(Arc::new)
        };
        self.0.get_or_try_init(load).await.cloned()
    }
}

fn read_system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let cause = found
        .errors
        .first()
        .map(|error| format!(" ({error})"))
        .unwrap_or_default();
    Err(format!(
        "this machine has no certificate authorities{cause}; install ca-certificates or give the backend a `ca`"
    ))
}

async fn trusted(ca: &str) -> Result<Arc<RootCertStore>, String> {
    let ca = ca.to_owned();
    let read = tokio::task::spawn_blocking(move || parse_authorities(&read_pem(&ca)?).map(Arc::new));
    read.await.map_err(|error| error.to_string())?
}

/// What a backend trusts, for somebody else to use: `ca` is PEM or the file that holds it. Blocks.
pub fn read_authorities(ca: &str) -> Result<Vec<u8>, String> {
    let pem = read_pem(ca)?;
    parse_authorities(&pem)?;
    Ok(pem)
}

fn read_pem(ca: &str) -> Result<Vec<u8>, String> {
    match ca.contains("-----BEGIN") {
        true => Ok(ca.as_bytes().to_vec()),
        false => std::fs::read(ca).map_err(|error| format!("cannot read the authorities in {ca}: {error}")),
    }
}

fn parse_authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("the backend's `ca` is not PEM: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("an authority in the backend's `ca` is unusable: {error}"))?;
    }
    if roots.is_empty() {
        return Err("the backend's `ca` holds no certificate".to_owned());
    }
    Ok(roots)
}

/// The name to ask for and to verify.
pub(super) fn server_name(endpoint: &Endpoint) -> Result<ServerName<'static>, String> {
    let name = endpoint.server_name.as_ref().unwrap_or(&endpoint.host);
    ServerName::try_from(name.clone()).map_err(|_| format!("`{name}` is neither a host name nor an address"))
}

/// The configuration for connections to `endpoint`.
pub(super) async fn client_config(
    endpoint: &Endpoint,
    system: &SystemRoots,
) -> Result<Arc<ClientConfig>, String> {
    let roots = match &endpoint.ca {
        Some(ca) => trusted(ca).await?,
        None => system.load().await?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
