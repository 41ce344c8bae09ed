//! The document of one Gateway.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aigw_api::condition::{self, reason};
use aigw_config::{
    Auth, BackendSpec, Capabilities, CostSpec, CredentialSpec, Credentials, Document, EndpointsSpec,
    ListenerSpec, ListenerTls, Origin, RouteSpec, Severity,
};

use super::gateway::Ours;
use super::hash;
use super::route::Places;
use super::types::{GatewayPlan, Options, object_key};
use crate::backend::{self, Made};
use crate::cost;
use crate::finding::{Cause, Findings, Subject};
use crate::index::{Index, Key};
use crate::listener::{self, Looked};
use crate::policy::{self, Closed};
use crate::route::{Core, by_precedence};
use crate::tolerant::compile_tolerantly;
use crate::traffic;

/// What all documents are made from.
pub(super) struct Parts<'a> {
    pub(super) index: &'a Index<'a>,
    pub(super) options: &'a Options,
    pub(super) capabilities: &'a dyn Capabilities,
    pub(super) cores: BTreeMap<&'a Key, Core>,
    pub(super) backends: BTreeMap<Key, Made>,
    pub(super) costs: BTreeMap<Key, Vec<CostSpec>>,
    pub(super) closed: Closed,
    pub(super) credentials: Credentials,
    pub(super) specs: Vec<CredentialSpec>,
    /// The objects that origins in documents stand for.
    pub(super) origins: HashMap<&'a Origin, (&'static str, &'a Key)>,
    /// Hashes of all objects that can be served.
    pub(super) hashes: BTreeMap<String, String>,
}

