//! All objects by kind, namespace and name, and who targets whom.

use std::collections::{BTreeMap, HashMap};

use aigw_api::{
    AIGatewayRoute, AIServiceBackend, Backend, BackendSecurityPolicy, BackendTLSPolicy, BackendTrafficPolicy,
    ClientTrafficPolicy, ConfigMap, EndpointSlice, Gateway, GatewayClass, GatewayConfig, Metadata, Namespace,
    Opaque, ReferenceGrant, Secret, SecurityPolicy, Service,
};
use aigw_config::Origin;

use crate::finding::{Cause, Findings, Subject};
use crate::object::{Kind, Object, Unreadable};
use crate::target::Targets;

/// Namespace and name; shown as `namespace/name`. Objects without a namespace have an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key with this namespace and name.
    pub fn new(namespace: &str, name: &str) -> Self {
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
pub(crate) struct Placed<'a, T> {
    pub(crate) kind: &'static str,
    pub(crate) key: Key,
    pub(crate) origin: Origin,
    pub(crate) object: &'a T,
    /// Fields that were written and that nobody reads.
    pub(crate) unread: &'a [String],
    pub(crate) ancestors: &'a [serde_json::Value],
}

impl<T> Placed<'_, T> {
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            kind: self.kind,
            key: &self.key,
            origin: &self.origin,
        }
    }
}

/// Objects of one kind.
pub(crate) type Table<'a, T> = BTreeMap<Key, Placed<'a, T>>;

/// All objects.
#[derive(Debug, Default)]
pub(crate) struct Index<'a> {
    pub(crate) routes: Table<'a, AIGatewayRoute>,
    pub(crate) service_backends: Table<'a, AIServiceBackend>,
    pub(crate) security: Table<'a, BackendSecurityPolicy>,
    pub(crate) gateway_configs: Table<'a, GatewayConfig>,
    pub(crate) backends: Table<'a, Backend>,
    pub(crate) tls: Table<'a, BackendTLSPolicy>,
    pub(crate) gateways: Table<'a, Gateway>,
    pub(crate) grants: Table<'a, ReferenceGrant>,
    pub(crate) traffic: Table<'a, BackendTrafficPolicy>,
    pub(crate) clients: Table<'a, ClientTrafficPolicy>,
    pub(crate) access: Table<'a, SecurityPolicy>,
    pub(crate) secrets: Table<'a, Secret>,
    pub(crate) config_maps: Table<'a, ConfigMap>,
    pub(crate) classes: Table<'a, GatewayClass>,
    pub(crate) namespaces: Table<'a, Namespace>,
    pub(crate) services: Table<'a, Service>,
    pub(crate) slices: Table<'a, EndpointSlice>,
    pub(crate) proxies: Table<'a, Opaque>,
    pub(crate) quotas: Table<'a, Opaque>,
    pub(crate) mcp_routes: Table<'a, Opaque>,
    pub(crate) unreadable: Vec<Placed<'a, Unreadable>>,
    pub(crate) targets: Targets,
}

