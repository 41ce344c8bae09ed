//! Who targets whom, so that nobody has to look through all policies for one object.

use std::collections::{BTreeMap, HashMap};

use aigw_api::{ENVOY_GATEWAY_GROUP, GATEWAY_GROUP, GROUP, SERVICE_NAME_LABEL, TargetReference};

use crate::index::{Index, Key};

/// What a policy for traffic may target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Aim {
    /// A route: by its own name, or as the HTTPRoute that other implementations make of it.
    Route(Key),
    /// A Gateway.
    Gateway(Key),
}

impl Aim {
    /// What `target` of a policy in `namespace` means; `None` when that is nothing here.
    pub(crate) fn of(target: &TargetReference, namespace: &str) -> Option<Self> {
        let key = Key::new(namespace, &target.name);
        match target.kind.as_str() {
            "HTTPRoute" | "AIGatewayRoute" => {
                matches!(target.group.as_str(), GATEWAY_GROUP | GROUP | ENVOY_GATEWAY_GROUP)
                    .then_some(Self::Route(key))
            }
            "Gateway" => Some(Self::Gateway(key)),
            _ => None,
        }
    }
}

/// Keys of objects by what they target or belong to; each list in the order of keys.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// BackendSecurityPolicies by AIServiceBackend.
    pub(crate) security: HashMap<Key, Vec<Key>>,
    /// BackendTLSPolicies by Backend.
    pub(crate) tls: HashMap<Key, Vec<Key>>,
    /// BackendTrafficPolicies by target.
    pub(crate) traffic: HashMap<Aim, Vec<Key>>,
    /// Routes by Gateway.
    pub(crate) routes: BTreeMap<Key, Vec<Key>>,
    /// ReferenceGrants by namespace.
    pub(crate) grants: HashMap<String, Vec<Key>>,
    /// EndpointSlices by Service.
    pub(crate) slices: HashMap<Key, Vec<Key>>,
    /// Policies that could not be read, by their kind and what they target.
    pub(crate) unreadable: HashMap<(&'static str, Key), Key>,
}

impl Targets {
    pub(crate) fn of(index: &Index<'_>) -> Self {
        let mut out = Self::default();
        for policy in index.security.values() {
            for target in &policy.object.spec.target_refs {
                if target.group == GROUP && target.kind == "AIServiceBackend" {
                    add(
                        &mut out.security,
                        policy.key.beside(None, &target.name),
                        &policy.key,
                    );
                }
            }
        }
        for policy in index.tls.values() {
            for target in &policy.object.spec.target_refs {
                if is_backend(target) {
                    add(&mut out.tls, policy.key.beside(None, &target.name), &policy.key);
                }
            }
        }
        for policy in index.traffic.values() {
            let spec = &policy.object.spec;
            for target in both(&spec.target_ref, &spec.target_refs) {
                if let Some(aim) = Aim::of(target, &policy.key.namespace).filter(|_| !is_for_listener(target))
                {
                    add(&mut out.traffic, aim, &policy.key);
                }
            }
        }
        for route in index.routes.values() {
            for parent in &route.object.spec.parent_refs {
                let gateway = route.key.beside(parent.namespace.as_deref(), &parent.name);
                let routes = out.routes.entry(gateway).or_default();
                if routes.last() != Some(&route.key) {
                    routes.push(route.key.clone());
                }
            }
        }
        for grant in index.grants.values() {
            add(&mut out.grants, grant.key.namespace.clone(), &grant.key);
        }
        for slice in index.slices.values() {
            if let Some(service) = slice.object.metadata.labels.get(SERVICE_NAME_LABEL) {
                add(&mut out.slices, slice.key.beside(None, service), &slice.key);
            }
        }
        for policy in &index.unreadable {
            for target in &policy.object.targets {
                let key = (policy.object.kind, policy.key.beside(None, target));
                out.unreadable.entry(key).or_insert_with(|| policy.key.clone());
            }
        }
        out
    }
}

fn add<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<Key>>, target: K, key: &Key) {
    let keys = map.entry(target).or_default();
    if keys.last() != Some(key) {
        keys.push(key.clone());
    }
}

/// What a policy targets, in both of its forms.
pub(crate) fn both<'a>(
    one: &'a Option<TargetReference>,
    many: &'a [TargetReference],
) -> impl Iterator<Item = &'a TargetReference> {
    one.iter().chain(many)
}

/// Whether the target is one listener of a Gateway alone. Nothing but access can be told apart by listener.
pub(crate) fn is_for_listener(target: &TargetReference) -> bool {
    target.kind == "Gateway" && target.section_name.as_ref().is_some_and(|name| !name.is_empty())
}

/// Whether the target is one of Envoy Gateway's Backends.
pub(crate) fn is_backend(target: &TargetReference) -> bool {
    target.group == ENVOY_GATEWAY_GROUP && target.kind == "Backend"
}