impl Parts<'_> {
    /// The plan of one Gateway. What `compile` refuses is left out, and noted on the object that it came from.
    pub(super) fn gateway(
        &self,
        ours: &Ours<'_>,
        attached: &BTreeMap<&Key, Places>,
        findings: &mut Findings,
    ) -> GatewayPlan {
        let key = &ours.placed.key;
        let routes = self.routes(ours, attached, findings);
        let used: BTreeSet<&str> = routes
            .iter()
            .flat_map(|route| &route.rules)
            .flat_map(|rule| &rule.backends)
            .map(|one| one.name.as_str())
            .collect();
        let made: Vec<&Made> = self
            .backends
            .values()
            .filter(|made| used.contains(made.spec.name.as_str()))
            .collect();
        let (mut credentials, mut specs) = self.credentials(&made);
        for certificate in ours.served().flat_map(|one| &one.certificates) {
            certificate.put(&ours.placed.origin, &mut credentials, &mut specs);
        }
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        let clients = self.index.clients.values();
        let document = Document {
            listeners: self.listeners(ours),
            backends: made.iter().map(|made| made.spec.clone()).collect(),
            credentials: specs,
            limits: policy::limits(
                clients.filter(|policy| policy::is_for_gateway(policy, key)),
                findings,
            ),
            endpoints: self.endpoints(&made),
            routes,
            ..Document::default()
        };
        let document = self.compiled(document, findings);
        self.note_left_out(attached, &document, findings);
        GatewayPlan {
            uid: ours.uid().to_owned(),
            hashes: self.hashes(ours, &document),
            document,
            credentials,
            ports: ours.ports.clone(),
            objects: ours
                .workload
                .as_ref()
                .map(|workload| workload.objects.clone())
                .unwrap_or_default(),
            keeps: ours.workload.is_none(),
        }
    }

    fn listeners(&self, ours: &Ours<'_>) -> Vec<ListenerSpec> {
        let family = ours
            .workload
            .as_ref()
            .map_or(self.options.workload.family, |workload| workload.family);
        let one = |port: &super::types::Port| ListenerSpec {
            name: listener::name(&ours.placed.key, port.port),
            address: family.any(port.container),
            tls: tls(ours, port.port),
            hostnames: Vec::new(),
            origin: ours.placed.origin.clone(),
        };
        ours.ports.iter().map(one).collect()
    }

    /// Routes in the order in which they are tried.
    fn routes(
        &self,
        ours: &Ours<'_>,
        routes: &BTreeMap<&Key, Places>,
        findings: &mut Findings,
    ) -> Vec<RouteSpec> {
        let gateway = std::slice::from_ref(&ours.placed.key);
        let served: BTreeSet<String> = ours
            .ports
            .iter()
            .map(|port| listener::name(&ours.placed.key, port.port))
            .collect();
        let mut out = Vec::new();
        for (key, places) in routes {
            let (Some(core), Some(placed)) = (self.cores.get(key), self.index.routes.get(key)) else {
                continue;
            };
            // Listeners with the same host names share an entry; most often there is one for all.
            let mut groups: BTreeMap<&BTreeSet<String>, Vec<String>> = BTreeMap::new();
            for (listener, hostnames) in places.iter().filter(|(name, _)| served.contains(*name)) {
                groups.entry(hostnames).or_default().push(listener.clone());
            }
            let mut rules = core.rules.clone();
            traffic::apply(self.index, placed, gateway, &mut rules, findings);
            let rules = by_precedence(rules);
            let refuse = self.closed.of(key, gateway);
            if let Some(why) = &refuse {
                let cause = Cause::new(condition::WARNING, reason::CLOSED);
                findings.warn(placed.subject(), cause, "", format!("answers 503: {why}"));
            }
            let mut costs = core.costs.clone();
            cost::inherit(gateway, &self.costs, &mut costs);
            for (at, (hostnames, listeners)) in groups.into_iter().enumerate() {
                let name = match at {
                    0 => key.to_string(),
                    at => format!("{key}@{at}"),
                };
                let route = RouteSpec {
                    name,
                    listeners,
                    hostnames: hostnames.iter().cloned().collect(),
                    strict: false,
                    rules: rules.clone(),
                    costs: costs.clone(),
                    refuse: refuse.clone(),
                    origin: placed.origin.clone(),
                };
                out.push((core.rank, route));
            }
        }
        out.sort_by_key(|(rank, _)| *rank);
        out.into_iter().map(|(_, route)| route).collect()
    }

    /// Those that the backends use.
    fn credentials(&self, backends: &[&Made]) -> (Credentials, Vec<CredentialSpec>) {
        let auths = backends.iter().filter_map(|made| made.spec.auth.as_ref());
        let used: BTreeSet<&str> = auths.filter_map(Auth::credential).collect();
        let mut credentials = Credentials::default();
        for id in &used {
            if let Some(secret) = self.credentials.find(id) {
                credentials.insert(*id, secret.clone());
            }
        }
        let specs = self.specs.iter().filter(|spec| used.contains(spec.name.as_str()));
        (credentials, specs.cloned().collect())
    }

    fn endpoints(&self, backends: &[&Made]) -> Vec<EndpointsSpec> {
        let services = backends.iter().filter_map(|made| {
            let (service, port) = made.service.as_ref()?;
            let addresses = super::service::addresses(self.index, service, *port)?;
            Some((authority(&made.spec)?, addresses))
        });
        // Backends may share a Service.
        let by_name: BTreeMap<String, Vec<String>> = services.collect();
        let specs = by_name.into_iter().map(|(name, addresses)| EndpointsSpec {
            name,
            addresses,
            ..EndpointsSpec::default()
        });
        let mut out: Vec<EndpointsSpec> = specs.collect();
        out.extend(backend::endpoints(backends.iter().copied()));
        out
    }

    /// The document without what cannot be compiled.
    fn compiled(&self, document: Document, findings: &mut Findings) -> Document {
        let tolerated: Vec<Origin> = self.origins.keys().map(|origin| (*origin).clone()).collect();
        let (document, found) = match compile_tolerantly(document, &tolerated, self.capabilities) {
            Ok((snapshot, found)) => (snapshot.document, found),
            Err(found) => (Document::default(), found),
        };
        for one in found.0 {
            let Some((kind, key)) = self.origins.get(&one.origin) else {
                continue;
            };
            let subject = Subject {
                kind,
                key,
                origin: &one.origin,
            };
            match one.severity {
                Severity::Error => findings.error(subject, Cause::INVALID, one.field, one.message),
                Severity::Warning => {
                    let cause = Cause::new(condition::WARNING, reason::DOUBTFUL);
                    findings.warn(subject, cause, one.field, one.message);
                }
            }
        }
        document
    }

    /// Tells routes of backends that `compile` refused.
    fn note_left_out(&self, attached: &BTreeMap<&Key, Places>, document: &Document, findings: &mut Findings) {
        let kept: BTreeSet<&str> = document.backends.iter().map(|one| one.name.as_str()).collect();
        for key in attached.keys() {
            let (Some(core), Some(placed)) = (self.cores.get(key), self.index.routes.get(key)) else {
                continue;
            };
            let refs = core.rules.iter().flat_map(|rule| &rule.backends);
            for gone in refs.filter(|one| !kept.contains(one.name.as_str())) {
                let message = format!(
                    "AIServiceBackend \"{}\" is left out, and so is the reference",
                    gone.name
                );
                let cause = Cause::refs(reason::BACKEND_NOT_READY);
                findings.warn(placed.subject(), cause, "", message);
            }
        }
    }

    /// Hashes of what is in the document.
    fn hashes(&self, ours: &Ours<'_>, document: &Document) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let mut take = |kind: &str, key: &Key| {
            let object = object_key(kind, key);
            if let Some(hash) = self.hashes.get(&object) {
                out.insert(object, hash.clone());
            }
        };
        take("Gateway", &ours.placed.key);
        for route in &document.routes {
            if let Some((kind, key)) = self.origins.get(&route.origin) {
                take(kind, key);
            }
        }
        for backend in &document.backends {
            if let Some((kind, key)) = self.origins.get(&backend.origin) {
                take(kind, key);
                if let Some(policy) = self.backends.get(*key).and_then(|made| made.policy.as_ref()) {
                    take("BackendSecurityPolicy", policy);
                }
            }
        }
        out
    }
}

