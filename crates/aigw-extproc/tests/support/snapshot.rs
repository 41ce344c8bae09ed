//! Snapshots of listeners and backends, without routes: who sends where is the processor's word.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use aigw_config::{
    Backend, BackendAuth, Document, Endpoint, Limits, Listener, Millis, Origin, Quirks, Schema, SchemaName,
    Snapshot, Timeouts,
};

/// What a test wants to be served.
#[derive(Clone, Default)]
pub struct Setup {
    pub version: &'static str,
    pub listeners: Vec<Listener>,
    pub endpoints: Vec<Endpoint>,
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
    pub fn tls(mut self, paths: &(String, String)) -> Self {
        self.listeners.last_mut().unwrap().tls = Some(paths.clone());
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
        auth: BackendAuth::None,
        quirks: Quirks::default(),
        max_concurrent: None,
    }
}
