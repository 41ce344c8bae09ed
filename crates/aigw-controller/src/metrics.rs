//! What the operator counts, at `/metrics` of its admin port.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// All of them.
pub(crate) struct Metrics {
    registry: Registry,
    rebuilds: Histogram,
    writes: Family<WriteLabels, Counter>,
    leading: Gauge,
    gateways: Gauge,
    reports: Family<ReportLabels, Gauge<f64, AtomicU64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    what: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReportLabels {
    state: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("aigw_controller");
        let rebuilds = Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]);
        let metrics = Self {
            writes: Family::default(),
            leading: Gauge::default(),
            gateways: Gauge::default(),
            reports: Family::default(),
            rebuilds: rebuilds.clone(),
            registry: Registry::default(),
        };
        registry.register_with_unit("rebuild", "Time that a rebuild took", Unit::Seconds, rebuilds);
        registry.register(
            "writes",
            "Requests that write, by what and result",
            metrics.writes.clone(),
        );
        registry.register("leading", "1 while this operator writes", metrics.leading.clone());
        registry.register("gateways", "Gateways that are served", metrics.gateways.clone());
        registry.register(
            "pods",
            "Pods of data planes, by what they say: current, behind, silent, not_ready",
            metrics.reports.clone(),
        );
        Self { registry, ..metrics }
    }

    pub(crate) fn rebuilt(&self, took: Duration) {
        self.rebuilds.observe(took.as_secs_f64());
    }

    /// A request that wrote `what`: `object`, `status`, `snapshot`, `event`.
    pub(crate) fn wrote(&self, what: &'static str, ok: bool) {
        let result = if ok { "ok" } else { "failed" };
        self.writes.get_or_create(&WriteLabels { what, result }).inc();
    }

    pub(crate) fn leading(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }

    pub(crate) fn gateways(&self, count: usize) {
        self.gateways.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn pods(&self, state: &'static str, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.reports
            .get_or_create(&ReportLabels { state })
            .set(f64::from(count));
    }

    /// In the text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
