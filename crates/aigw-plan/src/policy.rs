//! Envoy Gateway's policies: what has a counterpart is applied, what restricts access closes the routes it applies to.

use std::collections::BTreeMap;

use aigw_api::{
    AIGatewayRoute, BackendTrafficPolicySpec, ENVOY_GATEWAY_GROUP, GATEWAY_GROUP, GROUP, RetryPolicy,
    TargetReference,
};
use aigw_config::{Diagnostics, LimitsSpec, Millis, Origin, RetrySpec, RuleSpec, Size, TimeoutsSpec};

use crate::index::{Index, Key, Placed, label};

/// What a policy targets, in both of its forms.
fn targets<'a>(
    one: &'a Option<TargetReference>,
    many: &'a [TargetReference],
) -> impl Iterator<Item = &'a TargetReference> {
    one.iter().chain(many)
}

/// Whether a policy of `namespace` with this target applies to the route: by its own name (the HTTPRoute that other
/// implementations make of it has the same), or by a Gateway that it is attached to.
fn applies(target: &TargetReference, namespace: &str, route: &Placed<AIGatewayRoute>) -> bool {
    match target.kind.as_str() {
        "HTTPRoute" | "AIGatewayRoute" => {
            let group = matches!(target.group.as_str(), GATEWAY_GROUP | GROUP | ENVOY_GATEWAY_GROUP);
            group && route.key == Key::new(namespace, &target.name)
        }
        "Gateway" => route.object.spec.parent_refs.iter().any(|parent| {
            let gateway = route.key.beside(parent.namespace.as_deref(), &parent.name);
            gateway == Key::new(namespace, &target.name)
        }),
        _ => false,
    }
}

/// Routes that may not be served, with the reason: a SecurityPolicy applies to them, and that is not supported.
pub(crate) fn closed(index: &Index, findings: &mut Diagnostics) -> BTreeMap<Key, String> {
    let mut out = BTreeMap::new();
    for policy in index.access.values() {
        let spec = &policy.object.spec;
        let object = label("SecurityPolicy", &policy.key);
        let all = spec.target_selectors.is_some();
        let hit: Vec<&Key> = index
            .routes
            .values()
            .filter(|route| {
                let selected = all && route.key.namespace == policy.key.namespace;
                selected
                    || targets(&spec.target_ref, &spec.target_refs)
                        .any(|target| applies(target, &policy.key.namespace, route))
            })
            .map(|route| &route.key)
            .collect();
        let message = if hit.is_empty() {
            "is not supported yet; it applies to no route of the input".to_owned()
        } else {
            let names: Vec<String> = hit.iter().map(|key| format!("\"{key}\"")).collect();
            format!(
                "is not supported yet; what it demands cannot be checked, so these routes answer 503: {}",
                names.join(", ")
            )
        };
        if hit.is_empty() {
            findings.warn(&policy.origin, object, "", message);
        } else {
            findings.error(&policy.origin, object, "", message);
        }
        for key in hit {
            let reason = format!(
                "access to this route is restricted by SecurityPolicy \"{}\", which is not supported",
                policy.key
            );
            out.entry(key.clone()).or_insert(reason);
        }
    }
    out
}

/// Retries and timeouts of the BackendTrafficPolicies that apply to a route; one of the route goes before one of a Gateway.
pub(crate) fn traffic(
    index: &Index,
    route: &Placed<AIGatewayRoute>,
    rules: &mut [RuleSpec],
    findings: &mut Diagnostics,
) {
    for of_gateway in [false, true] {
        for policy in index.traffic.values() {
            let spec = &policy.object.spec;
            let hit = targets(&spec.target_ref, &spec.target_refs).any(|target| {
                (target.kind == "Gateway") == of_gateway && applies(target, &policy.key.namespace, route)
            });
            if !hit {
                continue;
            }
            let object = label("BackendTrafficPolicy", &policy.key);
            let timeouts = timeouts(spec, &policy.origin, &object, findings);
            for rule in rules.iter_mut() {
                if rule.retry.is_none() {
                    rule.retry = spec.retry.as_ref().map(|retry| retries(retry, rule));
                }
                let own = rule.timeouts.get_or_insert_default();
                own.connect = own.connect.or(timeouts.connect);
                own.request = own.request.or(timeouts.request);
            }
        }
    }
    for rule in rules {
        rule.timeouts = rule
            .timeouts
            .take()
            .filter(|timeouts| *timeouts != TimeoutsSpec::default());
    }
}

fn timeouts(
    spec: &BackendTrafficPolicySpec,
    origin: &Origin,
    object: &str,
    findings: &mut Diagnostics,
) -> TimeoutsSpec {
    let mut read = |field: &str, text: Option<&str>| {
        let result: Result<Millis, String> = text?.parse();
        result
            .map_err(|message| findings.error(origin, object, field, message))
            .ok()
    };
    let timeout = spec.timeout.as_ref();
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

/// The largest request body that a ClientTrafficPolicy asks for.
pub(crate) fn limits(index: &Index, findings: &mut Diagnostics) -> LimitsSpec {
    let mut limits = LimitsSpec::default();
    for policy in index.clients.values() {
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
                let object = label("ClientTrafficPolicy", &policy.key);
                findings.error(&policy.origin, object, "spec.connection.bufferLimit", message);
            }
        }
    }
    limits
}
