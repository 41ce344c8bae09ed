//! From a snapshot to the resources that make Envoy serve it. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aigw_config::{Backend, Endpoint, Snapshot, Tls};
use envoy_types::pb::google::protobuf::Any;
use prost::Name;
use thiserror::Error;

use super::materials::Materials;
use super::options::{DataPath, Options};
use super::typed::any;
use super::{cluster, listener, route, secret, watchdog};
use crate::names;

/// The kinds of resources, in the order in which Envoy is told about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Upstreams.
    Cluster,
    /// Addresses of upstreams.
    Endpoint,
    /// Where clients connect.
    Listener,
    /// What becomes of requests.
    Route,
    /// Certificates.
    Secret,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Cluster,
        Self::Endpoint,
        Self::Listener,
        Self::Route,
        Self::Secret,
    ];

    /// As Envoy names the type.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        }
    }

    /// The word for people and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cluster => "clusters",
            Self::Endpoint => "endpoints",
            Self::Listener => "listeners",
            Self::Route => "routes",
            Self::Secret => "secrets",
        }
    }

    /// Whether Envoy asks for all there are, and not for some by name.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Cluster | Self::Listener)
    }

    /// The kind that Envoy names so.
    pub(super) fn of(type_url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == type_url)
    }
}

/// Why a snapshot cannot be served.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("listener `{listener}`: {detail}")]
pub struct ResourceError {
    /// The listener.
    pub listener: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// A backend that Envoy cannot reach by itself; the native host in this process may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Name of the cluster that there is not.
    pub cluster: String,
    /// Why.
    pub detail: String,
}

type Named = BTreeMap<String, Any>;

/// One version of everything that Envoy is told.
#[derive(Clone, PartialEq)]
pub struct Resources {
    version: Arc<str>,
    kinds: BTreeMap<Kind, Named>,
    left_out: Vec<LeftOut>,
}

impl Resources {
    /// Nothing, as version `version`.
    pub(super) fn empty(version: &Arc<str>) -> Self {
        Self {
            version: Arc::clone(version),
            kinds: Kind::ALL.into_iter().map(|kind| (kind, Named::new())).collect(),
            left_out: Vec::new(),
        }
    }

    /// Version of the snapshot that they were made of.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// Whether Envoy has a cluster of this name; what it has not, it cannot send to.
    pub fn has_cluster(&self, name: &str) -> bool {
        self.all(Kind::Cluster).contains_key(name)
    }

    /// Whether Envoy can send to this endpoint itself.
    pub fn reaches(&self, endpoint: &Endpoint) -> bool {
        self.has_cluster(&names::cluster(endpoint))
    }

    /// Backends that Envoy cannot reach by itself.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The resources of one kind, by name.
    pub(super) fn all(&self, kind: Kind) -> &Named {
        static NONE: Named = Named::new();
        self.kinds.get(&kind).unwrap_or(&NONE)
    }

    pub(super) fn insert<T: Name>(&mut self, kind: Kind, name: String, resource: T) {
        self.kinds.entry(kind).or_default().insert(name, any(resource));
    }
}

impl fmt::Debug for Resources {
    /// Keys are in here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Resources");
        shown.field("version", &self.version);
        for kind in Kind::ALL {
            shown.field(kind.word(), &self.all(kind).keys());
        }
        shown.field("left_out", &self.left_out).finish()
    }
}

/// What Envoy is told to serve `snapshot`.
pub fn resources(
    snapshot: &Snapshot,
    materials: &Materials,
    options: &Options,
) -> Result<Resources, ResourceError> {
    let mut made = Resources::empty(&snapshot.version);
    for spec in &snapshot.listeners {
        let fail = |detail| ResourceError {
            listener: spec.name.clone(),
            detail,
        };
        let served = listener::listener(spec, &snapshot.limits, materials, options).map_err(fail)?;
        made.insert(Kind::Listener, spec.name.clone(), served);
        made.insert(
            Kind::Route,
            spec.name.clone(),
            route::configuration(&spec.name, snapshot, options.path),
        );
        for pair in spec.tls.iter().flat_map(Tls::pairs) {
            let (chain, key) = match materials.certificates.get(pair) {
                Some(Ok(texts)) => texts,
                Some(Err(detail)) => return Err(fail(detail.clone())),
                None => return Err(fail(format!("{} has not been read", pair.certificate))),
            };
            let secret = secret::certificate(pair, chain, key);
            made.insert(Kind::Secret, secret.name.clone(), secret);
        }
        if options.path == DataPath::Local {
            let name = names::listener_cluster(&spec.name);
            let native = cluster::native(&name, &options.places.listener(&spec.name));
            let native = watchdog::native(native);
            made.insert(Kind::Cluster, name, native);
        }
    }
    if options.path == DataPath::Extproc {
        let native = cluster::native(names::LOCAL_CLUSTER, &options.places.exchanges());
        let native = watchdog::native(native);
        made.insert(Kind::Cluster, names::LOCAL_CLUSTER.to_owned(), native);
        let processor = watchdog::processor(cluster::processor(&options.processor));
        made.insert(Kind::Cluster, names::PROCESSOR_CLUSTER.to_owned(), processor);
        upstreams(&mut made, snapshot, materials, options);
    }
    Ok(made)
}

/// One cluster for each distinct endpoint.
fn upstreams(made: &mut Resources, snapshot: &Snapshot, materials: &Materials, options: &Options) {
    let mut places: BTreeMap<String, &Backend> = BTreeMap::new();
    for backend in snapshot.backends.values() {
        places.insert(names::cluster(&backend.endpoint), backend);
    }
    for (name, backend) in places {
        let endpoint = &backend.endpoint;
        let connect = route::connect_timeout(snapshot, endpoint);
        let places = backend.places.as_deref();
        match cluster::upstream(&name, endpoint, places, connect, materials, options) {
            Ok(upstream) => {
                if let Some(addresses) = upstream.addresses {
                    made.insert(Kind::Endpoint, name.clone(), addresses);
                }
                made.insert(Kind::Cluster, name, upstream.cluster);
            }
            Err(detail) => made.left_out.push(LeftOut {
                cluster: name,
                detail,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
