//! BackendTrafficPolicies: how a rule's requests to its backends behave.

use aigw_api::{AIGatewayRoute, BackOff, BackendTrafficPolicy, RetryPolicy};
use aigw_config::{BackoffSpec, EjectionSpec, Millis, RetrySpec, RuleSpec, TimeoutsSpec};

use crate::finding::Findings;
use crate::health;
use crate::index::{Index, Key, Placed};
use crate::target::{Aim, both};
use crate::times;

/// How much of a cluster Envoy leaves out where nothing is said.
const MAX_EJECTION_PERCENT: u32 = 10;

/// What Envoy's pauses grow from where nothing is said.
const BASE_INTERVAL: Millis = Millis(25);

/// Writes into the rules what the BackendTrafficPolicies ask for that apply to a route on these Gateways; one of the route goes
/// before one of a Gateway.
pub(crate) fn apply(
    index: &Index<'_>,
    route: &Placed<'_, AIGatewayRoute>,
    gateways: &[Key],
    rules: &mut [RuleSpec],
    findings: &mut Findings,
) {
    let of_aim = |aim: &Aim| index.targets.traffic.get(aim).cloned().unwrap_or_default();
    let own = of_aim(&Aim::Route(route.key.clone()));
    let of_gateways = gateways.iter().flat_map(|key| of_aim(&Aim::Gateway(key.clone())));
    let mut of_gateways: Vec<Key> = of_gateways.collect();
    of_gateways.sort();
    of_gateways.dedup();
    let hit = own.iter().chain(&of_gateways);
    for policy in hit.filter_map(|key| index.traffic.get(key)) {
        let timeouts = timeouts(policy, findings);
        let retry = policy.object.spec.retry.as_ref();
        let (attempt, backoff) = per_retry(policy, findings);
        let breaker = policy.object.spec.circuit_breaker.as_ref();
        let ejection = ejection(policy, findings);
        let health_check = health::check(policy, findings);
        let most = breaker.and_then(|breaker| breaker.max_parallel_requests);
        let sections = sections(policy, route);
        for rule in rules.iter_mut() {
            if sections
                .as_ref()
                .is_some_and(|names| !names.contains(&rule.name.as_deref()))
            {
                continue;
            }
            if rule.retry.is_none() {
                rule.retry = retry.map(|retry| RetrySpec {
                    timeout: attempt,
                    backoff: backoff.clone(),
                    ..retries(retry, rule)
                });
            }
            if rule.max_concurrent.is_none() {
                rule.max_concurrent = most.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
            }
            if rule.ejection.is_none() {
                rule.ejection = ejection.clone();
            }
            if rule.health_check.is_none() {
                rule.health_check = health_check.clone();
            }
            let own = rule.timeouts.get_or_insert_default();
            own.connect = own.connect.or(timeouts.connect);
            own.request = own.request.or(timeouts.request);
            own.idle = own.idle.or(timeouts.idle);
        }
    }
    for rule in rules {
        if rule.max_concurrent == Some(0) {
            rule.max_concurrent = None;
            let why =
                "a BackendTrafficPolicy lets no request through (`circuitBreaker.maxParallelRequests` is 0)";
            rule.refuse.get_or_insert_with(|| why.to_owned());
        }
        rule.timeouts = rule
            .timeouts
            .take()
            .filter(|timeouts| *timeouts != TimeoutsSpec::default());
    }
}

/// The rules of the route that the policy is for; `None`: all.
fn sections<'a>(
    policy: &'a Placed<'_, BackendTrafficPolicy>,
    route: &Placed<'_, AIGatewayRoute>,
) -> Option<Vec<Option<&'a str>>> {
    let spec = &policy.object.spec;
    let aim = Aim::Route(route.key.clone());
    let own = both(&spec.target_ref, &spec.target_refs)
        .filter(|one| Aim::of(one, &policy.key.namespace).as_ref() == Some(&aim));
    let names: Vec<Option<&str>> = own.map(|one| one.section_name.as_deref()).collect();
    (!names.is_empty() && !names.contains(&None)).then_some(names)
}

