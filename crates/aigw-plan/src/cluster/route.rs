//! Where routes are attached, and what their status says.

use std::collections::{BTreeMap, BTreeSet};

use aigw_api::condition::{self, reason};
use aigw_api::{AIGatewayRoute, GATEWAY_GROUP, ParentReference};
use serde_json::{Value, json};

use super::condition::Verdicts;
use super::gateway::Ours;
use super::programmed::Reports;
use super::types::{GatewayPlan, Options, object_key};
use crate::condition::Condition;
use crate::index::{Index, Key, Placed};
use crate::listener::Looked;

/// Where a route is served on one Gateway: listeners of the document, and the host names on each (empty: every name).
pub(super) type Places = BTreeMap<String, BTreeSet<String>>;

/// All attachments.
#[derive(Debug, Default)]
pub(super) struct Attachments<'a> {
    /// Routes by Gateway.
    pub(super) places: BTreeMap<&'a Key, BTreeMap<&'a Key, Places>>,
    /// Parents by route, in the order in which they are written.
    parents: BTreeMap<&'a Key, Vec<Parent<'a>>>,
    /// Routes by Gateway and listener.
    counted: BTreeMap<&'a Key, Vec<BTreeSet<&'a Key>>>,
}

#[derive(Debug)]
struct Parent<'a> {
    reference: &'a ParentReference,
    gateway: Key,
    accepted: Result<(), (&'static str, String)>,
}

impl<'a> Attachments<'a> {
    /// Attaches all routes for which `is_good` says that they can be served.
    pub(super) fn of(
        index: &'a Index<'a>,
        gateways: &BTreeMap<&'a Key, Ours<'a>>,
        is_good: impl Fn(&Key) -> bool,
    ) -> Self {
        let mut out = Self::default();
        for (gateway, ours) in gateways {
            let empty = vec![BTreeSet::new(); ours.listeners.len()];
            out.counted.insert(*gateway, empty);
            out.places.insert(*gateway, BTreeMap::new());
        }
        for route in index.routes.values() {
            let mut parents: Vec<Parent<'a>> = Vec::new();
            for reference in &route.object.spec.parent_refs {
                if parents.iter().any(|earlier| earlier.reference == reference) {
                    continue;
                }
                let gateway = route.key.beside(reference.namespace.as_deref(), &reference.name);
                let accepted = out.attach(index, gateways, route, reference, &gateway, is_good(&route.key));
                parents.push(Parent {
                    reference,
                    gateway,
                    accepted,
                });
            }
            out.parents.insert(&route.key, parents);
        }
        out
    }

    fn attach(
        &mut self,
        index: &Index<'_>,
        gateways: &BTreeMap<&'a Key, Ours<'a>>,
        route: &'a Placed<'a, AIGatewayRoute>,
        reference: &ParentReference,
        gateway: &Key,
        is_good: bool,
    ) -> Result<(), (&'static str, String)> {
        let Some((gateway, ours)) = gateways.get_key_value(gateway) else {
            let message = match index.gateways.contains_key(gateway) {
                true => format!("Gateway \"{gateway}\" is of a class that aigw does not serve"),
                false => format!("no Gateway is named \"{gateway}\""),
            };
            return Err((reason::NO_MATCHING_PARENT, message));
        };
        let labels = index.labels(&route.key.namespace);
        let mut refused = (
            reason::NO_MATCHING_PARENT,
            format!("no listener of Gateway \"{gateway}\" is the one that is meant, or it is not accepted"),
        );
        let mut attached = false;
        for (at, door) in ours.doors() {
            if !door.is_meant(gateway, reference) {
                continue;
            }
            let takes = ours.listeners.get(at).is_some_and(|one| one.takes_routes);
            let namespace = route.key.namespace.as_str();
            if !takes || !door.allowed.takes(&gateway.namespace, namespace, labels) {
                let message = format!("no listener of Gateway \"{gateway}\" lets the route in");
                if refused.0 == reason::NO_MATCHING_PARENT {
                    refused = (reason::NOT_ALLOWED_BY_LISTENERS, message);
                }
                continue;
            }
            let Some(hostnames) = door.hostnames(&route.object.spec.hostnames) else {
                let message = format!(
                    "the host names of the route and those of the listeners of Gateway \"{gateway}\" have nothing in common"
                );
                refused = (reason::NO_MATCHING_LISTENER_HOSTNAME, message);
                continue;
            };
            attached = true;
            if is_good {
                let serves = ours.listeners.get(at).is_some_and(Looked::serves);
                self.count(gateway, at, &route.key);
                self.add(gateway, &route.key, serves.then_some((&door.listener, hostnames)));
            }
        }
        if attached { Ok(()) } else { Err(refused) }
    }

