//! The compiled snapshot: indexed, validated, ready to be asked per request.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::address::Place;
use crate::certificate::Tls;
use crate::cost::Cost;
use crate::diagnostic::Origin;
use crate::document::{BodySet, Document, OnError};
use crate::health::HealthCheck;
use crate::pattern::{ModelPattern, ValuePattern};
use crate::quantity::Millis;
use crate::schema::{Quirks, Schema};

/// One version of everything the data plane needs, besides the bytes of credentials.
#[derive(Debug)]
pub struct Snapshot {
    /// First 16 hexadecimal digits of the SHA-256 of the document; equal documents have equal versions.
    pub version: Arc<str>,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Routes in the order they are tried.
    pub routes: Vec<Route>,
    /// All backends, by name.
    pub backends: HashMap<String, Arc<Backend>>,
    /// Aliases: the client's name to the routed model.
    pub aliases: HashMap<String, String>,
    /// What the list of models shows, in configuration order. A name occurs again only for a route with other listeners or
    /// host names; whoever shows the list to one client shows the first line of a name.
    pub models: Vec<ModelEntry>,
    /// Keys that clients must present; `None` asks for no key.
    pub client_keys: Option<Vec<ClientKey>>,
    /// Sizes and concurrency.
    pub limits: Limits,
    /// The document it was compiled from, for showing (secrets redact themselves).
    pub document: Document,
}

/// One place where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Name.
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// Certificates; `None` serves in the clear.
    pub tls: Option<Tls>,
    /// Host names; empty means every name.
    pub hostnames: Vec<String>,
    /// Where it was written.
    pub origin: Origin,
}

/// A route.
#[derive(Debug)]
pub struct Route {
    /// Name.
    pub name: Arc<str>,
    /// Listener names; empty means all.
    pub listeners: Vec<String>,
    /// Host names, lower case; empty means every name.
    pub hostnames: Vec<String>,
    /// A loss is a 400.
    pub strict: bool,
    /// Rules in order.
    pub rules: Vec<Rule>,
    /// What to work out for each request: the route's own costs, then the document's under other keys.
    pub costs: Vec<Arc<Cost>>,
    /// Answer 503 with this reason.
    pub refuse: Option<String>,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Name, or its index.
    pub name: Arc<str>,
    /// Route and rule: what is remembered of it under, whatever the snapshot.
    pub key: Arc<str>,
    /// One must match, unless empty.
    pub models: Vec<ModelPattern>,
    /// One must match, unless empty.
    pub matches: Vec<Match>,
    /// Candidates sorted by priority, in configuration order within one.
    pub candidates: Vec<Candidate>,
    /// Retry and fallback.
    pub retry: Retry,
    /// Timeouts of the rule (the backend's own are applied per candidate).
    pub timeouts: Timeouts,
    /// Requests in flight, if there is a limit.
    pub max_concurrent: Option<RuleLimit>,
    /// When backends are left out for a while, if ever.
    pub ejection: Option<Ejection>,
    /// How backends are asked whether they are well, if they are.
    pub health_check: Option<Arc<HealthCheck>>,
    /// Answer 503 with this reason.
    pub refuse: Option<String>,
}

/// How many requests of a rule may be in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLimit {
    /// Route and rule: what they are counted under, whatever the snapshot.
    pub key: Arc<str>,
    /// At most.
    pub limit: u32,
}

/// When a rule leaves a backend out, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Route and rule: what is remembered under, whatever the snapshot.
    pub key: Arc<str>,
    /// Failures in a row; 0 counts none.
    pub errors: u32,
    /// Failures of a gateway in a row; 0 counts none.
    pub gateway_errors: u32,
    /// How long the first time.
    pub time: Millis,
    /// How long until one time is forgotten; more than 0.
    pub interval: Millis,
    /// Backends that may be out at one time; less than there are.
    pub most: usize,
}

/// Conditions that must all hold.
#[derive(Debug)]
pub struct Match {
    /// Condition on the model.
    pub model: Option<ModelPattern>,
    /// Conditions on headers.
    pub headers: Vec<HeaderMatcher>,
}

/// A condition on a request header.
#[derive(Debug)]
pub struct HeaderMatcher {
    /// Name.
    pub name: HeaderName,
    /// Value.
    pub value: ValuePattern,
}