fn timeouts(policy: &Placed<'_, BackendTrafficPolicy>, findings: &mut Findings) -> TimeoutsSpec {
    let timeout = policy.object.spec.timeout.as_ref();
    let tcp = timeout.and_then(|timeout| timeout.tcp.as_ref());
    let http = timeout.and_then(|timeout| timeout.http.as_ref());
    let mut read = |field: &str, text: Option<&String>| times::read(policy, field, text, findings);
    let connect = tcp.and_then(|tcp| tcp.connect_timeout.as_ref());
    let request = http.and_then(|http| http.request_timeout.as_ref());
    let idle = http.and_then(|http| http.stream_idle_timeout.as_ref());
    TimeoutsSpec {
        connect: read("spec.timeout.tcp.connectTimeout", connect),
        request: read("spec.timeout.http.requestTimeout", request),
        idle: times::read_limit(policy, "spec.timeout.http.streamIdleTimeout", idle, findings),
        ..TimeoutsSpec::default()
    }
}

/// When backends are left out. What Envoy leaves out is an address; here it is a backend of the rule.
fn ejection(policy: &Placed<'_, BackendTrafficPolicy>, findings: &mut Findings) -> Option<EjectionSpec> {
    let passive = policy.object.spec.health_check.as_ref()?.passive.as_ref()?;
    let mut read = |field: &str, text: Option<&String>| times::read_some(policy, field, text, findings);
    let field = "spec.healthCheck.passive.baseEjectionTime";
    let time = read(field, passive.base_ejection_time.as_ref());
    let interval = read("spec.healthCheck.passive.interval", passive.interval.as_ref());
    let percent = passive.max_ejection_percent.unwrap_or(MAX_EJECTION_PERCENT);
    Some(EjectionSpec {
        errors: passive.consecutive_5xx_errors,
        gateway_errors: passive.consecutive_gateway_errors,
        time,
        interval,
        max_percent: Some(percent.min(100)),
        always_one: passive.always_eject_one_endpoint.unwrap_or(false),
    })
}

/// The time for each attempt, and the pauses between them.
fn per_retry(
    policy: &Placed<'_, BackendTrafficPolicy>,
    findings: &mut Findings,
) -> (Option<Millis>, Option<BackoffSpec>) {
    let retry = policy.object.spec.retry.as_ref();
    let Some(each) = retry.and_then(|retry| retry.per_retry.as_ref()) else {
        return (None, None);
    };
    let mut read = |field: &str, text: Option<&String>| times::read_some(policy, field, text, findings);
    let timeout = read("spec.retry.perRetry.timeout", each.timeout.as_ref());
    let backoff = each.back_off.as_ref().map(
        |BackOff {
             base_interval,
             max_interval,
         }| {
            let base = read("spec.retry.perRetry.backOff.baseInterval", base_interval.as_ref());
            let base = base.unwrap_or(BASE_INTERVAL);
            let max = read("spec.retry.perRetry.backOff.maxInterval", max_interval.as_ref());
            BackoffSpec {
                base,
                max: max.map(|max| max.max(base)),
            }
        },
    );
    (timeout, backoff)
}

/// Attempts are the first one and its retries. Without a number a priority they are spread over the rule's backends.
fn retries(policy: &RetryPolicy, rule: &RuleSpec) -> RetrySpec {
    let attempts = policy.num_retries.unwrap_or(2).saturating_add(1);
    let backends = u32::try_from(rule.backends.len()).unwrap_or(1).max(1);
    let statuses = policy
        .retry_on
        .as_ref()
        .map(|on| on.http_status_codes.as_slice())
        .unwrap_or_default();
    RetrySpec {
        attempts: Some(attempts),
        attempts_per_backend: Some(
            policy
                .num_attempts_per_priority
                .unwrap_or(attempts.div_ceil(backends))
                .max(1),
        ),
        statuses: statuses
            .iter()
            .copied()
            .filter(|status| (400..=599).contains(status))
            .collect(),
        ..RetrySpec::default()
    }
}