impl<'a> Index<'a> {
    /// Sorts the objects in. Of two with the same kind, namespace and name the first counts.
    pub(crate) fn new(
        objects: impl IntoIterator<Item = (&'a Object, Origin)>,
        findings: &mut Findings,
    ) -> Self {
        let mut index = Self::default();
        let mut seen: HashMap<(&'static str, Key), Origin> = HashMap::new();
        for (object, origin) in objects {
            let kind = object.kind.name();
            let key = match object.kind.is_namespaced() {
                true => Key::of(object.kind.metadata()),
                false => Key::new("", &object.kind.metadata().name),
            };
            let subject = Subject {
                kind,
                key: &key,
                origin: &origin,
            };
            if key.name.is_empty() {
                let message = "a name is needed; the object is left out";
                findings.error(subject, Cause::INVALID, "metadata.name", message);
                continue;
            }
            if let Some(first) = seen.get(&(kind, key.clone())) {
                let message = format!("is written twice, first at {first}; this one is left out");
                findings.error(subject, Cause::INVALID, "", message);
                continue;
            }
            if let Kind::Unreadable(Unreadable {
                message: Some(why), ..
            }) = &object.kind
            {
                findings.error(
                    subject,
                    Cause::INVALID,
                    "",
                    format!("{why}; the object is left out"),
                );
            }
            seen.insert((kind, key.clone()), origin.clone());
            index.insert(object, key, origin);
        }
        index.targets = Targets::of(&index);
        index
    }

    fn insert(&mut self, object: &'a Object, key: Key, origin: Origin) {
        let place = Place {
            kind: object.kind.name(),
            key,
            origin,
            from: object,
        };
        match &object.kind {
            Kind::AIGatewayRoute(one) => place.put(&mut self.routes, one),
            Kind::AIServiceBackend(one) => place.put(&mut self.service_backends, one),
            Kind::BackendSecurityPolicy(one) => place.put(&mut self.security, one),
            Kind::GatewayConfig(one) => place.put(&mut self.gateway_configs, one),
            Kind::Backend(one) => place.put(&mut self.backends, one),
            Kind::BackendTLSPolicy(one) => place.put(&mut self.tls, one),
            Kind::Gateway(one) => place.put(&mut self.gateways, one),
            Kind::ReferenceGrant(one) => place.put(&mut self.grants, one),
            Kind::BackendTrafficPolicy(one) => place.put(&mut self.traffic, one),
            Kind::ClientTrafficPolicy(one) => place.put(&mut self.clients, one),
            Kind::SecurityPolicy(one) => place.put(&mut self.access, one),
            Kind::Secret(one) => place.put(&mut self.secrets, one),
            Kind::ConfigMap(one) => place.put(&mut self.config_maps, one),
            Kind::GatewayClass(one) => place.put(&mut self.classes, one),
            Kind::Namespace(one) => place.put(&mut self.namespaces, one),
            Kind::Service(one) => place.put(&mut self.services, one),
            Kind::EndpointSlice(one) => place.put(&mut self.slices, one),
            Kind::EnvoyProxy(one) => place.put(&mut self.proxies, one),
            Kind::QuotaPolicy(one) => place.put(&mut self.quotas, one),
            Kind::MCPRoute(one) => place.put(&mut self.mcp_routes, one),
            Kind::Unreadable(one) => self.unreadable.push(place.with(one)),
        }
    }

    /// The policy of this kind that targets `target` and could not be read, if there is one.
    pub(crate) fn unreadable(&self, kind: &'static str, target: &Key) -> Option<&Key> {
        self.targets.unreadable.get(&(kind, target.clone()))
    }

    /// The labels of a namespace; `None` when that is not known.
    pub(crate) fn labels(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        let namespace = self.namespaces.get(&Key::new("", namespace))?;
        Some(&namespace.object.metadata.labels)
    }

    /// Whether an object of group and kind in `from`'s namespace may refer to the object `to`. Within one namespace it may;
    /// across, a ReferenceGrant beside the target must say so.
    pub(crate) fn may_refer(&self, from: (&str, &str, &Key), to: (&str, &str, &Key)) -> bool {
        let (from_group, from_kind, from_key) = from;
        let (to_group, to_kind, to_key) = to;
        if from_key.namespace == to_key.namespace {
            return true;
        }
        let beside = self.targets.grants.get(&to_key.namespace);
        let mut grants = beside
            .into_iter()
            .flatten()
            .filter_map(|key| self.grants.get(key));
        grants.any(|grant| {
            let spec = &grant.object.spec;
            spec.from.iter().any(|one| {
                one.group == from_group && one.kind == from_kind && one.namespace == from_key.namespace
            }) && spec.to.iter().any(|one| {
                let named = one.name.as_deref().filter(|name| !name.is_empty());
                one.group == to_group && one.kind == to_kind && named.is_none_or(|name| name == to_key.name)
            })
        })
    }
}

/// All of a [`Placed`] but the object.
struct Place<'a> {
    kind: &'static str,
    key: Key,
    origin: Origin,
    from: &'a Object,
}

impl<'a> Place<'a> {
    fn with<T>(self, object: &'a T) -> Placed<'a, T> {
        Placed {
            kind: self.kind,
            key: self.key,
            origin: self.origin,
            object,
            unread: &self.from.unread,
            ancestors: &self.from.ancestors,
        }
    }

    fn put<T>(self, table: &mut Table<'a, T>, object: &'a T) {
        table.insert(self.key.clone(), self.with(object));
    }
}

/// How findings name an object.
pub(crate) fn label(kind: &str, key: &Key) -> String {
    format!("{kind} \"{key}\"")
}
