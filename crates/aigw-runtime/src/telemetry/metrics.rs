//! Prometheus metrics out of usage records: the GenAI semantic conventions and the gateway's own.
//!
//! Conventions: <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/>.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use aigw_engine::{Outcome, UsageRecord};
use foldhash::quality::RandomState;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::envoy::EnvoyMetrics;
use super::labels::Bounded;
use super::series::SeriesCache;

const TOKENS: [f64; 14] = [
    1.,
    4.,
    16.,
    64.,
    256.,
    1_024.,
    4_096.,
    16_384.,
    65_536.,
    262_144.,
    1_048_576.,
    4_194_304.,
    16_777_216.,
    67_108_864.,
];
const DURATION: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const FIRST_TOKEN: [f64; 21] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1., 2.5, 5., 7.5, 10., 15., 20., 30.,
    45., 60.,
];
const PER_TOKEN: [f64; 13] = [
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1., 2.5,
];

/// Token types, in the order of [`Series::tokens`].
const TOKEN_TYPES: [&str; 5] = [
    "input",
    "output",
    "cached_input",
    "cache_creation_input",
    "reasoning",
];

/// The series that requests of one kind write to.
#[derive(Debug)]
pub(super) struct Series {
    common: GenAi,
    tokens: [Option<Histogram>; 5],
    duration: Histogram,
}

