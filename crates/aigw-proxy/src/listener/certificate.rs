//! Certificates of a listener: chosen by the name that a client asks for, and replaced under open connections.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use aigw_config::{CertificatePair, Credentials, PemSource, Tls};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

/// Certificate chain and key, PEM.
type Texts = (Vec<u8>, Vec<u8>);

/// Certificates of one listener.
#[derive(Debug)]
pub(super) struct Certificates {
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Table>,
}

/// One version of them.
#[derive(Debug)]
pub(super) struct Table {
    tls: Tls,
    /// As in `tls`, by name.
    served: Vec<Vec<Arc<Served>>>,
}

/// A certificate that can be served.
#[derive(Debug)]
struct Served {
    pair: CertificatePair,
    /// Hash of the texts that it was made of.
    hash: u64,
    key: Arc<CertifiedKey>,
}

impl Certificates {
    /// Reads what `tls` names. Blocks.
    pub fn read(tls: &Tls, credentials: &Credentials) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut make = |pair: &CertificatePair| Served::read(pair, credentials, None, &provider);
        let current = ArcSwap::from_pointee(Table::made(tls, &mut make)?);
        Ok(Self { provider, current })
    }

    /// Reads what `tls` names now; nothing changes before [`Certificates::serve`]. Blocks.
    pub fn prepare(&self, tls: &Tls, credentials: &Credentials) -> Result<Table, String> {
        let current = self.current.load();
        Table::made(tls, &mut |pair| {
            Served::read(pair, credentials, current.find(pair), &self.provider)
        })
    }

    /// Serves what was prepared from the next handshake on.
    pub fn serve(&self, table: Table) {
        self.current.store(Arc::new(table));
    }

    /// Reads everything again; true when something is new. What cannot be used stays as it was, and is told of. Blocks.
    pub fn refresh(&self, credentials: &Credentials) -> (bool, Vec<String>) {
        let current = self.current.load_full();
        let mut problems = Vec::new();
        let mut changed = false;
        let table = Table::made(&current.tls, &mut |pair| {
            let before = current.find(pair);
            match (Served::read(pair, credentials, before, &self.provider), before) {
                (Ok(served), Some(before)) => {
                    changed |= served.hash != before.hash;
                    Ok(served)
                }
                (Err(problem), Some(before)) => {
                    problems.push(problem);
                    Ok(Arc::clone(before))
                }
                (other, None) => other,
            }
        });
        if let Ok(table) = table.map(Arc::new)
            && changed
        {
            // Whoever was faster knows better.
            self.current.compare_and_swap(&current, table);
        }
        (changed, problems)
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

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let table = self.current.load();
        let at = table.tls.find(name.as_deref())?;
        let served = table.served.get(at)?.as_slice();
        let best = match served {
            [only] => only,
            many => many
                .iter()
                .rev()
                .max_by_key(|one| one.fits(name.as_deref(), &hello))?,
        };
        Some(Arc::clone(&best.key))
    }
}

impl Table {
    fn made(
        tls: &Tls,
        make: &mut impl FnMut(&CertificatePair) -> Result<Arc<Served>, String>,
    ) -> Result<Self, String> {
        let names = tls.names.iter();
        let served = names.map(|one| one.certificates.iter().map(&mut *make).collect());
        Ok(Self {
            served: served.collect::<Result<_, String>>()?,
            tls: tls.clone(),
        })
    }

    fn find(&self, pair: &CertificatePair) -> Option<&Arc<Served>> {
        self.served.iter().flatten().find(|one| one.pair == *pair)
    }
}

impl Served {
    fn read(
        pair: &CertificatePair,
        credentials: &Credentials,
        before: Option<&Arc<Self>>,
        provider: &CryptoProvider,
    ) -> Result<Arc<Self>, String> {
        let texts = read_texts(pair, credentials)?;
        let mut hasher = DefaultHasher::new();
        texts.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(before) = before.filter(|before| before.hash == hash) {
            return Ok(Arc::clone(before));
        }
        Ok(Arc::new(Self {
            pair: pair.clone(),
            hash,
            key: Arc::new(parse(pair, &texts, provider)?),
        }))
    }

    /// How well it suits a client, among several for the same name; of equal ones an earlier one is better.
    fn fits(&self, name: Option<&str>, hello: &ClientHello<'_>) -> (bool, bool) {
        let can_sign = self.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let is_for = name.is_some_and(|name| {
            let leaf = self.key.end_entity_cert().ok();
            let leaf = leaf.and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
            let name = ServerName::try_from(name).ok();
            leaf.zip(name)
                .is_some_and(|(leaf, name)| verify_server_name(&leaf, &name).is_ok())
        });
        (can_sign, is_for)
    }
}

fn read_texts(pair: &CertificatePair, credentials: &Credentials) -> Result<Texts, String> {
    let read = |source: &PemSource| match source {
        PemSource::File(path) => fs::read(path).map_err(|error| format!("cannot read {path}: {error}")),
        PemSource::Credential(name) => match credentials.find(name) {
            Some(text) => Ok(text.reveal().as_bytes().to_vec()),
            None => Err(format!("{source} is not there")),
        },
    };
    Ok((read(&pair.certificate)?, read(&pair.key)?))
}

/// Reads certificate chain and key, PEM, for somebody else to serve; an error when they do not work together. Blocks.
pub fn read_certificate(
    pair: &CertificatePair,
    credentials: &Credentials,
) -> Result<(Vec<u8>, Vec<u8>), String> {
    let texts = read_texts(pair, credentials)?;
    parse(pair, &texts, &rustls::crypto::ring::default_provider())?;
    Ok(texts)
}

/// Whether certificate chain and key, PEM, can be served; otherwise why not, without a word of what they hold.
pub fn check_certificate(chain: &str, key: &str) -> Result<(), String> {
    let named = |name: &str| PemSource::File(name.to_owned());
    let pair = CertificatePair {
        certificate: named("the certificate"),
        key: named("the key"),
    };
    let texts = (chain.as_bytes().to_vec(), key.as_bytes().to_vec());
    parse(&pair, &texts, &rustls::crypto::ring::default_provider()).map(|_| ())
}

fn parse(pair: &CertificatePair, texts: &Texts, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let CertificatePair { certificate, key } = pair;
    // What the parser says may hold what it could not read.
    let chain = CertificateDer::pem_slice_iter(&texts.0)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| format!("{certificate} is not PEM"))?;
    if chain.is_empty() {
        return Err(format!("{certificate} holds no certificate"));
    }
    let der = PrivateKeyDer::from_pem_slice(&texts.1)
        .map_err(|_| format!("{key} holds no private key in PEM, or one that needs a password"))?;
    // Also refuses a key that does not belong to the certificate, such as between the writing of two files.
    CertifiedKey::from_der(chain, der, provider)
        .map_err(|error| format!("{certificate} and {key} do not work together: {error}"))
}

#[cfg(test)]
mod tests;