    fn count(&mut self, gateway: &'a Key, at: usize, route: &'a Key) {
        if let Some(counted) = self.counted.get_mut(gateway).and_then(|all| all.get_mut(at)) {
            counted.insert(route);
        }
    }

    /// Adds a route to a Gateway, and where it is served there: another listener of the same port may be, this one not.
    fn add(&mut self, gateway: &'a Key, route: &'a Key, place: Option<(&String, Vec<String>)>) {
        let places = self.places.entry(gateway).or_default().entry(route).or_default();
        let Some((listener, hostnames)) = place else {
            return;
        };
        match places.get_mut(listener) {
            // Every name already.
            Some(known) if known.is_empty() => {}
            Some(known) if hostnames.is_empty() => known.clear(),
            Some(known) => known.extend(hostnames),
            None => {
                places.insert(listener.to_owned(), hostnames.into_iter().collect());
            }
        }
    }

    /// Gateways by the routes that they serve.
    pub(super) fn gateways(&self) -> BTreeMap<&'a Key, BTreeSet<&'a Key>> {
        let mut out: BTreeMap<&Key, BTreeSet<&Key>> = BTreeMap::new();
        for (gateway, routes) in &self.places {
            for route in routes.keys() {
                out.entry(route).or_default().insert(gateway);
            }
        }
        out
    }

    /// Numbers of routes by listener of a Gateway.
    pub(super) fn counts(&self, gateway: &Key) -> Vec<usize> {
        let counted = self.counted.get(gateway).into_iter().flatten();
        counted.map(BTreeSet::len).collect()
    }

    /// The status of a route.
    pub(super) fn status(
        &self,
        route: &Placed<'_, AIGatewayRoute>,
        verdicts: &Verdicts,
        reports: &Reports<'_>,
        gateways: &BTreeMap<Key, GatewayPlan>,
        options: &Options,
    ) -> Value {
        let generation = route.object.metadata.generation.unwrap_or_default();
        let object = object_key(route.kind, &route.key);
        let good = verdicts.condition(route.kind, &route.key, condition::ACCEPTED);
        let resolved = verdicts.condition(route.kind, &route.key, condition::RESOLVED_REFS);
        let mut all: [Vec<Condition>; 3] = Default::default();
        let mut parents = Vec::new();
        for parent in self.parents.get(&route.key).into_iter().flatten() {
            let accepted = match &parent.accepted {
                _ if !good.holds() => good.clone(),
                Ok(()) => good.clone(),
                Err((reason, message)) => Condition::is_not(condition::ACCEPTED, reason, message.as_str()),
            };
            let programmed = match (accepted.holds(), gateways.get(&parent.gateway)) {
                (true, Some(plan)) => reports.programmed(&parent.gateway, plan, &object),
                _ => Condition::is_not(
                    condition::PROGRAMMED,
                    reason::LEFT_OUT,
                    "is not served here; its other conditions say why",
                ),
            };
            let conditions = [accepted, resolved.clone(), programmed];
            for (of_kind, one) in all.iter_mut().zip(&conditions) {
                of_kind.push(one.clone());
            }
            parents.push(json!({
                "parentRef": reference(parent.reference),
                "controllerName": options.controller_name,
                "conditions": super::condition::json(&conditions, generation),
            }));
        }
        let mut conditions: Vec<Condition> = all.iter().filter_map(|one| Condition::all(one)).collect();
        if parents.is_empty() {
            let message = "spec.parentRefs names no Gateway, so nothing serves the route";
            let nowhere = Condition::is_not(condition::ACCEPTED, reason::NO_MATCHING_PARENT, message);
            conditions = vec![
                if good.holds() { nowhere } else { good },
                resolved,
                Condition::is_not(condition::PROGRAMMED, reason::LEFT_OUT, message),
            ];
        }
        conditions.extend(verdicts.warning(route.kind, &route.key));
        json!({
            "conditions": super::condition::json(&conditions, generation),
            "parents": parents,
        })
    }
}

/// The reference with what it means where it says nothing.
fn reference(written: &ParentReference) -> Value {
    let full = ParentReference {
        group: written.group.clone().or_else(|| Some(GATEWAY_GROUP.to_owned())),
        kind: written.kind.clone().or_else(|| Some("Gateway".to_owned())),
        ..written.clone()
    };
    serde_json::to_value(full).unwrap_or_default()
}