/// Attributes of every GenAI metric; `unknown` where there is no value.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct GenAi {
    gen_ai_operation_name: &'static str,
    gen_ai_provider_name: String,
    gen_ai_original_model: String,
    gen_ai_request_model: String,
    gen_ai_response_model: String,
    aigw_backend: String,
    aigw_route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Tokens {
    #[prometheus(flatten)]
    common: GenAi,
    gen_ai_token_type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Duration {
    #[prometheus(flatten)]
    common: GenAi,
    error_type: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Requests {
    operation: &'static str,
    status: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Errors {
    code: String,
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Attempts {
    backend: String,
    result: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reload {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SnapshotFailure {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Version {
    version: String,
}

/// A backend of a rule, which is told by route and name.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRule {
    rule: String,
    backend: String,
}

/// Backend, failure and status.
type AttemptKey = (Arc<str>, Option<&'static str>, Option<u16>);

/// Counters found again without building their labels.
#[derive(Debug, Default)]
struct Counters {
    requests: HashMap<(&'static str, u16, &'static str), Counter, RandomState>,
    attempts: HashMap<AttemptKey, Counter, RandomState>,
}

/// The metrics of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    tokens: Family<Tokens, Histogram, fn() -> Histogram>,
    duration: Family<Duration, Histogram, fn() -> Histogram>,
    first_token: Family<GenAi, Histogram, fn() -> Histogram>,
    per_token: Family<GenAi, Histogram, fn() -> Histogram>,
    requests: Family<Requests, Counter>,
    errors: Family<Errors, Counter>,
    attempts: Family<Attempts, Counter>,
    dropped: Counter,
    cost_failures: Counter,
    log_failures: Counter,
    reloads: Family<Reload, Counter>,
    snapshot_failures: Family<SnapshotFailure, Counter>,
    config: Family<Version, Gauge>,
    envoy: EnvoyMetrics,
    in_flight: Gauge<u64, AtomicU64>,
    bytes_held: Gauge<u64, AtomicU64>,
    ejected: Family<OfRule, Gauge>,
    ejections: Family<OfRule, Gauge>,
    healthy: Family<OfRule, Gauge>,
    series: Mutex<SeriesCache>,
    counters: Mutex<Counters>,
    original_models: Bounded,
    request_models: Bounded,
    response_models: Bounded,
}

impl Metrics {
    /// Fresh metrics, all registered.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            tokens: Family::new_with_constructor(|| Histogram::new(TOKENS)),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION)),
            first_token: Family::new_with_constructor(|| Histogram::new(FIRST_TOKEN)),
            per_token: Family::new_with_constructor(|| Histogram::new(PER_TOKEN)),
            requests: Family::default(),
            errors: Family::default(),
            attempts: Family::default(),
            dropped: Counter::default(),
            cost_failures: Counter::default(),
            log_failures: Counter::default(),
            reloads: Family::default(),
            snapshot_failures: Family::default(),
            config: Family::default(),
            envoy: EnvoyMetrics::default(),
            in_flight: Gauge::default(),
            bytes_held: Gauge::default(),
            ejected: Family::default(),
            ejections: Family::default(),
            healthy: Family::default(),
            series: Mutex::default(),
            counters: Mutex::default(),
            original_models: Bounded::default(),
            request_models: Bounded::default(),
            response_models: Bounded::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "gen_ai_client_token_usage",
            "Tokens used, by type",
            self.tokens.clone(),
        );
        registry.register_with_unit(
            "gen_ai_server_request_duration",
            "From the request's head to the end of its answer",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register_with_unit(
            "gen_ai_server_time_to_first_token",
            "From the request's head to the first piece of streamed content",
            Unit::Seconds,
            self.first_token.clone(),
        );
        registry.register_with_unit(
            "gen_ai_server_time_per_output_token",
            "Time per token after the first, in streams",
            Unit::Seconds,
            self.per_token.clone(),
        );
        registry.register(
            "aigw_requests",
            "Requests, by what the client got",
            self.requests.clone(),
        );
        registry.register(
            "aigw_errors",
            "Requests that did not succeed, by stable code and by who is to blame",
            self.errors.clone(),
        );
        registry.register(
            "aigw_attempts",
            "Tries at upstreams, by status or kind of failure",
            self.attempts.clone(),
        );
        registry.register(
            "aigw_translation_losses",
            "Members that translations left out",
            self.dropped.clone(),
        );
        registry.register(
            "aigw_cost_failures",
            "Costs of requests that could not be worked out",
            self.cost_failures.clone(),
        );
        registry.register(
            "aigw_access_log_failures",
            "Access-log lines that could not be written",
            self.log_failures.clone(),
        );
        registry.register(
            "aigw_config_reloads",
            "Loads of the configuration, by result",
            self.reloads.clone(),
        );
        registry.register(
            "aigw_snapshot_failures",
            "Tries to read the operator's snapshot that failed, by reason",
            self.snapshot_failures.clone(),
        );
        registry.register(
            "aigw_config_info",
            "Version of the configuration that is served",
            self.config.clone(),
        );
        self.envoy.register(registry);
        registry.register(
            "aigw_backend_ejected",
            "Whether a rule leaves out a backend now because it failed",
            self.ejected.clone(),
        );
        registry.register(
            "aigw_backend_ejections",
            "How often a rule has left out a backend because it failed",
            self.ejections.clone(),
        );
        registry.register(
            "aigw_backend_healthy",
            "Whether a backend passes the health checks of a rule",
            self.healthy.clone(),
        );
        registry.register(
            "aigw_requests_in_flight",
            "Requests that are being served",
            self.in_flight.clone(),
        );
        registry.register_with_unit(
            "aigw_body_held",
            "Request bodies held in memory",
            Unit::Bytes,
            self.bytes_held.clone(),
        );
    }

    /// Takes a record in.
    pub fn observe(&self, record: &UsageRecord) {
        self.observe_request(record);
        if record.route.is_none() {
            // Refused before a route was found: nothing of the GenAI kind happened.
            return;
        }
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = series.find(record, || self.make_series(record));
        let usage = &record.usage;
        let counts = [
            usage.input,
            usage.output,
            usage.cache_read,
            usage.cache_write,
            usage.reasoning,
        ];
        for ((slot, kind), count) in series.tokens.iter_mut().zip(TOKEN_TYPES).zip(counts) {
            if let Some(count) = count {
                let histogram = slot.get_or_insert_with(|| {
                    let labels = Tokens {
                        common: series.common.clone(),
                        gen_ai_token_type: kind,
                    };
                    self.tokens.get_or_create(&labels).clone()
                });
                histogram.observe(to_float(count));
            }
        }
        if let Some(first) = record.first_token {
            self.first_token
                .get_or_create(&series.common)
                .observe(first.as_secs_f64());
            if let Some(output) = usage.output.filter(|output| *output > 1) {
                let rest = record.duration.saturating_sub(first).as_secs_f64();
                self.per_token
                    .get_or_create(&series.common)
                    .observe(rest / to_float(output - 1));
            }
        }
        series.duration.observe(record.duration.as_secs_f64());
    }

    /// The series of requests like this one, made once.
    fn make_series(&self, record: &UsageRecord) -> Series {
        let common = GenAi {
            gen_ai_operation_name: record.operation,
            gen_ai_provider_name: or_unknown(record.provider.as_deref()),
            gen_ai_original_model: self.original_models.label(record.model.as_deref()),
            gen_ai_request_model: self.request_models.label(record.upstream_model.as_deref()),
            gen_ai_response_model: self.response_models.label(record.response_model.as_deref()),
            aigw_backend: or_unknown(record.backend.as_deref()),
            aigw_route: or_unknown(record.route.as_deref()),
        };
        let error_type = record.error_code.clone().unwrap_or_default();
        let duration = self
            .duration
            .get_or_create(&Duration {
                common: common.clone(),
                error_type,
            })
            .clone();
        Series {
            common,
            tokens: Default::default(),
            duration,
        }
    }

    fn observe_request(&self, record: &UsageRecord) {
        let outcome = match record.outcome {
            Outcome::Success => "success",
            Outcome::Error => "error",
            Outcome::ClientGone => "client_gone",
            Outcome::UpstreamCut => "upstream_cut",
        };
        let key = (record.operation, record.status, outcome);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = counters.requests.entry(key).or_insert_with(|| {
            let labels = Requests {
                operation: record.operation,
                status: record.status.to_string(),
                outcome,
            };
            self.requests.get_or_create(&labels).clone()
        });
        requests.inc();
        if let Some(code) = &record.error_code {
            let class = record
                .error_class
                .map_or("internal", aigw_engine::ErrorClass::as_str);
            self.errors
                .get_or_create(&Errors {
                    code: code.clone(),
                    class,
                })
                .inc();
        }
        for attempt in &record.attempts {
            let key = (Arc::clone(&attempt.backend), attempt.failure, attempt.status);
            let attempts = counters.attempts.entry(key).or_insert_with(|| {
                let result = match (attempt.failure, attempt.status) {
                    (Some(failure), _) => failure.to_owned(),
                    (None, Some(status)) => status.to_string(),
                    (None, None) => "unknown".to_owned(),
                };
                self.attempts
                    .get_or_create(&Attempts {
                        backend: attempt.backend.to_string(),
                        result,
                    })
                    .clone()
            });
            attempts.inc();
        }
        self.dropped.inc_by(u64::from(record.losses));
        self.cost_failures
            .inc_by(u64::try_from(record.cost_failures.len()).unwrap_or(u64::MAX));
    }

    /// Counts log lines that could not be written.
    pub(super) fn log_failed(&self, lines: u64) {
        self.log_failures.inc_by(lines);
    }

    /// Counts a load of the configuration.
    pub fn reloaded(&self, good: bool) {
        self.reloads
            .get_or_create(&Reload {
                result: if good { "success" } else { "failure" },
            })
            .inc();
    }

    /// Counts a try to read the operator's snapshot that failed.
    pub(crate) fn snapshot_failed(&self, reason: &'static str) {
        self.snapshot_failures
            .get_or_create(&SnapshotFailure { reason })
            .inc();
    }

    /// Says which version is served.
    pub fn serving(&self, version: &str) {
        self.config.clear();
        self.config
            .get_or_create(&Version {
                version: version.to_owned(),
            })
            .set(1);
    }

    /// What there is to count of an Envoy before this process.
    pub fn envoy(&self) -> &EnvoyMetrics {
        &self.envoy
    }

    /// The metrics in OpenMetrics text, with the gauges as `shared` has them.
    pub fn text(&self, shared: &Arc<aigw_engine::Shared>) -> String {
        self.in_flight.set(shared.requests_held());
        self.bytes_held.set(shared.bytes_held());
        for one in shared.ejected(std::time::Instant::now()) {
            let labels = OfRule {
                rule: one.rule.to_string(),
                backend: one.backend.to_string(),
            };
            self.ejected.get_or_create(&labels).set(i64::from(one.is_out));
            let times = i64::try_from(one.times).unwrap_or(i64::MAX);
            self.ejections.get_or_create(&labels).set(times);
        }
        // Checks end with their rules.
        self.healthy.clear();
        for one in shared.checked() {
            let labels = OfRule {
                rule: one.rule.to_string(),
                backend: one.backend.to_string(),
            };
            self.healthy.get_or_create(&labels).set(i64::from(one.is_well));
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn or_unknown(value: Option<&str>) -> String {
    value.unwrap_or("unknown").to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
fn to_float(count: u64) -> f64 {
    count as f64
}
