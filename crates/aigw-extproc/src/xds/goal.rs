//! What every Envoy is to have: one version of the resources, and the clusters of those before, as long as requests may use them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::google::protobuf::Any;
use tokio::time::Instant;

use super::resources::{Kind, Resources};

/// A cluster, and its addresses where they come apart, of a version that is no longer served.
#[derive(Clone, Debug)]
struct Kept {
    cluster: Any,
    addresses: Option<Any>,
    until: Instant,
}

/// What every Envoy is to have.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    /// Goes up with each goal.
    pub sequence: u64,
    pub resources: Arc<Resources>,
    /// Which resources of the same version they are: those of certificates that have changed, for example.
    pub revision: u32,
    kept: BTreeMap<String, Kept>,
}

impl Goal {
    pub fn first(resources: Arc<Resources>) -> Self {
        Self {
            sequence: 1,
            resources,
            revision: 0,
            kept: BTreeMap::new(),
        }
    }

    /// The goal after this one. Clusters that it has no more stay for `grace`, counted from `now`.
    pub fn followed_by(&self, resources: Arc<Resources>, now: Instant, grace: Duration) -> Self {
        let same = resources.version() == self.resources.version();
        let mut kept = self.kept.clone();
        for (name, cluster) in self.resources.all(Kind::Cluster) {
            kept.insert(
                name.clone(),
                Kept {
                    cluster: cluster.clone(),
                    addresses: self.resources.all(Kind::Endpoint).get(name).cloned(),
                    until: now + grace,
                },
            );
        }
        kept.retain(|name, kept| !resources.has_cluster(name) && kept.until > now);
        Self {
            sequence: self.sequence + 1,
            resources,
            revision: if same { self.revision + 1 } else { 0 },
            kept,
        }
    }

    /// The goal after this one when Envoy has refused it: `good`, as it was.
    pub fn withdrawn_for(&self, good: &Self) -> Self {
        Self {
            sequence: self.sequence + 1,
            ..good.clone()
        }
    }

    /// The same without the clusters whose time is over, if there are any.
    pub fn expired(&self, now: Instant) -> Option<Self> {
        let mut next = self.clone();
        next.kept.retain(|_, kept| kept.until > now);
        next.sequence += 1;
        (next.kept.len() < self.kept.len()).then_some(next)
    }

    /// When the time of the first kept cluster is over.
    pub fn expiry(&self) -> Option<Instant> {
        self.kept.values().map(|kept| kept.until).min()
    }

    /// As Envoy is told.
    pub fn version(&self, kind: Kind) -> String {
        let version = self.resources.version();
        let mut text = match self.revision {
            0 => version.to_string(),
            revision => format!("{version}.{revision}"),
        };
        if kind == Kind::Cluster && !self.kept.is_empty() {
            text.push_str("+before");
        }
        text
    }

    /// The resource of this name.
    pub fn find(&self, kind: Kind, name: &str) -> Option<&Any> {
        self.resources
            .all(kind)
            .get(name)
            .or_else(|| self.kept.get(name).and_then(|kept| kept.of(kind)))
    }

    /// All of a kind.
    pub fn all(&self, kind: Kind) -> BTreeMap<String, Any> {
        let kept = self
            .kept
            .iter()
            .filter_map(|(name, kept)| Some((name.clone(), kept.of(kind)?.clone())));
        let mut all: BTreeMap<String, Any> = kept.collect();
        all.extend(self.resources.all(kind).clone());
        all
    }
}

impl Kept {
    fn of(&self, kind: Kind) -> Option<&Any> {
        match kind {
            Kind::Cluster => Some(&self.cluster),
            Kind::Endpoint => self.addresses.as_ref(),
            Kind::Listener | Kind::Route | Kind::Secret => None,
        }
    }
}