/// Certificates of a port: those of each listener for its host name. `None`: it is served in the clear.
fn tls(ours: &Ours<'_>, port: u16) -> Option<ListenerTls> {
    let here = ours.served().filter(|one| one.spec.port == port);
    let certificates: Vec<_> = here.flat_map(Looked::certificate_specs).collect();
    (!certificates.is_empty()).then(|| ListenerTls {
        certificates,
        ..ListenerTls::default()
    })
}

/// `host:port` of a backend's URL.
fn authority(spec: &BackendSpec) -> Option<String> {
    let (_, rest) = spec.url.as_deref()?.split_once("://")?;
    Some(rest.to_owned())
}

/// Hashes of all objects: of what each says itself, and of the place and the key that it names. Other objects have hashes of
/// their own.
pub(super) fn hashes(
    index: &Index<'_>,
    gateways: &BTreeMap<&Key, Ours<'_>>,
    backends: &BTreeMap<Key, Made>,
) -> BTreeMap<String, String> {
    let version = |secret: &Key| {
        let secret = index.secrets.get(secret)?;
        secret.object.metadata.resource_version.as_deref()
    };
    let mut out = BTreeMap::new();
    for (key, ours) in gateways {
        let listeners = &ours.placed.object.spec.listeners;
        let certificates = ours.listeners.iter().flat_map(|one| &one.certificates);
        let certificates: Vec<Option<&str>> = certificates.map(|one| version(&one.secret)).collect();
        out.insert(object_key("Gateway", key), hash::of(&(listeners, certificates)));
    }
    for route in index.routes.values() {
        out.insert(object_key(route.kind, &route.key), hash::of(&route.object.spec));
    }
    for (key, made) in backends {
        let Some(placed) = index.service_backends.get(key) else {
            continue;
        };
        let spec = &placed.object.spec;
        let secret = spec.secret_ref.as_ref().and_then(|own| {
            let secret = key.beside(own.namespace.as_deref(), &own.name);
            version(&secret).map(str::to_owned)
        });
        let content = (spec, &made.spec.url, &made.spec.tls, &made.endpoints, secret);
        out.insert(object_key(placed.kind, key), hash::of(&content));
    }
    for policy in index.security.values() {
        let holder = crate::sign::block(&policy.object.spec).map(|(holder, _)| &holder.secret_ref);
        let secret = holder.and_then(|one| {
            let secret = policy.key.beside(one.namespace.as_deref(), &one.name);
            version(&secret).map(str::to_owned)
        });
        let content = (&policy.object.spec, secret);
        out.insert(object_key(policy.kind, &policy.key), hash::of(&content));
    }
    out
}
