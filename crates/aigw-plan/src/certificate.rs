//! Certificates of a Gateway's listeners: which Secrets they are in, and whether they can be served.

use std::collections::BTreeSet;

use aigw_api::condition::{self, reason};
use aigw_api::{GATEWAY_GROUP, Gateway, GatewayListener};
use aigw_config::{
    CertificateSpec, CredentialSpec, Credentials, Origin, PemSource, Secret as Bytes, SecretSource,
};
use serde_json::Value;

use crate::condition::Condition;
use crate::credential;
use crate::index::{Index, Key, Placed};

/// Whether a certificate chain and a key, both PEM, can be served; otherwise why not, without a word of what they hold.
pub type CheckCertificate = fn(chain: &str, key: &str) -> Result<(), String>;

/// A certificate and its key, and the Secret that they are in.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) secret: Key,
    chain: Bytes,
    key: Bytes,
}

/// Where certificates are looked for.
#[derive(Clone, Copy)]
pub(crate) struct Certificates<'a> {
    pub(crate) index: &'a Index<'a>,
    /// Those of the last plan: one whose Secret cannot be used any more stays in service.
    pub(crate) in_service: &'a Credentials,
    pub(crate) check: CheckCertificate,
}

impl Certificate {
    fn ids(secret: &Key) -> [String; 2] {
        [CHAIN, KEY].map(|entry| credential::id(secret, entry))
    }

    /// As the document names it, for clients that ask for this name (`None`: every other).
    pub(crate) fn spec(&self, hostname: Option<&String>) -> CertificateSpec {
        let [certificate, key] = Self::ids(&self.secret).map(PemSource::Credential);
        CertificateSpec {
            hostnames: hostname.cloned().into_iter().collect(),
            certificate,
            key,
        }
    }

    /// Puts its bytes beside the document, once.
    pub(crate) fn put(
        &self,
        origin: &Origin,
        credentials: &mut Credentials,
        specs: &mut Vec<CredentialSpec>,
    ) {
        let bytes = [&self.chain, &self.key];
        for (id, bytes) in Self::ids(&self.secret).into_iter().zip(bytes) {
            if credentials.find(&id).is_some() {
                continue;
            }
            credentials.insert(id.as_str(), bytes.clone());
            specs.push(CredentialSpec {
                name: id,
                source: SecretSource::taken(),
                origin: origin.clone(),
            });
        }
    }
}

/// Entries of a Secret of type `kubernetes.io/tls`.
const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";

impl Certificates<'_> {
    /// Certificates that a listener is served with, in the order in which they are named, and a condition when one of them
    /// cannot be used.
    pub(crate) fn of(
        &self,
        listener: &GatewayListener,
        gateway: &Placed<'_, Gateway>,
        wanted: &mut BTreeSet<Key>,
    ) -> (Vec<Certificate>, Option<Condition>) {
        let refs = listener.tls.as_ref().map(|tls| tls.certificate_refs.as_slice());
        let refs = refs.unwrap_or_default();
        let mut served = Vec::new();
        let mut bad = None;
        let mut note = |reason: &'static str, message: String| {
            bad.get_or_insert_with(|| Condition::is_not(condition::RESOLVED_REFS, reason, message));
        };
        for (at, one) in refs.iter().enumerate() {
            let field = format!("tls.certificateRefs[{at}]");
            let is_secret = one.group.as_deref().unwrap_or_default().is_empty()
                && one.kind.as_deref().is_none_or(|kind| kind == "Secret");
            if !is_secret {
                note(
                    reason::INVALID_CERTIFICATE_REF,
                    format!("{field} names no Secret"),
                );
                continue;
            }
            let secret = gateway.key.beside(one.namespace.as_deref(), &one.name);
            let from = (GATEWAY_GROUP, "Gateway", &gateway.key);
            if !self.index.may_refer(from, ("", "Secret", &secret)) {
                let message = format!(
                    "{field}: Secret \"{secret}\" is in another namespace, and no ReferenceGrant there permits it"
                );
                note(reason::REF_NOT_PERMITTED, message);
                continue;
            }
            wanted.insert(secret.clone());
            match self.read(&secret) {
                Ok(certificate) => served.push(certificate),
                Err(why) => {
                    let last = self.last(&secret);
                    let stays = match last {
                        Some(_) => "; the last good one stays in service",
                        None => "",
                    };
                    note(reason::INVALID_CERTIFICATE_REF, format!("{field}: {why}{stays}"));
                    served.extend(last);
                }
            }
        }
        if refs.is_empty() {
            let message = "tls.certificateRefs: HTTPS needs a Secret with `tls.crt` and `tls.key`";
            note(reason::INVALID_CERTIFICATE_REF, message.to_owned());
        }
        (served, bad)
    }

    fn read(&self, secret: &Key) -> Result<Certificate, String> {
        let find = |entry| credential::find(self.index, secret, entry).map_err(|why| why.message);
        let (chain, key) = (find(CHAIN)?, find(KEY)?);
        (self.check)(chain.reveal(), key.reveal()).map_err(|why| format!("Secret \"{secret}\": {why}"))?;
        Ok(Certificate {
            secret: secret.clone(),
            chain,
            key,
        })
    }

    /// What was served last. A Secret that is gone was taken away; one that cannot be used is a mistake, which need not stop
    /// traffic.
    fn last(&self, secret: &Key) -> Option<Certificate> {
        self.index.secrets.get(secret)?;
        let [chain, key] = Certificate::ids(secret);
        Some(Certificate {
            secret: secret.clone(),
            chain: self.in_service.find(&chain)?.clone(),
            key: self.in_service.find(&key)?.clone(),
        })
    }
}

/// Whether clients of this port are to prove who they are; nothing asks them yet, so the port must stay closed.
pub(crate) fn asks_clients(gateway: &Gateway, port: u16) -> bool {
    let frontend = gateway.spec.tls.as_ref().and_then(|tls| tls.frontend.as_ref());
    let Some(frontend) = frontend else {
        return false;
    };
    let validates = |one: Option<&Value>| one.is_some_and(|one| !one["validation"].is_null());
    let ports = frontend["perPort"].as_array().into_iter().flatten();
    let own = ports
        .filter(|one| one["port"] == port)
        .map(|one| &one["tls"])
        .next();
    validates(own.or_else(|| frontend.get("default")))
}
