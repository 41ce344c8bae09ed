//! Gateways that are ours: their listeners, settings and addresses.

use std::collections::{BTreeMap, BTreeSet};

use aigw_api::condition::{self, reason};
use aigw_api::{Gateway, GatewayClass, Service};
use serde_json::{Value, json};

use super::types::{Options, Port};
use super::workload;
use crate::certificate::Certificates;
use crate::condition::Condition;
use crate::door::Door;
use crate::finding::Findings;
use crate::index::{Index, Key, Placed};
use crate::listener::{self, Looked};
use crate::workload::{Workload, container_ports};

/// A Gateway of one of our classes.
#[derive(Debug)]
pub(super) struct Ours<'a> {
    pub(super) placed: &'a Placed<'a, Gateway>,
    pub(super) listeners: Vec<Looked<'a>>,
    /// Ports of listeners that serve, and where the pod listens for them.
    pub(super) ports: Vec<Port>,
    /// What serves it; `None`: its settings cannot be followed, and what serves it now goes on. A slip must not stop traffic.
    pub(super) workload: Option<Workload>,
    /// What is wrong with it as a whole.
    wrong: Option<(&'static str, String)>,
    /// The Service that was made for it.
    service: Option<&'a Service>,
}

impl Ours<'_> {
    pub(super) fn uid(&self) -> &str {
        self.placed.object.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Listeners that are a part of the document.
    pub(super) fn served(&self) -> impl Iterator<Item = &Looked<'_>> {
        self.listeners.iter().filter(|one| one.serves())
    }

    pub(super) fn doors(&self) -> impl Iterator<Item = (usize, &Door)> {
        let doors = self.listeners.iter().enumerate();
        doors.filter_map(|(at, one)| Some((at, one.door.as_ref()?)))
    }
}

/// All Gateways of `classes`, by key.
pub(super) fn all<'a>(
    index: &'a Index<'a>,
    classes: &BTreeMap<&str, &Placed<'_, GatewayClass>>,
    options: &Options,
    certificates: Certificates<'_>,
    wanted: &mut BTreeSet<Key>,
    findings: &mut Findings,
) -> BTreeMap<&'a Key, Ours<'a>> {
    let services = services(index);
    let mut out = BTreeMap::new();
    for placed in index.gateways.values() {
        let Some(class) = classes.get(placed.object.spec.gateway_class_name.as_str()) else {
            continue;
        };
        let listeners = listener::all(placed, certificates, wanted);
        let ports = ports(placed.object, &listeners);
        let workload = workload::planned(placed, class, index, &options.workload, findings);
        let unfollowed = workload.as_ref().err();
        let unfollowed = unfollowed.map(|why| (reason::INVALID_PARAMETERS, why.clone()));
        let uid = placed.object.metadata.uid.as_deref().unwrap_or_default();
        let one = Ours {
            placed,
            ports,
            wrong: wrong(placed.object).or(unfollowed),
            workload: workload.ok(),
            service: services.get(uid).copied(),
            listeners,
        };
        out.insert(&placed.key, one);
    }
    out
}

/// Services by the uid of the Gateway that owns them.
fn services<'a>(index: &'a Index<'a>) -> BTreeMap<&'a str, &'a Service> {
    let mut out = BTreeMap::new();
    for service in index.services.values() {
        for owner in &service.object.metadata.owner_references {
            if owner.kind == "Gateway" {
                out.insert(owner.uid.as_str(), service.object);
            }
        }
    }
    out
}

