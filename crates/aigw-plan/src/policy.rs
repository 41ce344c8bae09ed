//! Envoy Gateway's policies: what has a counterpart is applied, what restricts access closes the routes it applies to.

use std::collections::BTreeMap;

use aigw_api::{AIGatewayRoute, BackendTrafficPolicy, ClientTrafficPolicy, RetryPolicy};
use aigw_config::{LimitsSpec, Millis, RetrySpec, RuleSpec, Size, TimeoutsSpec};

use crate::finding::{Cause, Findings};
use crate::index::{Index, Key, Placed};
use crate::target::{Aim, both, is_for_listener};

/// What may not be served, each with the policy that restricts access to it.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    pub(crate) routes: BTreeMap<Key, Closing>,
    pub(crate) gateways: BTreeMap<Key, Closing>,
    pub(crate) namespaces: BTreeMap<String, Closing>,
}

/// A policy that closes what it applies to. The first by name is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Closing {
    pub(crate) policy: Key,
    pub(crate) kind: &'static str,
    /// What of the policy is not honoured; empty: all of it.
    pub(crate) field: &'static str,
}

impl Closing {
    fn reason(&self) -> String {
        let Self { policy, kind, field } = self;
        match *field {
            "" => {
                format!("access to this route is restricted by {kind} \"{policy}\", which is not supported")
            }
            field => format!(
                "access to this route is restricted by `{field}` of {kind} \"{policy}\", which is not supported"
            ),
        }
    }
}

impl Closed {
    /// Why a route may not be served on these Gateways.
    pub(crate) fn of(&self, route: &Key, gateways: &[Key]) -> Option<String> {
        let own = self
            .routes
            .get(route)
            .into_iter()
            .chain(self.namespaces.get(&route.namespace));
        let all = own.chain(gateways.iter().filter_map(|key| self.gateways.get(key)));
        all.min().map(Closing::reason)
    }

    /// Closes what `aims` say, and returns the routes that this hits.
    pub(crate) fn add(
        &mut self,
        index: &Index<'_>,
        aims: impl Iterator<Item = Aim>,
        closing: &Closing,
    ) -> Vec<Key> {
        let mut hit = Vec::new();
        for aim in aims {
            match aim {
                Aim::Route(key) => {
                    if index.routes.contains_key(&key) {
                        hit.push(key.clone());
                    }
                    self.routes.entry(key).or_insert_with(|| closing.clone());
                }
                Aim::Gateway(key) => {
                    hit.extend(index.targets.routes.get(&key).cloned().unwrap_or_default());
                    self.gateways.entry(key).or_insert_with(|| closing.clone());
                }
            }
        }
        hit
    }
}

/// Routes that may not be served: a SecurityPolicy applies to them, and that is not supported. `serve_despite`: they are
/// served all the same.
pub(crate) fn closed(index: &Index<'_>, serve_despite: bool, findings: &mut Findings) -> Closed {
    let mut out = Closed::default();
    for policy in index.access.values() {
        let spec = &policy.object.spec;
        let namespace = &policy.key.namespace;
        let closing = Closing {
            policy: policy.key.clone(),
            kind: policy.kind,
            field: "",
        };
        let aims = both(&spec.target_ref, &spec.target_refs).filter_map(|one| Aim::of(one, namespace));
        let mut hit = out.add(index, aims, &closing);
        if spec.target_selectors.is_some() {
            hit.extend(
                index
                    .routes
                    .keys()
                    .filter(|key| key.namespace == *namespace)
                    .cloned(),
            );
            out.namespaces.entry(namespace.clone()).or_insert(closing);
        }
        hit.sort();
        hit.dedup();
        if serve_despite {
            let message = "is not supported yet and has no effect";
            findings.warn(policy.subject(), Cause::NOT_YET, "", message);
        } else if hit.is_empty() {
            let message = "is not supported yet; it applies to no route of the input";
            findings.warn(policy.subject(), Cause::NOT_YET, "", message);
        } else {
            let names: Vec<String> = hit.iter().map(|key| format!("\"{key}\"")).collect();
            let message = format!(
                "is not supported yet; what it demands cannot be checked, so these routes answer 503: {}",
                names.join(", ")
            );
            findings.error(policy.subject(), Cause::NOT_YET, "", message);
        }
    }
    if serve_despite { Closed::default() } else { out }
}

/// Retries and timeouts of the BackendTrafficPolicies that apply to a route on these Gateways; one of the route goes before
/// one of a Gateway.
pub(crate) fn traffic(
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
        let sections = sections(policy, route);
        for rule in rules.iter_mut() {
            if sections
                .as_ref()
                .is_some_and(|names| !names.contains(&rule.name.as_deref()))
            {
                continue;
            }
            if rule.retry.is_none() {
                rule.retry = policy
                    .object
                    .spec
                    .retry
                    .as_ref()
                    .map(|retry| retries(retry, rule));
            }
            let own = rule.timeouts.get_or_insert_default();
            own.connect = own.connect.or(timeouts.connect);
            own.request = own.request.or(timeouts.request);
        }
    }
    for rule in rules {
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
    let mut read = |field: &str, text: Option<&str>| {
        let result: Result<Millis, String> = text?.parse();
        result
            .map_err(|message| findings.error(policy.subject(), Cause::INVALID, field, message))
            .ok()
    };
    let timeout = policy.object.spec.timeout.as_ref();
    let tcp = timeout.and_then(|timeout| timeout.tcp.as_ref());
    let http = timeout.and_then(|timeout| timeout.http.as_ref());
    TimeoutsSpec {
        connect: read(
            "spec.timeout.tcp.connectTimeout",
            tcp.and_then(|tcp| tcp.connect_timeout.as_deref()),
        ),
        request: read(
            "spec.timeout.http.requestTimeout",
            http.and_then(|http| http.request_timeout.as_deref()),
        ),
        ..TimeoutsSpec::default()
    }
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

/// Whether the policy is for the whole of a Gateway.
pub(crate) fn is_for_gateway(policy: &Placed<'_, ClientTrafficPolicy>, gateway: &Key) -> bool {
    let spec = &policy.object.spec;
    both(&spec.target_ref, &spec.target_refs)
        .filter(|one| !is_for_listener(one))
        .filter_map(|one| Aim::of(one, &policy.key.namespace))
        .any(|aim| matches!(aim, Aim::Gateway(key) if key == *gateway))
}

/// The largest request body that one of the ClientTrafficPolicies asks for.
pub(crate) fn limits<'a>(
    policies: impl Iterator<Item = &'a Placed<'a, ClientTrafficPolicy>>,
    findings: &mut Findings,
) -> LimitsSpec {
    let mut limits = LimitsSpec::default();
    for policy in policies {
        let connection = policy.object.spec.connection.as_ref();
        let Some(text) = connection.and_then(|connection| connection.buffer_limit.as_deref()) else {
            continue;
        };
        match text.parse::<Size>() {
            Ok(size) if size.0 > 0 => {
                limits.max_request_body = limits.max_request_body.max(Some(size));
                limits.origin = policy.origin.clone();
            }
            Ok(_) => {}
            Err(message) => {
                let field = "spec.connection.bufferLimit";
                findings.error(policy.subject(), Cause::INVALID, field, message);
            }
        }
    }
    limits
}
