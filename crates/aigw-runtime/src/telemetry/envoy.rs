//! What there is to count of an Envoy before this process. Without one there is nothing to see.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Resource {
    kind: &'static str,
}

/// The metrics.
#[derive(Debug, Default)]
pub struct EnvoyMetrics {
    connected: Family<[(&'static str, &'static str); 0], Gauge>,
    restarts: Family<[(&'static str, &'static str); 0], Counter>,
    accepted: Family<Resource, Counter>,
    refused: Family<Resource, Counter>,
}

impl EnvoyMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "aigw_envoy_connected",
            "Envoys that take their configuration from this process",
            self.connected.clone(),
        );
        registry.register(
            "aigw_envoy_restarts",
            "Times that Envoy was started again after it had died",
            self.restarts.clone(),
        );
        registry.register(
            "aigw_envoy_accepted",
            "Configurations that Envoy has taken over, by kind of resource",
            self.accepted.clone(),
        );
        registry.register(
            "aigw_envoy_refused",
            "Configurations that Envoy has refused, by kind of resource",
            self.refused.clone(),
        );
    }

    /// Says how many are connected.
    pub fn connected(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.connected.get_or_create(&[]).set(count);
    }

    /// Says how often it was started again, in all.
    pub fn restarted(&self, times: u64) {
        store(&self.restarts.get_or_create(&[]), times);
    }

    /// Says how often it has taken over, and refused, resources of a kind, in all.
    pub fn judged(&self, kind: &'static str, accepted: u64, refused: u64) {
        store(&self.accepted.get_or_create(&Resource { kind }), accepted);
        store(&self.refused.get_or_create(&Resource { kind }), refused);
    }
}

fn store(counter: &Counter, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}
