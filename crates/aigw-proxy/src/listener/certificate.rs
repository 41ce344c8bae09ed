//! A listener's certificate, read again when its files change.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Certificate chain and key of one listener.
#[derive(Debug)]
pub(super) struct Certificate {
    paths: (String, String),
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    /// Hash of the files that `current` was made of.
    seen: AtomicU64,
}

impl Certificate {
    /// Reads the files. Blocks.
    pub fn read(paths: (String, String)) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let files = read_files(&paths)?;
        let current = ArcSwap::from_pointee(parse(&paths, &files, &provider)?);
        let seen = AtomicU64::new(hash(&files));
        Ok(Self {
            paths,
            provider,
            current,
            seen,
        })
    }

    /// Reads the files again and serves what they hold; true when that is new. On an error the last good one stays.
    /// Blocks.
    pub fn refresh(&self) -> Result<bool, String> {
        let files = read_files(&self.paths)?;
        let hash = hash(&files);
        if hash == self.seen.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.current
            .store(Arc::new(parse(&self.paths, &files, &self.provider)?));
        self.seen.store(hash, Ordering::Release);
        Ok(true)
    }

    /// The configuration that serves whatever is current at each handshake.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, String> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read_files(paths: &(String, String)) -> Result<(Vec<u8>, Vec<u8>), String> {
    let read = |path: &str| fs::read(path).map_err(|error| format!("cannot read {path}: {error}"));
    Ok((read(&paths.0)?, read(&paths.1)?))
}

/// Reads certificate chain and key, PEM, for somebody else to serve; an error when they do not work together. Blocks.
pub fn read_certificate(paths: &(String, String)) -> Result<(Vec<u8>, Vec<u8>), String> {
    let files = read_files(paths)?;
    parse(paths, &files, &rustls::crypto::ring::default_provider())?;
    Ok(files)
}

fn hash(files: &(Vec<u8>, Vec<u8>)) -> u64 {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    hasher.finish()
}

fn parse(
    paths: &(String, String),
    files: &(Vec<u8>, Vec<u8>),
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(&files.0)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{} is not PEM: {error}", paths.0))?;
    if chain.is_empty() {
        return Err(format!("{} holds no certificate", paths.0));
    }
    let key = PrivateKeyDer::from_pem_slice(&files.1)
        .map_err(|error| format!("{} holds no private key in PEM: {error}", paths.1))?;
    // Also refuses a key that does not belong to the certificate, such as between the writing of two files.
    CertifiedKey::from_der(chain, key, provider)
        .map_err(|error| format!("{} and {} do not work together: {error}", paths.0, paths.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_are_served_and_bad_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let paths = (path("tls.crt"), path("tls.key"));
        let write = |certificate: bool, key: bool| {
            let made = rcgen::generate_simple_self_signed(vec!["gateway.test".to_owned()]).unwrap();
            if certificate {
                fs::write(&paths.0, made.cert.pem()).unwrap();
            }
            if key {
                fs::write(&paths.1, made.signing_key.serialize_pem()).unwrap();
            }
        };
        assert!(Certificate::read(paths.clone()).unwrap_err().contains("tls.crt"));
        write(true, true);
        let certificate = Certificate::read(paths.clone()).unwrap();
        let first = certificate.current.load_full();
        assert_eq!(certificate.refresh(), Ok(false));
        write(true, false);
        assert!(
            certificate
                .refresh()
                .unwrap_err()
                .contains("do not work together")
        );
        assert!(Arc::ptr_eq(&first, &certificate.current.load_full()));
        write(true, true);
        assert_eq!(certificate.refresh(), Ok(true));
        assert_ne!(first.cert, certificate.current.load_full().cert);
    }
}
