//! Listeners of a Gateway: which can be served, and why others cannot.

use std::collections::{BTreeMap, BTreeSet};

use aigw_api::condition::{self, reason};
use aigw_api::{GATEWAY_GROUP, GROUP, Gateway, GatewayListener};
use serde_json::{Value, json};

use super::condition::Condition;
use crate::credential;
use crate::door::{Allowed, Door};
use crate::index::{Index, Key, Placed};

/// A listener and what became of it.
#[derive(Debug)]
pub(super) struct Looked<'a> {
    pub(super) spec: &'a GatewayListener,
    pub(super) accepted: Condition,
    pub(super) conflicted: Condition,
    pub(super) resolved: Condition,
    /// Whether routes of ours may attach.
    pub(super) takes_routes: bool,
    /// Secrets with certificates, in the order in which they are named.
    pub(super) certificates: Vec<Key>,
    /// Where routes come in; `None` when it is not accepted.
    pub(super) door: Option<Door>,
}

impl Looked<'_> {
    /// Whether it is a part of the document.
    pub(super) fn serves(&self) -> bool {
        // Certificates have no place in the document yet.
        self.door.is_some() && self.spec.protocol == "HTTP"
    }
}

/// Looks at the listeners of a Gateway, in the order in which they are written.
pub(super) fn all<'a>(
    placed: &Placed<'a, Gateway>,
    index: &Index<'_>,
    wanted: &mut BTreeSet<Key>,
) -> Vec<Looked<'a>> {
    let spec: &'a [GatewayListener] = &placed.object.spec.listeners;
    let conflicts = conflicts(spec);
    let looked = spec
        .iter()
        .enumerate()
        .map(|(at, one)| look(one, conflicts.get(&at), placed, index, wanted));
    looked.collect()
}

/// The document's listener for a port of a Gateway.
pub(super) fn name(gateway: &Key, port: u16) -> String {
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
    index: &Index<'_>,
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
        (true, None, Ok(_)) => Condition::is(condition::ACCEPTED, reason::ACCEPTED, "is accepted"),
    };
    let (kinds, takes_routes) = kinds(spec);
    let (certificates, of_certificates) = match spec.protocol.as_str() {
        "HTTPS" => certificates(spec, placed, index, wanted),
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

/// Secrets with a certificate and its key, and a condition when one cannot be used.
fn certificates(
    spec: &GatewayListener,
    placed: &Placed<'_, Gateway>,
    index: &Index<'_>,
    wanted: &mut BTreeSet<Key>,
) -> (Vec<Key>, Option<Condition>) {
    let refs = spec.tls.as_ref().map(|tls| tls.certificate_refs.as_slice());
    let mut good = Vec::new();
    let mut bad = None;
    let mut note = |reason: &'static str, message: String| {
        bad.get_or_insert_with(|| Condition::is_not(condition::RESOLVED_REFS, reason, message));
    };
    for (at, one) in refs.unwrap_or_default().iter().enumerate() {
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
        let secret = placed.key.beside(one.namespace.as_deref(), &one.name);
        let from = (GATEWAY_GROUP, "Gateway", &placed.key);
        if !index.may_refer(from, ("", "Secret", &secret)) {
            let message = format!(
                "{field}: Secret \"{secret}\" is in another namespace, and no ReferenceGrant there permits it"
            );
            note(reason::REF_NOT_PERMITTED, message);
            continue;
        }
        wanted.insert(secret.clone());
        match check(index, &secret) {
            Ok(()) => good.push(secret),
            Err(message) => note(reason::INVALID_CERTIFICATE_REF, format!("{field}: {message}")),
        }
    }
    if good.is_empty() {
        let message = "tls.certificateRefs: HTTPS needs a Secret with `tls.crt` and `tls.key`";
        note(reason::INVALID_CERTIFICATE_REF, message.to_owned());
    }
    (good, bad)
}

fn check(index: &Index<'_>, secret: &Key) -> Result<(), String> {
    for (entry, mark) in [
        ("tls.crt", "-----BEGIN CERTIFICATE-----"),
        ("tls.key", "PRIVATE KEY-----"),
    ] {
        let text = credential::find(index, secret, entry).map_err(|why| why.message)?;
        if !text.reveal().contains(mark) {
            return Err(format!("Secret \"{secret}\": the entry `{entry}` is not PEM"));
        }
    }
    Ok(())
}

/// The kinds of routes that a listener takes, as its status has them.
pub(super) fn supported_kinds(looked: &Looked<'_>) -> Value {
    match looked.takes_routes && is_supported(looked.spec) {
        true => json!([{"group": GROUP, "kind": "AIGatewayRoute"}]),
        false => json!([]),
    }
}
