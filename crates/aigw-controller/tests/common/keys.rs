//! The authority of a test cluster, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// A certificate and its key, both PEM.
pub struct Signed {
    pub certificate: String,
    pub key: String,
}

/// Signs the server's certificate and those of its users.
pub struct Authority {
    pub certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "test cluster");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// The certificate of a server on the loopback interface.
    pub fn server(&self) -> Signed {
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned);
        let params = CertificateParams::new(names.to_vec()).unwrap();
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The certificate of a user: the common name is the user's, organizations are groups.
    pub fn user(&self, name: &str, groups: &[&str]) -> Signed {
        let mut params = CertificateParams::default();
        let one = |text: &str| DnValue::Utf8String(text.to_owned());
        params.distinguished_name.push(DnType::CommonName, one(name));
        // A distinguished name of rcgen holds a kind once; a user of a test is in one group.
        assert!(groups.len() < 2, "one group at most");
        for group in groups {
            params
                .distinguished_name
                .push(DnType::OrganizationName, one(group));
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> Signed {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        Signed {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}
