//! Envoy Gateway's policies: what has a counterpart is applied, what restricts access closes the routes it applies to.

use std::collections::BTreeMap;

use aigw_api::ClientTrafficPolicy;
use aigw_config::{LimitsSpec, Size};

use crate::finding::{Cause, Findings};
use crate::index::{Index, Key, Placed};
use crate::target::{Aim, both, is_for_listener};
use crate::times;

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

/// Whether the policy is for the whole of a Gateway.
pub(crate) fn is_for_gateway(policy: &Placed<'_, ClientTrafficPolicy>, gateway: &Key) -> bool {
    let spec = &policy.object.spec;
    both(&spec.target_ref, &spec.target_refs)
        .filter(|one| !is_for_listener(one))
        .filter_map(|one| Aim::of(one, &policy.key.namespace))
        .any(|aim| matches!(aim, Aim::Gateway(key) if key == *gateway))
}

/// The largest request body and the longest times that one of the ClientTrafficPolicies asks for.
pub(crate) fn limits<'a>(
    policies: impl Iterator<Item = &'a Placed<'a, ClientTrafficPolicy>>,
    findings: &mut Findings,
) -> LimitsSpec {
    let mut limits = LimitsSpec::default();
    for policy in policies {
        client_times(policy, &mut limits, findings);
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

/// How long clients may take.
fn client_times(policy: &Placed<'_, ClientTrafficPolicy>, limits: &mut LimitsSpec, findings: &mut Findings) {
    let timeout = policy.object.spec.timeout.as_ref();
    let Some(http) = timeout.and_then(|timeout| timeout.http.as_ref()) else {
        return;
    };
    let received = "spec.timeout.http.requestReceivedTimeout";
    // Without it nothing is limited.
    let received = times::read_some(policy, received, http.request_received_timeout.as_ref(), findings);
    let mut limit = |field: &str, text: Option<&String>| times::read_limit(policy, field, text, findings);
    let idle = limit("spec.timeout.http.idleTimeout", http.idle_timeout.as_ref());
    let silence = limit(
        "spec.timeout.http.streamIdleTimeout",
        http.stream_idle_timeout.as_ref(),
    );
    for (slot, time) in [
        (&mut limits.request_received, received),
        (&mut limits.client_idle, idle),
        (&mut limits.timeouts.idle, silence),
    ] {
        if time.is_some() {
            *slot = (*slot).max(time);
            limits.origin = policy.origin.clone();
        }
    }
}
