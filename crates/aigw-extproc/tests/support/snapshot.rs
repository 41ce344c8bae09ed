//! Snapshots of listeners and backends, without routes: who sends where is the processor's word.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use aigw_config::{
    Backend, BackendAuth, CertificatePair, Credentials, Document, Endpoint, Limits, Listener, Millis, Origin,
    PemSource, Quirks, Schema, SchemaName, Secret, Snapshot, Timeouts,
};

use super::tls::Made;

/// What a test wants to be served.
#[derive(Clone, Default)]
pub struct Setup {
    pub version: &'static str,
    pub listeners: Vec<Listener>,
    pub endpoints: Vec<Endpoint>,
    pub credentials: Credentials,
    /// Milliseconds of silence that are allowed, where the test minds.
    pub idle: Option<u64>,
}

impl Setup {
    pub fn new(version: &'static str) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }

    pub fn listener(mut self, name: &'static str, address: SocketAddr) -> Self {
        self.listeners.push(Listener {
            name: name.to_owned(),
            address: address.to_string(),
            tls: None,
            hostnames: Vec::new(),
            origin: Origin::default(),
        });
        self
    }

    /// The last listener serves TLS with these files.
    pub fn tls(self, paths: &(String, String)) -> Self {
        self.certificate(
            None,
            CertificatePair {
                certificate: PemSource::File(paths.0.clone()),
                key: PemSource::File(paths.1.clone()),
            },
        )
    }

    /// The last listener serves TLS under this name with the credentials `NAME.crt` and `NAME.key`.
    pub fn named(self, hostname: Option<&str>, name: &str) -> Self {
        let place = |entry: &str| PemSource::Credential(format!("{name}.{entry}"));
        let (certificate, key) = (place("crt"), place("key"));
        self.certificate(hostname, CertificatePair { certificate, key })
    }

    fn certificate(mut self, hostname: Option<&str>, pair: CertificatePair) -> Self {
        let listener = self.listeners.last_mut().unwrap();
        let tls = listener.tls.get_or_insert_default();
        tls.add(hostname.map(str::to_owned), pair);
        self
    }

    /// The credential `NAME` is this certificate.
    pub fn credential(mut self, name: &str, made: &Made) -> Self {
        for (entry, text) in [("crt", &made.certificate), ("key", &made.key)] {
            self.credentials
                .insert(format!("{name}.{entry}"), Secret::new(text.as_str()));
        }
        self
    }

    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }
}

pub fn endpoint(https: bool, host: &str, port: u16) -> Endpoint {
    Endpoint {
        https,
        host: host.to_owned(),
        port,
        authority: format!("{host}:{port}"),
        ca: None,
        server_name: None,
    }
}

pub fn at(address: SocketAddr) -> Endpoint {
    endpoint(false, &address.ip().to_string(), address.port())
}

pub fn snapshot(setup: &Setup) -> Snapshot {
    let backends: HashMap<String, Arc<Backend>> = setup
        .endpoints
        .iter()
        .enumerate()
        .map(|(index, endpoint)| {
            let name = format!("backend-{index}");
            (name.clone(), Arc::new(backend(&name, endpoint.clone())))
        })
        .collect();
    Snapshot {
        version: Arc::from(setup.version),
        listeners: setup.listeners.clone(),
        routes: Vec::new(),
        backends,
        aliases: HashMap::new(),
        models: Vec::new(),
        client_keys: None,
        limits: Limits {
            max_request_body: 32 << 20,
            bytes_in_flight: 512 << 20,
            max_concurrent: None,
            request_received: None,
            client_idle: None,
            timeouts: Timeouts {
                connect: Millis(2_000),
                first_byte: Millis(600_000),
                first_byte_stream: Millis(120_000),
                idle: Millis(setup.idle.unwrap_or(300_000)),
                request: None,
            },
            allowed_origins: Vec::new(),
        },
        document: Document::default(),
    }
}

fn backend(name: &str, endpoint: Endpoint) -> Backend {
    Backend {
        name: Arc::from(name),
        provider: Arc::from("openai"),
        schema: Schema::new(SchemaName::OpenAI),
        endpoint,
        places: None,
        auth: BackendAuth::None,
        quirks: Quirks::default(),
        max_concurrent: None,
    }
}
