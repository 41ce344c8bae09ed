//! A gateway whose one route takes every model to the given endpoints in order.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses its part; a failure is a panic"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aigw_config::{
    Backend, BackendAuth, Candidate, Credentials, Document, Endpoint, HealthCheck, Limits, Listener, Millis,
    OnError, Origin, Quirks, Retry, Route, Rule, Schema, SchemaName, Snapshot, Timeouts, Tls,
};
use aigw_engine::UsageRecord;
use aigw_proxy::{Place, Proxies, Server, Upstreams, serve_at};
use aigw_runtime::{Gateway, Live};
use tokio::sync::mpsc;

use super::support::TIMEOUTS;

/// A running gateway and what it records.
pub struct Running {
    pub server: Server,
    pub gateway: Arc<Gateway>,
    pub records: mpsc::UnboundedReceiver<UsageRecord>,
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0].1
    }

    /// Publishes a snapshot with these listeners (name, address).
    pub fn publish(&self, endpoints: &[Endpoint], listeners: &[(&str, &str)]) {
        let mut snapshot = snapshot(endpoints, &Setup::default());
        snapshot.listeners = listeners
            .iter()
            .map(|(name, address)| listener(name, address, None))
            .collect();
        self.gateway.swap(Live {
            snapshot: Arc::new(snapshot),
            credentials: Arc::default(),
        });
    }

    pub async fn record(&mut self) -> UsageRecord {
        self.records.recv().await.unwrap()
    }
}

/// What a test may want otherwise.
pub struct Setup {
    pub timeouts: Timeouts,
    pub max_request_body: u64,
    pub tls: Option<Tls>,
    pub health_check: Option<HealthCheck>,
    /// Called with each record before it is stored.
    pub watch: fn(&UsageRecord),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            timeouts: TIMEOUTS,
            max_request_body: 32 << 20,
            tls: None,
            health_check: None,
            watch: |_| {},
        }
    }
}

pub async fn start(endpoints: &[Endpoint]) -> Running {
    start_with(endpoints, Setup::default()).await
}

pub async fn start_with(endpoints: &[Endpoint], setup: Setup) -> Running {
    start_at(Place::Addresses, endpoints, setup).await
}

pub async fn start_at(place: Place, endpoints: &[Endpoint], setup: Setup) -> Running {
    let snapshot = Arc::new(snapshot(endpoints, &setup));
    let (sender, records) = mpsc::unbounded_channel();
    let sender = Mutex::new(sender);
    let watch = setup.watch;
    let sink = Box::new(move |record: Box<UsageRecord>| {
        watch(&record);
        let _ = sender
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .send(*record);
    });
    let live = Live {
        snapshot,
        credentials: Arc::new(Credentials::default()),
    };
    let gateway = Arc::new(Gateway::new(live, sink));
    let server = serve_at(place, Arc::clone(&gateway), Upstreams::new(Proxies::none()))
        .await
        .unwrap();
    Running {
        server,
        gateway,
        records,
    }
}

fn snapshot(endpoints: &[Endpoint], setup: &Setup) -> Snapshot {
    let backends: Vec<Arc<Backend>> = endpoints
        .iter()
        .enumerate()
        .map(|(index, endpoint)| {
            Arc::new(Backend {
                name: format!("up{index}").into(),
                provider: "openai".into(),
                schema: Schema {
                    name: SchemaName::OpenAI,
                    version: None,
                    prefix: None,
                },
                endpoint: endpoint.clone(),
                places: None,
                auth: BackendAuth::None,
                quirks: Quirks::default(),
                max_concurrent: None,
            })
        })
        .collect();
    let candidates = backends
        .iter()
        .map(|backend| candidate(backend, setup.timeouts))
        .collect();
    let rule = Rule {
        name: "0".into(),
        key: "all 0".into(),
        models: vec![],
        matches: vec![],
        candidates,
        retry: Retry {
            attempts: 3,
            attempts_per_backend: 1,
            statuses: vec![],
            on_error: OnError::Retry,
            timeout: None,
            backoff: None,
        },
        timeouts: setup.timeouts,
        max_concurrent: None,
        ejection: None,
        health_check: setup.health_check.clone().map(Arc::new),
        refuse: None,
    };
    let route = Route {
        name: "all".into(),
        listeners: vec![],
        hostnames: vec![],
        strict: false,
        rules: vec![rule],
        costs: vec![],
        refuse: None,
    };
    Snapshot {
        version: "test".into(),
        listeners: vec![listener("gateway", "127.0.0.1:0", setup.tls.clone())],
        routes: vec![route],
        backends: backends
            .into_iter()
            .map(|backend| (backend.name.to_string(), backend))
            .collect(),
        aliases: HashMap::new(),
        models: vec![],
        client_keys: None,
        limits: Limits {
            max_request_body: setup.max_request_body,
            bytes_in_flight: 512 << 20,
            max_concurrent: None,
            timeouts: setup.timeouts,
            request_received: None,
            client_idle: None,
            allowed_origins: vec![],
        },
        document: Document::default(),
    }
}

fn listener(name: &str, address: &str, tls: Option<Tls>) -> Listener {
    Listener {
        name: name.to_owned(),
        address: address.to_owned(),
        tls,
        hostnames: vec![],
        origin: Origin::default(),
    }
}

fn candidate(backend: &Arc<Backend>, timeouts: Timeouts) -> Candidate {
    Candidate {
        backend: Arc::clone(backend),
        weight: 1,
        priority: backend.name.trim_start_matches("up").parse().unwrap_or(0),
        model: None,
        remove_headers: vec![],
        set_headers: vec![],
        remove_body: vec![],
        set_body: vec![],
        timeouts,
    }
}

pub const fn millis(value: u64) -> Millis {
    Millis(value)
}
