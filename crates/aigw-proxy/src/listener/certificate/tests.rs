use aigw_config::Secret;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384};

use super::*;

struct Made {
    certificate: String,
    key: String,
}

fn made(name: &str) -> Made {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    Made {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    }
}

fn by_credentials(name: &str) -> CertificatePair {
    CertificatePair {
        certificate: PemSource::Credential(format!("{name}/tls.crt")),
        key: PemSource::Credential(format!("{name}/tls.key")),
    }
}

fn put(credentials: &mut Credentials, name: &str, made: &Made) {
    credentials.insert(format!("{name}/tls.crt"), Secret::new(made.certificate.as_str()));
    credentials.insert(format!("{name}/tls.key"), Secret::new(made.key.as_str()));
}

fn served(certificates: &Certificates, name: Option<&str>) -> Vec<u8> {
    let table = certificates.current.load();
    let at = table.tls.find(name).unwrap();
    table.served[at][0].key.cert[0].to_vec()
}

#[test]
fn changed_files_are_served_and_bad_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let tls = Tls::of(CertificatePair {
        certificate: PemSource::File(path("tls.crt")),
        key: PemSource::File(path("tls.key")),
    });
    let none = Credentials::default();
    let write = |certificate: bool, key: bool| {
        let made = made("gateway.test");
        if certificate {
            fs::write(path("tls.crt"), made.certificate).unwrap();
        }
        if key {
            fs::write(path("tls.key"), made.key).unwrap();
        }
    };
    assert!(Certificates::read(&tls, &none).unwrap_err().contains("tls.crt"));
    write(true, true);
    let certificates = Certificates::read(&tls, &none).unwrap();
    let first = served(&certificates, None);
    assert_eq!(certificates.refresh(&none), (false, vec![]));
    write(true, false);
    let (changed, problems) = certificates.refresh(&none);
    assert!(
        !changed && problems[0].contains("do not work together"),
        "{problems:?}"
    );
    assert_eq!(first, served(&certificates, None));
    write(true, true);
    assert_eq!(certificates.refresh(&none), (true, vec![]));
    assert_ne!(first, served(&certificates, None));
}

#[test]
fn a_bad_pair_leaves_the_others_alone() {
    let mut tls = Tls::default();
    let mut credentials = Credentials::default();
    for name in ["a.test", "b.test"] {
        tls.add(Some(name.to_owned()), by_credentials(name));
        put(&mut credentials, name, &made(name));
    }
    let certificates = Certificates::read(&tls, &credentials).unwrap();
    let before = ["a.test", "b.test"].map(|name| served(&certificates, Some(name)));
    let mut next = credentials.clone();
    put(&mut next, "a.test", &made("a.test"));
    next.insert("b.test/tls.key", Secret::new(made("b.test").key));
    assert!(
        certificates
            .prepare(&tls, &next)
            .unwrap_err()
            .contains("b.test/tls.key")
    );
    let (changed, problems) = certificates.refresh(&next);
    assert!(changed && problems.len() == 1, "{problems:?}");
    assert_ne!(before[0], served(&certificates, Some("a.test")));
    assert_eq!(before[1], served(&certificates, Some("b.test")));
    certificates.serve(certificates.prepare(&tls, &credentials).unwrap());
    assert_eq!(before[0], served(&certificates, Some("a.test")));
}

#[test]
fn a_refusal_shows_nothing_of_the_key() {
    let good = made("gateway.test");
    assert_eq!(check_certificate(&good.certificate, &good.key), Ok(()));
    let one_line = good.key.replace('\n', "");
    let body = &good.key.lines().nth(1).unwrap()[..20];
    let bytes = format!("{:?}", body.as_bytes());
    for key in [one_line.as_str(), &good.key[..90], "", &made("gateway.test").key] {
        let error = check_certificate(&good.certificate, key).unwrap_err();
        assert!(
            !error.contains(body) && !error.contains(bytes.trim_matches(['[', ']'])),
            "{error}"
        );
    }
    assert!(
        check_certificate("no PEM", &good.key)
            .unwrap_err()
            .contains("holds no certificate")
    );
}

/// What a client that offers `schemes` and asks for `name` is shown.
fn shown(certificates: &Arc<Certificates>, name: &'static str, rsa_or_p384: bool) -> Option<Vec<u8>> {
    let provider = rustls::crypto::ring::default_provider();
    let mut provider = provider;
    if rsa_or_p384 {
        let algorithms = &provider.signature_verification_algorithms;
        let wanted = rustls::SignatureScheme::ECDSA_NISTP384_SHA384;
        let mapping = algorithms
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == wanted)
            .unwrap();
        provider.signature_verification_algorithms = rustls::crypto::WebPkiSupportedAlgorithms {
            all: algorithms.all,
            mapping: Box::leak(Box::new([*mapping])),
        };
    }
    let mut roots = rustls::RootCertStore::empty();
    for one in certificates.current.load().served.iter().flatten() {
        roots.add(one.key.cert[0].clone()).unwrap();
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap();
    let mut server = rustls::ServerConnection::new(certificates.server_config().unwrap()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets().ok()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().ok()?;
        }
    }
    Some(client.peer_certificates()?[0].to_vec())
}

#[test]
fn clients_are_shown_what_suits_their_name_and_their_algorithms() {
    let mut tls = Tls::default();
    let mut credentials = Credentials::default();
    let p384 = {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        Made {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    };
    for (name, hostname, one) in [
        ("first", Some("a.test"), made("a.test")),
        ("p384", Some("a.test"), p384),
        ("wide", Some("*.b.test"), made("c.b.test")),
        ("other", Some("*.b.test"), made("d.b.test")),
    ] {
        tls.add(hostname.map(str::to_owned), by_credentials(name));
        put(&mut credentials, name, &one);
    }
    let certificates = Arc::new(Certificates::read(&tls, &credentials).unwrap());
    let of = |name: &str, at: usize| {
        let table = certificates.current.load();
        let index = table.tls.find(Some(name)).unwrap();
        Some(table.served[index][at].key.cert[0].to_vec())
    };
    assert_eq!(shown(&certificates, "a.test", false), of("a.test", 0));
    assert_eq!(shown(&certificates, "A.test", false), of("a.test", 0));
    assert_eq!(shown(&certificates, "a.test", true), of("a.test", 1));
    assert_eq!(shown(&certificates, "c.b.test", false), of("c.b.test", 0));
    assert_eq!(shown(&certificates, "d.b.test", false), of("c.b.test", 1));
    // Nothing is for it.
    assert_eq!(shown(&certificates, "e.test", false), None);
    assert_eq!(shown(&certificates, "127.0.0.1", false), None);
}
