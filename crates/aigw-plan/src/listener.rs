//! Listeners of a Gateway: which can be served, and why others cannot.

use std::collections::{BTreeMap, BTreeSet};

use aigw_api::condition::{self, reason};
use aigw_api::{GATEWAY_GROUP, GROUP, Gateway, GatewayListener};
use aigw_config::CertificateSpec;
use serde_json::{Value, json};

use crate::certificate::{Certificate, Certificates, asks_clients};
use crate::condition::Condition;
use crate::door::{Allowed, Door};
use crate::index::{Key, Placed};

/// A listener and what became of it.
#[derive(Debug)]
pub(crate) struct Looked<'a> {
    pub(crate) spec: &'a GatewayListener,
    pub(crate) accepted: Condition,
    pub(crate) conflicted: Condition,
    pub(crate) resolved: Condition,
    /// Whether routes of ours may attach.
    pub(crate) takes_routes: bool,
    /// What it is served with, in the order in which they are named.
    pub(crate) certificates: Vec<Certificate>,
    /// Where routes come in; `None` when it is not accepted.
    pub(crate) door: Option<Door>,
}

impl Looked<'_> {
    /// Whether it is a part of the document.
    pub(crate) fn serves(&self) -> bool {
        self.door.is_some() && (self.spec.protocol == "HTTP" || !self.certificates.is_empty())
    }

    /// Its certificates as the document names them.
    pub(crate) fn certificate_specs(&self) -> impl Iterator<Item = CertificateSpec> {
        let hostname = self.door.as_ref().and_then(|door| door.hostname.as_ref());
        self.certificates.iter().map(move |one| one.spec(hostname))
    }
}

/// Looks at the listeners of a Gateway, in the order in which they are written.
pub(crate) fn all<'a>(
    placed: &Placed<'a, Gateway>,
    certificates: Certificates<'_>,
    wanted: &mut BTreeSet<Key>,
) -> Vec<Looked<'a>> {
    let spec: &'a [GatewayListener] = &placed.object.spec.listeners;
    let conflicts = conflicts(spec);
    let looked = spec
        .iter()
        .enumerate()
        .map(|(at, one)| look(one, conflicts.get(&at), placed, certificates, wanted));
    looked.collect()
}

/// The document's listener for a port of a Gateway.
pub(crate) fn name(gateway: &Key, port: u16) -> String {
    format!("{gateway}/{port}")
}

fn is_supported(listener: &GatewayListener) -> bool {
    matches!(listener.protocol.as_str(), "HTTP" | "HTTPS")
}

/// Listeners of one port that cannot be told apart, with reason and message. None of them is served: nobody can say which one
/// was meant.
fn conflicts(listeners: &[GatewayListener]) -> BTreeMap<usize, (&'static str, String)> {
    let mut by_port: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (at, listener) in listeners.iter().enumerate().filter(|(_, one)| is_supported(one)) {
        by_port.entry(listener.port).or_default().push(at);
    }
    let mut out = BTreeMap::new();
    for (port, here) in by_port {
        let of_port = || here.iter().filter_map(|at| Some((*at, listeners.get(*at)?)));
        let protocols: BTreeSet<&str> = of_port().map(|(_, one)| one.protocol.as_str()).collect();
        if protocols.len() > 1 {
            let message = format!("listeners of port {port} have different protocols; keep one");
            let conflict = (reason::PROTOCOL_CONFLICT, message);
            out.extend(here.iter().map(|at| (*at, conflict.clone())));
            continue;
        }
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, listener) in of_port() {
            let name = listener.hostname.as_deref().unwrap_or_default();
            by_name.entry(name.to_lowercase()).or_default().push(at);
        }
        for (name, same) in by_name.into_iter().filter(|(_, same)| same.len() > 1) {
            let what = if name.is_empty() {
                "no host name"
            } else {
                name.as_str()
            };
            let message = format!("several listeners of port {port} have {what}; keep one");
            let conflict = (reason::HOSTNAME_CONFLICT, message);
            out.extend(same.into_iter().map(|at| (at, conflict.clone())));
        }
    }
    out
}