/// A backend as one rule uses it.
#[derive(Debug)]
pub struct Candidate {
    /// The backend.
    pub backend: Arc<Backend>,
    /// Share within its priority.
    pub weight: u32,
    /// Lower is tried first.
    pub priority: u32,
    /// Model to ask for in place of the client's.
    pub model: Option<Arc<str>>,
    /// Headers to remove (rule's and backend's).
    pub remove_headers: Vec<HeaderName>,
    /// Headers to set; the rule's win.
    pub set_headers: Vec<(HeaderName, HeaderValue)>,
    /// Body members to remove.
    pub remove_body: Vec<String>,
    /// Body members to set; the rule's win.
    pub set_body: Vec<BodySet>,
    /// Rule's timeouts overlaid by the backend's.
    pub timeouts: Timeouts,
}

/// Retry and fallback of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// Attempts on one backend before the next.
    pub attempts_per_backend: u32,
    /// Statuses tried again besides 408, 429 and 5xx.
    pub statuses: Vec<u16>,
    /// Whether failures are tried again at all.
    pub on_error: OnError,
    /// From an attempt's start to its first byte; the candidates' timeouts have it in them.
    pub timeout: Option<Millis>,
    /// Pauses before further attempts, in place of the engine's own.
    pub backoff: Option<Backoff>,
}

/// Pauses that grow from one retry to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// What they grow from.
    pub base: Millis,
    /// The longest.
    pub max: Millis,
}

/// Timeouts in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Millis,
    /// First byte of an answer that is no stream.
    pub first_byte: Millis,
    /// First byte of a stream.
    pub first_byte_stream: Millis,
    /// Longest silence.
    pub idle: Millis,
    /// Whole answer, when it is no stream.
    pub request: Option<Millis>,
}

/// A backend.
#[derive(Debug)]
pub struct Backend {
    /// Name.
    pub name: Arc<str>,
    /// Metric label: the preset's id, else a name derived from the schema.
    pub provider: Arc<str>,
    /// API schema.
    pub schema: Schema,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Places behind the endpoint that share its requests, in place of what its name leads to; none in it: nobody is there.
    pub places: Option<Arc<[Place]>>,
    /// How requests are authenticated.
    pub auth: BackendAuth,
    /// Departures from the dialect.
    pub quirks: Quirks,
    /// Requests in flight at most.
    pub max_concurrent: Option<u32>,
}

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// TLS or not.
    pub https: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `host` header: with the port only where it is not the scheme's own.
    pub authority: String,
    /// PEM text or path of authorities to trust in place of the system's.
    pub ca: Option<String>,
    /// SNI and name to verify, in place of `host`.
    pub server_name: Option<String>,
}

impl Endpoint {
    /// `host:port`, always with the port, an IPv6 address in brackets: the name that addresses are kept under.
    pub fn name(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// The scheme's own port.
    pub fn default_port(&self) -> u16 {
        if self.https { 443 } else { 80 }
    }
}

/// How requests to a backend are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendAuth {
    /// No credential.
    None,
    /// The client's own.
    Passthrough,
    /// `authorization: Bearer`, with the credential's id.
    Bearer(Arc<str>),
    /// A header, with the credential's id.
    Header(HeaderName, Arc<str>),
}

/// One line of the list of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// Model name.
    pub name: String,
    /// `owned_by`.
    pub owned_by: String,
    /// `created`, seconds since 1970.
    pub created: u64,
    /// Index of the route that serves it; its listeners and host names decide who sees the line.
    pub route: Option<usize>,
}

/// A key that a client may present.
#[derive(Debug)]
pub struct ClientKey {
    /// Who it belongs to.
    pub name: Arc<str>,
    /// Id of the credential to compare with.
    pub credential: String,
    /// Models it may ask for; empty means all.
    pub models: Vec<ModelPattern>,
}

/// Sizes and concurrency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body, bytes.
    pub max_request_body: u64,
    /// Bytes of bodies held at one time.
    pub bytes_in_flight: u64,
    /// Requests in flight.
    pub max_concurrent: Option<u32>,
    /// Default timeouts.
    pub timeouts: Timeouts,
    /// From a request's head to the end of its body.
    pub request_received: Option<Millis>,
    /// How long a client's connection may be without a request; `None` leaves it to the host.
    pub client_idle: Option<Millis>,
    /// Allowed values of `Origin`, lower case.
    pub allowed_origins: Vec<String>,
}
