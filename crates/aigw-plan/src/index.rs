//! All objects by kind, namespace and name, and the findings about them.

use std::collections::{BTreeMap, HashMap};

use aigw_api::{
    AIGatewayRoute, AIServiceBackend, Backend, BackendSecurityPolicy, BackendTLSPolicy, BackendTrafficPolicy,
    ClientTrafficPolicy, ConfigMap, Gateway, GatewayConfig, Metadata, ReferenceGrant, Secret, SecurityPolicy,
};
use aigw_config::{Diagnostics, Origin};

use crate::object::{Kind, Object, Unreadable};

/// Namespace and name; shown as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self::new(metadata.namespace(), &metadata.name)
    }

    /// What a reference with an optional namespace means inside an object of `self`'s namespace.
    pub(crate) fn beside(&self, namespace: Option<&str>, name: &str) -> Self {
        let namespace = namespace
            .filter(|text| !text.is_empty())
            .unwrap_or(&self.namespace);
        Self::new(namespace, name)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An object with its place.
#[derive(Debug)]
pub(crate) struct Placed<T> {
    pub(crate) key: Key,
    pub(crate) origin: Origin,
    pub(crate) object: T,
}

/// Objects of one kind.
pub(crate) type Table<T> = BTreeMap<Key, Placed<T>>;

/// All objects.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) routes: Table<AIGatewayRoute>,
    pub(crate) service_backends: Table<AIServiceBackend>,
    pub(crate) security: Table<BackendSecurityPolicy>,
    pub(crate) gateway_configs: Table<GatewayConfig>,
    pub(crate) backends: Table<Backend>,
    pub(crate) tls: Table<BackendTLSPolicy>,
    pub(crate) gateways: Table<Gateway>,
    pub(crate) grants: Table<ReferenceGrant>,
    pub(crate) traffic: Table<BackendTrafficPolicy>,
    pub(crate) clients: Table<ClientTrafficPolicy>,
    pub(crate) access: Table<SecurityPolicy>,
    pub(crate) secrets: Table<Secret>,
    pub(crate) config_maps: Table<ConfigMap>,
    pub(crate) unreadable: Vec<Placed<Unreadable>>,
}

impl Index {
    /// Sorts the objects in. Of two with the same kind, namespace and name the first counts.
    pub(crate) fn new(objects: Vec<Object>, findings: &mut Diagnostics) -> Self {
        let mut index = Self::default();
        let mut seen: HashMap<(&'static str, Key), Origin> = HashMap::new();
        for Object { kind, origin } in objects {
            let key = Key::of(kind.metadata());
            let label = label(kind.name(), &key);
            if key.name.is_empty() {
                findings.error(
                    &origin,
                    kind.name(),
                    "metadata.name",
                    "a name is needed; the object is left out",
                );
                continue;
            }
            if let Some(first) = seen.get(&(kind.name(), key.clone())) {
                let message = format!("is written twice, first at {first}; this one is left out");
                findings.error(&origin, label, "", message);
                continue;
            }
            seen.insert((kind.name(), key.clone()), origin.clone());
            index.insert(kind, key, origin);
        }
        index
    }

    fn insert(&mut self, kind: Kind, key: Key, origin: Origin) {
        fn put<T>(table: &mut Table<T>, object: T, key: Key, origin: Origin) {
            let placed = Placed {
                key: key.clone(),
                origin,
                object,
            };
            table.insert(key, placed);
        }
        match kind {
            Kind::AIGatewayRoute(one) => put(&mut self.routes, one, key, origin),
            Kind::AIServiceBackend(one) => put(&mut self.service_backends, one, key, origin),
            Kind::BackendSecurityPolicy(one) => put(&mut self.security, one, key, origin),
            Kind::GatewayConfig(one) => put(&mut self.gateway_configs, one, key, origin),
            Kind::Backend(one) => put(&mut self.backends, one, key, origin),
            Kind::BackendTLSPolicy(one) => put(&mut self.tls, one, key, origin),
            Kind::Gateway(one) => put(&mut self.gateways, one, key, origin),
            Kind::ReferenceGrant(one) => put(&mut self.grants, one, key, origin),
            Kind::BackendTrafficPolicy(one) => put(&mut self.traffic, one, key, origin),
            Kind::ClientTrafficPolicy(one) => put(&mut self.clients, one, key, origin),
            Kind::SecurityPolicy(one) => put(&mut self.access, one, key, origin),
            Kind::Secret(one) => put(&mut self.secrets, one, key, origin),
            Kind::ConfigMap(one) => put(&mut self.config_maps, one, key, origin),
            Kind::Unreadable(object) => self.unreadable.push(Placed { key, origin, object }),
        }
    }

    /// The policy of this kind that targets `target` and could not be read, if there is one.
    pub(crate) fn unreadable(&self, kind: &str, target: &Key) -> Option<&Key> {
        let hit = self.unreadable.iter().find(|policy| {
            policy.object.kind == kind
                && policy.key.namespace == target.namespace
                && policy.object.targets.contains(&target.name)
        });
        hit.map(|policy| &policy.key)
    }

    /// Whether an object of group and kind in `from`'s namespace may refer to the object `to`. Within one namespace it may;
    /// across, a ReferenceGrant beside the target must say so.
    pub(crate) fn may_refer(&self, from: (&str, &str, &Key), to: (&str, &str, &Key)) -> bool {
        let (from_group, from_kind, from_key) = from;
        let (to_group, to_kind, to_key) = to;
        from_key.namespace == to_key.namespace
            || self.grants.values().any(|grant| {
                let spec = &grant.object.spec;
                grant.key.namespace == to_key.namespace
                    && spec.from.iter().any(|one| {
                        one.group == from_group
                            && one.kind == from_kind
                            && one.namespace == from_key.namespace
                    })
                    && spec.to.iter().any(|one| {
                        let named = one.name.as_deref().filter(|name| !name.is_empty());
                        one.group == to_group
                            && one.kind == to_kind
                            && named.is_none_or(|name| name == to_key.name)
                    })
            })
    }
}

/// How findings name an object.
pub(crate) fn label(kind: &str, key: &Key) -> String {
    format!("{kind} \"{key}\"")
}
