//! Active health checks of BackendTrafficPolicies.

use aigw_api::{ActiveHealthCheck, BackendTrafficPolicy};
use aigw_config::{HealthCheckSpec, StatusSpec};

use crate::finding::{Cause, Findings};
use crate::index::Placed;
use crate::times;

const FIELD: &str = "spec.healthCheck.active";

/// How the policy wants backends to be asked whether they are well. `None` as well when it wants it in a way that is not
/// supported or cannot be, which is told: a check that asks something else would leave out backends that are well.
pub(crate) fn check(
    policy: &Placed<'_, BackendTrafficPolicy>,
    findings: &mut Findings,
) -> Option<HealthCheckSpec> {
    let active = policy.object.spec.health_check.as_ref()?.active.as_deref()?;
    if let Some((field, message)) = unsupported(active) {
        findings.warn(
            policy.subject(),
            Cause::NO_EFFECT,
            format!("{FIELD}.{field}"),
            message,
        );
        return None;
    }
    let spec = read(active, policy, findings);
    let Err(faults) = spec.check() else {
        return Some(spec);
    };
    for (field, message) in faults {
        let field = format!("{FIELD}{}", name(&field));
        findings.error(policy.subject(), Cause::INVALID, field, message);
    }
    None
}

/// The field that cannot be honoured, and what follows.
fn unsupported(active: &ActiveHealthCheck) -> Option<(&'static str, String)> {
    if active
        .overrides
        .as_ref()
        .is_some_and(|some| some.get("port").is_some())
    {
        let message = "asking at another port is not supported, so backends are not checked";
        return Some(("overrides.port", message.to_owned()));
    }
    let kind = active.kind.as_str();
    (!matches!(kind, "HTTP" | "TCP")).then(|| {
        let message = format!("`{kind}` is not supported, so backends are not checked; HTTP and TCP are");
        ("type", message)
    })
}

fn read(
    active: &ActiveHealthCheck,
    policy: &Placed<'_, BackendTrafficPolicy>,
    findings: &mut Findings,
) -> HealthCheckSpec {
    let mut time = |name: &str, text: Option<&String>| {
        times::read_some(policy, &format!("{FIELD}.{name}"), text, findings)
    };
    let spec = HealthCheckSpec {
        interval: time("interval", active.interval.as_ref()),
        timeout: time("timeout", active.timeout.as_ref()),
        initial_jitter: time("initialJitter", active.initial_jitter.as_ref()),
        unhealthy: active.unhealthy_threshold,
        healthy: active.healthy_threshold,
        ..HealthCheckSpec::default()
    };
    match active.http.as_ref().filter(|_| active.kind == "HTTP") {
        Some(http) => HealthCheckSpec {
            path: Some(http.path.clone()),
            method: http.method.clone(),
            host: http.hostname.clone(),
            statuses: (!http.expected_statuses.is_empty()).then(|| {
                http.expected_statuses
                    .iter()
                    .copied()
                    .map(StatusSpec::One)
                    .collect()
            }),
            ..spec
        },
        None => HealthCheckSpec {
            tcp: active.kind == "TCP",
            ..spec
        },
    }
}

/// What a policy calls a field of a check.
fn name(field: &str) -> String {
    match field {
        "" => ".http".to_owned(),
        "unhealthy" => ".unhealthyThreshold".to_owned(),
        "healthy" => ".healthyThreshold".to_owned(),
        "host" => ".http.hostname".to_owned(),
        "path" | "method" => format!(".http.{field}"),
        other => match other.strip_prefix("statuses") {
            Some(at) => format!(".http.expectedStatuses{at}"),
            None => format!(".{other}"),
        },
    }
}
