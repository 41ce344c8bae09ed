//! Names of endpoints' clusters, each made once: a name holds a digest, and every request asks for one.

use std::collections::HashMap;
use std::sync::Arc;

use aigw_config::Endpoint;
use arc_swap::ArcSwap;
use foldhash::quality::RandomState;

use crate::names;

/// Names that are remembered; configurations come and go.
const LIMIT: usize = 4_096;

/// The names.
#[derive(Debug, Default)]
pub(super) struct ClusterNames(ArcSwap<HashMap<Endpoint, Arc<str>, RandomState>>);

impl ClusterNames {
    /// The name of the endpoint's cluster.
    pub fn of(&self, endpoint: &Endpoint) -> Arc<str> {
        if let Some(name) = self.0.load().get(endpoint) {
            return Arc::clone(name);
        }
        let name: Arc<str> = names::cluster(endpoint).into();
        self.0.rcu(|known| {
            let mut known = match known.len() {
                ..LIMIT => HashMap::clone(known),
                _ => HashMap::default(),
            };
            known.insert(endpoint.clone(), Arc::clone(&name));
            known
        });
        name
    }
}
