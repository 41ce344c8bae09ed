//! Certificates of listeners: as they are written, and by the host name that a client asks for.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// TLS of a listener: a certificate for every name, others by name, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerTls {
    /// Certificate chain for names that `certificates` does not have, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PemSource>,
    /// Its private key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PemSource>,
    /// Certificates by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateSpec>,
}

impl ListenerTls {
    /// Names of the credentials that it is made of.
    pub fn credentials(&self) -> impl Iterator<Item = &str> {
        let more = self
            .certificates
            .iter()
            .flat_map(|one| [&one.certificate, &one.key]);
        let all = self.certificate.iter().chain(&self.key).chain(more);
        all.filter_map(|source| match source {
            PemSource::File(_) => None,
            PemSource::Credential(name) => Some(name.as_str()),
        })
    }

    /// All sources.
    pub fn sources_mut(&mut self) -> impl Iterator<Item = &mut PemSource> {
        let more = self.certificates.iter_mut();
        let more = more.flat_map(|one| [&mut one.certificate, &mut one.key]);
        self.certificate.iter_mut().chain(&mut self.key).chain(more)
    }
}

/// A certificate and the names that it is for. Several may have the same names: one for each kind of key, for example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSpec {
    /// Host names that a client asks for (exact or `*.example.com`); empty means all that no other entry has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Certificate chain, PEM.
    pub certificate: PemSource,
    /// Private key, PEM.
    pub key: PemSource,
}

/// Where PEM text is: a path, or `{credential: NAME}`. The text itself is never in the document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PemSource {
    /// A file; read again when it changes.
    File(String),
    /// The credential of this name.
    Credential(String),
}

impl fmt::Display for PemSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Credential(name) => write!(f, "credential \"{name}\""),
        }
    }
}

impl Serialize for PemSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File(path) => serializer.serialize_str(path),
            Self::Credential(name) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("credential", name)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for PemSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = PemSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a PEM file, or `{credential: NAME}`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<PemSource, E> {
                match path.contains("-----BEGIN") {
                    // Paths are shown.
                    true => Err(E::custom(
                        "the text itself may not stand here; write it to a file and give its path, or put it in a credential",
                    )),
                    false => Ok(PemSource::File(path.to_owned())),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PemSource, A::Error> {
                let mut name = None;
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "credential" => name = Some(map.next_value()?),
                        _ => drop(map.next_value::<de::IgnoredAny>()?),
                    }
                }
                name.map(PemSource::Credential)
                    .ok_or_else(|| de::Error::missing_field("credential"))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Certificates of a listener by name, compiled: no name occurs twice, and none is without a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// In the order in which the names occur first.
    pub names: Vec<TlsName>,
}

/// What a client that asks for a name is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsName {
    /// Lower case, exact or `*.example.com` (which has `a.b.example.com` too); `None` is every other name, and none at all.
    pub hostname: Option<String>,
    /// At least one; the first is for clients that fit none better.
    pub certificates: Vec<CertificatePair>,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificatePair {
    /// Certificate chain, PEM.
    pub certificate: PemSource,
    /// Private key, PEM.
    pub key: PemSource,
}

impl Tls {
    /// One certificate for every name.
    pub fn of(pair: CertificatePair) -> Self {
        let mut tls = Self::default();
        tls.add(None, pair);
        tls
    }

    /// Adds a certificate for a name, unless it is there.
    pub fn add(&mut self, hostname: Option<String>, pair: CertificatePair) {
        match self.names.iter_mut().find(|one| one.hostname == hostname) {
            Some(known) if known.certificates.contains(&pair) => {}
            Some(known) => known.certificates.push(pair),
            None => self.names.push(TlsName {
                hostname,
                certificates: vec![pair],
            }),
        }
    }

    /// All certificates; one that several names share comes several times.
    pub fn pairs(&self) -> impl Iterator<Item = &CertificatePair> {
        self.names.iter().flat_map(|one| &one.certificates)
    }

    /// What a client is shown that asks for `name` (lower case): the exact name before the longest `*.`, and both before every
    /// other. `None`: nothing is for it.
    pub fn find(&self, name: Option<&str>) -> Option<usize> {
        let fit = |one: &TlsName| match (&one.hostname, name) {
            (None, _) => Some(0),
            (Some(own), Some(name)) if own == name => Some(usize::MAX),
            (Some(own), Some(name)) => {
                let suffix = own.strip_prefix('*')?;
                (name.len() > suffix.len() && name.ends_with(suffix)).then_some(suffix.len())
            }
            (Some(_), None) => None,
        };
        let all = self.names.iter().enumerate();
        let fitting = all.filter_map(|(at, one)| Some((fit(one)?, at)));
        fitting.max_by_key(|(fits, _)| *fits).map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_paths_or_credentials_and_never_the_text() {
        let read = |json: &str| serde_json::from_str::<PemSource>(json).map_err(|error| error.to_string());
        for (json, source) in [
            (r#""tls.crt""#, PemSource::File("tls.crt".into())),
            (
                r#"{"credential":"secret/a/b/tls.key"}"#,
                PemSource::Credential("secret/a/b/tls.key".into()),
            ),
        ] {
            assert_eq!(read(json), Ok(source.clone()));
            assert_eq!(serde_json::to_string(&source).unwrap(), json);
        }
        let error = read(r#""-----BEGIN PRIVATE KEY----- MIIsecret""#).unwrap_err();
        assert!(
            error.contains("give its path") && !error.contains("MIIsecret"),
            "{error}"
        );
        assert!(read(r#"{"value":"x"}"#).is_err());
    }

    #[test]
    fn the_most_specific_name_wins() {
        let mut tls = Tls::default();
        let pair = |name: &str| CertificatePair {
            certificate: PemSource::File(format!("{name}.crt")),
            key: PemSource::File(format!("{name}.key")),
        };
        for name in [
            Some("*.example.com"),
            None,
            Some("*.b.example.com"),
            Some("a.example.com"),
        ] {
            tls.add(name.map(str::to_owned), pair(name.unwrap_or("every")));
        }
        tls.add(None, pair("every"));
        let found = |name| {
            let at = tls.find(name)?;
            tls.names[at].hostname.as_deref().or(Some("every"))
        };
        for (name, expected) in [
            (Some("a.example.com"), "a.example.com"),
            (Some("c.example.com"), "*.example.com"),
            (Some("x.y.example.com"), "*.example.com"),
            (Some("x.b.example.com"), "*.b.example.com"),
            (Some("b.example.com"), "*.example.com"),
            (Some("example.com"), "every"),
            (Some("badexample.com"), "every"),
            (None, "every"),
        ] {
            assert_eq!(found(name), Some(expected), "{name:?}");
        }
        assert!(tls.names.iter().all(|one| one.certificates.len() == 1));
        tls.names.retain(|one| one.hostname.is_some());
        assert_eq!(tls.find(None), None);
        assert_eq!(tls.find(Some("example.org")), None);
    }
}