/// A pod's port for each listener's that serves. Which it is follows from all of them, as in the Service.
fn ports(gateway: &Gateway, listeners: &[Looked<'_>]) -> Vec<Port> {
    let places = container_ports(gateway.spec.listeners.iter().map(|one| one.port));
    let served: BTreeSet<u16> = listeners
        .iter()
        .filter(|one| one.serves())
        .map(|one| one.spec.port)
        .collect();
    let of = |port: u16| {
        let container = *places.get(&port)?;
        Some(Port { port, container })
    };
    served.into_iter().filter_map(of).collect()
}

/// What is wrong with the addresses that the Gateway asks for.
fn wrong(gateway: &Gateway) -> Option<(&'static str, String)> {
    let addresses = gateway.spec.addresses.as_ref().and_then(Value::as_array);
    for (at, address) in addresses.into_iter().flatten().enumerate() {
        let kind = address.get("type").and_then(Value::as_str).unwrap_or("IPAddress");
        if kind != "IPAddress" {
            let message = format!("spec.addresses[{at}]: type {kind} is not supported; IPAddress is");
            return Some((reason::UNSUPPORTED_ADDRESS, message));
        }
    }
    None
}

/// The status. `attached`: routes by listener; `programmed`: whether pods serve the Gateway as it is.
pub(super) fn status(
    ours: &Ours<'_>,
    attached: &[usize],
    programmed: &Condition,
    more: Vec<Condition>,
) -> Value {
    let generation = ours.placed.object.metadata.generation.unwrap_or_default();
    let addresses = addresses(ours.service);
    let listeners = ours
        .listeners
        .iter()
        .zip(attached)
        .map(|(one, attached)| of_listener(one, *attached, programmed, generation));
    let mut conditions = vec![accepted(ours), of_address(ours, &addresses, programmed)];
    conditions.extend(more);
    json!({
        "addresses": addresses,
        "conditions": super::condition::json(&conditions, generation),
        "listeners": listeners.collect::<Vec<Value>>(),
    })
}

fn accepted(ours: &Ours<'_>) -> Condition {
    if let Some((reason, message)) = &ours.wrong {
        return Condition::is_not(condition::ACCEPTED, reason, message.as_str());
    }
    let bad = ours
        .listeners
        .iter()
        .find(|one| !one.accepted.holds() || !one.resolved.holds());
    let Some(bad) = bad else {
        return Condition::is(condition::ACCEPTED, reason::ACCEPTED, "is accepted");
    };
    let message = format!("listener `{}` is not good; see its conditions", bad.spec.name);
    // With one listener left there is still something to serve.
    match ours.listeners.iter().any(|one| one.accepted.holds()) {
        true => Condition::is(condition::ACCEPTED, reason::LISTENERS_NOT_VALID, message),
        false => Condition::is_not(condition::ACCEPTED, reason::LISTENERS_NOT_VALID, message),
    }
}

fn of_address(ours: &Ours<'_>, addresses: &Value, programmed: &Condition) -> Condition {
    let waits = ours.service.is_some() && addresses.as_array().is_some_and(Vec::is_empty);
    match programmed.holds() && waits {
        true => Condition::is_not(
            condition::PROGRAMMED,
            reason::ADDRESS_NOT_ASSIGNED,
            "the Gateway's Service has no address yet",
        ),
        false => programmed.clone(),
    }
}

/// Addresses at which clients find the Gateway.
fn addresses(service: Option<&Service>) -> Value {
    let Some(service) = service else {
        return json!([]);
    };
    let ip = |value: &String| json!({"type": "IPAddress", "value": value});
    let mut out: Vec<Value> = Vec::new();
    for one in &service.status.load_balancer.ingress {
        let name = one
            .hostname
            .as_ref()
            .map(|value| json!({"type": "Hostname", "value": value}));
        out.extend(one.ip.as_ref().map(ip).or(name));
    }
    out.extend(service.spec.external_ips.iter().map(ip));
    let inside = service.spec.cluster_ip.as_ref().filter(|ip| *ip != "None");
    if out.is_empty() && service.spec.kind.as_deref() != Some("LoadBalancer") {
        out.extend(inside.map(ip));
    }
    out.sort_by_key(Value::to_string);
    out.dedup();
    Value::Array(out)
}

fn of_listener(one: &Looked<'_>, attached: usize, programmed: &Condition, generation: i64) -> Value {
    let programmed = match one.serves() {
        true => programmed.clone(),
        false => Condition::is_not(
            condition::PROGRAMMED,
            reason::INVALID,
            "is left out; its other conditions say why",
        ),
    };
    let conditions = [
        one.accepted.clone(),
        one.conflicted.clone(),
        one.resolved.clone(),
        programmed,
    ];
    json!({
        "name": one.spec.name,
        "supportedKinds": listener::supported_kinds(one),
        "attachedRoutes": attached,
        "conditions": super::condition::json(&conditions, generation),
    })
}