fn look<'a>(
    spec: &'a GatewayListener,
    conflict: Option<&(&'static str, String)>,
    placed: &Placed<'_, Gateway>,
    certificates: Certificates<'_>,
    wanted: &mut BTreeSet<Key>,
) -> Looked<'a> {
    let no = |reason, message: String| Condition::is_not(condition::ACCEPTED, reason, message);
    let conflicted = match conflict {
        Some((reason, message)) => Condition::is(condition::CONFLICTED, reason, message.as_str()),
        None => Condition::is_not(condition::CONFLICTED, reason::NO_CONFLICTS, "has no conflicts"),
    };
    let allowed = Allowed::of(spec);
    let accepted = match (is_supported(spec), conflict, &allowed) {
        (false, _, _) => {
            let message = format!("protocol {} is not supported; HTTP and HTTPS are", spec.protocol);
            no(reason::UNSUPPORTED_PROTOCOL, message)
        }
        (true, Some((reason, message)), _) => no(reason, message.clone()),
        (true, None, Err(message)) => no(reason::INVALID, format!("allowedRoutes.namespaces: {message}")),
        (true, None, Ok(_)) if is_passthrough(spec) => {
            let message = "tls.mode Passthrough is not supported; HTTPS is terminated".to_owned();
            no(reason::NOT_SUPPORTED_YET, message)
        }
        (true, None, Ok(_)) if spec.protocol == "HTTPS" && asks_clients(placed.object, spec.port) => {
            let message = "spec.tls.frontend: certificates of clients are not asked for yet; remove `validation`, or leave the listener out";
            no(reason::NOT_SUPPORTED_YET, message.to_owned())
        }
        (true, None, Ok(_)) => Condition::is(condition::ACCEPTED, reason::ACCEPTED, "is accepted"),
    };
    let (kinds, takes_routes) = kinds(spec);
    let (certificates, of_certificates) = match spec.protocol.as_str() {
        "HTTPS" => certificates.of(spec, placed, wanted),
        _ => (Vec::new(), None),
    };
    let resolved = kinds.or(of_certificates).unwrap_or_else(|| {
        let message = "everything that it refers to is there and may be referred to";
        Condition::is(condition::RESOLVED_REFS, reason::RESOLVED_REFS, message)
    });
    let door = match (accepted.holds(), allowed) {
        (true, Ok(allowed)) => Some(Door {
            gateway: placed.key.clone(),
            section: spec.name.clone(),
            port: spec.port,
            hostname: spec
                .hostname
                .as_ref()
                .filter(|name| !name.is_empty())
                .map(|name| name.to_lowercase()),
            allowed,
            listener: name(&placed.key, spec.port),
        }),
        _ => None,
    };
    Looked {
        spec,
        accepted,
        conflicted,
        resolved,
        takes_routes,
        certificates,
        door,
    }
}

fn is_passthrough(spec: &GatewayListener) -> bool {
    let mode = spec.tls.as_ref().and_then(|tls| tls.mode.as_deref());
    spec.protocol == "HTTPS" && mode == Some("Passthrough")
}

/// A condition when a kind may not stand there, and whether AIGatewayRoutes may attach: wherever HTTPRoutes may.
fn kinds(spec: &GatewayListener) -> (Option<Condition>, bool) {
    let written = spec
        .allowed_routes
        .as_ref()
        .and_then(|allowed| allowed.kinds.as_ref())
        .and_then(Value::as_array);
    let Some(kinds) = written.filter(|kinds| !kinds.is_empty()) else {
        return (None, true);
    };
    let text = |one: &Value, field: &str| one.get(field).and_then(Value::as_str).map(str::to_owned);
    let named = kinds.iter().map(|one| {
        let group = text(one, "group").unwrap_or_else(|| GATEWAY_GROUP.to_owned());
        (group, text(one, "kind").unwrap_or_default())
    });
    let (good, bad): (Vec<_>, Vec<_>) = named.partition(|(group, kind)| {
        matches!(
            (group.as_str(), kind.as_str()),
            (GATEWAY_GROUP, "HTTPRoute") | (GROUP, "AIGatewayRoute")
        )
    });
    let condition = bad.first().map(|(group, kind)| {
        let message = format!("allowedRoutes.kinds: {kind} of `{group}` cannot attach here");
        Condition::is_not(condition::RESOLVED_REFS, reason::INVALID_ROUTE_KINDS, message)
    });
    (condition, !good.is_empty())
}

/// The kinds of routes that a listener takes, as its status has them.
pub(crate) fn supported_kinds(looked: &Looked<'_>) -> Value {
    match looked.takes_routes && is_supported(looked.spec) {
        true => json!([{"group": GROUP, "kind": "AIGatewayRoute"}]),
        false => json!([]),
    }
}
