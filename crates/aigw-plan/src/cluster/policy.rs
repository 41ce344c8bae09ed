//! Envoy Gateway's kinds in a cluster: what is not honoured is named, closes what it protects, and stands in the status.

use std::collections::{BTreeMap, BTreeSet};

use aigw_api::condition::{self, reason};
use aigw_api::{BackendTrafficPolicy, GATEWAY_GROUP, TargetReference};
use serde_json::{Value, json};

use super::condition::Verdicts;
use super::types::Options;
use crate::condition::Condition;
use crate::finding::{Cause, Findings};
use crate::index::{Index, Key, Placed};
use crate::policy::{Closed, Closing};
use crate::target::{Aim, both, is_for_listener};

/// A field of a BackendTrafficPolicy that limits who may ask how often.
const RATE_LIMIT: &str = "spec.rateLimit";

/// The most entries that the status of a policy may have.
const MOST_ANCESTORS: usize = 16;

/// Closes what rate limits protect that are not honoured.
pub(super) fn close_unlimited(
    index: &Index<'_>,
    closed: &mut Closed,
    serve_despite: bool,
    findings: &mut Findings,
) {
    for policy in index.traffic.values() {
        if !policy.unread.iter().any(|field| field.starts_with(RATE_LIMIT)) {
            continue;
        }
        if serve_despite {
            let message = "is not supported yet and has no effect";
            findings.warn(policy.subject(), Cause::NO_EFFECT, RATE_LIMIT, message);
            continue;
        }
        let spec = &policy.object.spec;
        let aims =
            both(&spec.target_ref, &spec.target_refs).filter_map(|one| Aim::of(one, &policy.key.namespace));
        let closing = Closing {
            policy: policy.key.clone(),
            kind: policy.kind,
            field: RATE_LIMIT,
        };
        closed.add(index, aims, &closing);
        let message = "is not supported yet; what it targets answers 503";
        findings.error(policy.subject(), Cause::NOT_YET, RATE_LIMIT, message);
    }
}

/// Names fields that have no effect.
pub(super) fn note_fields(index: &Index<'_>, findings: &mut Findings) {
    note(index.routes.values(), |_| Vec::new(), findings);
    note(index.service_backends.values(), |_| Vec::new(), findings);
    note(index.security.values(), |_| Vec::new(), findings);
    note(index.gateway_configs.values(), |_| Vec::new(), findings);
    note(index.tls.values(), |_| Vec::new(), findings);
    note(index.gateways.values(), |_| Vec::new(), findings);
    note(
        index.backends.values(),
        |one| {
            let spec = &one.object.spec;
            let fields = [
                ("spec.fallback", spec.fallback == Some(true)),
                ("spec.appProtocols", !spec.app_protocols.is_empty()),
            ];
            written(&fields)
        },
        findings,
    );
    note(
        index.traffic.values(),
        |one| {
            let mut fields = of_traffic(one);
            fields.extend(listeners(
                &one.object.spec.target_ref,
                &one.object.spec.target_refs,
            ));
            fields
        },
        findings,
    );
    note(
        index.clients.values(),
        |one| listeners(&one.object.spec.target_ref, &one.object.spec.target_refs),
        findings,
    );
}

fn of_traffic(policy: &Placed<'_, BackendTrafficPolicy>) -> Vec<String> {
    let spec = &policy.object.spec;
    let http = spec.timeout.as_ref().and_then(|timeout| timeout.http.as_ref());
    let fields = [
        (
            "spec.timeout.http.connectionIdleTimeout",
            http.is_some_and(|http| http.connection_idle_timeout.is_some()),
        ),
        (
            "spec.timeout.http.maxConnectionDuration",
            http.is_some_and(|http| http.max_connection_duration.is_some()),
        ),
    ];
    written(&fields)
}

fn written(fields: &[(&str, bool)]) -> Vec<String> {
    let there = fields.iter().filter(|(_, there)| *there);
    there.map(|(field, _)| (*field).to_owned()).collect()
}

/// Targets that are one listener of a Gateway: they have no effect as a whole.
fn listeners(one: &Option<TargetReference>, many: &[TargetReference]) -> Vec<String> {
    let targets = both(one, many).filter(|target| is_for_listener(target));
    let text = |target: &TargetReference| {
        let section = target.section_name.as_deref().unwrap_or_default();
        format!(
            "the target Gateway \"{}\" with sectionName {section}",
            target.name
        )
    };
    targets.map(text).collect()
}

fn note<'a, T: 'a>(
    table: impl Iterator<Item = &'a Placed<'a, T>>,
    more: fn(&Placed<'_, T>) -> Vec<String>,
    findings: &mut Findings,
) {
    for placed in table {
        let unread = placed
            .unread
            .iter()
            .filter(|field| !field.starts_with(RATE_LIMIT));
        let mut fields: Vec<String> = unread.cloned().collect();
        fields.extend(more(placed));
        if !fields.is_empty() {
            let message = format!("without effect: {}", fields.join(", "));
            findings.warn(placed.subject(), Cause::NO_EFFECT, "", message);
        }
    }
}

/// Gateways of ours that the targets reach, by themselves or by a route that is attached to them.
pub(super) fn reached<'t>(
    targets: impl Iterator<Item = &'t TargetReference>,
    namespace: &str,
    gateways_of: &BTreeMap<&Key, BTreeSet<&Key>>,
    is_ours: impl Fn(&Key) -> bool,
) -> BTreeSet<Key> {
    let mut out = BTreeSet::new();
    for aim in targets.filter_map(|target| Aim::of(target, namespace)) {
        match aim {
            Aim::Gateway(key) if is_ours(&key) => {
                out.insert(key);
            }
            Aim::Gateway(_) => {}
            Aim::Route(route) => {
                let gateways = gateways_of.get(&route).into_iter().flatten();
                out.extend(gateways.map(|key| (*key).clone()));
            }
        }
    }
    out
}

/// The status of a policy: an entry for each of these Gateways beside those of other controllers. `None` when there is nothing
/// to say.
pub(super) fn status<T>(
    placed: &Placed<'_, T>,
    generation: i64,
    gateways: &BTreeSet<Key>,
    verdicts: &Verdicts,
    options: &Options,
) -> Option<Value> {
    let is_ours = |entry: &&Value| {
        let controller = entry.get("controllerName").and_then(Value::as_str);
        controller == Some(options.controller_name.as_str())
    };
    let others: Vec<&Value> = placed.ancestors.iter().filter(|entry| !is_ours(entry)).collect();
    if gateways.is_empty() && others.len() == placed.ancestors.len() {
        return None;
    }
    let mut conditions = vec![verdicts.condition(placed.kind, &placed.key, condition::ACCEPTED)];
    let refs = verdicts.condition(placed.kind, &placed.key, condition::RESOLVED_REFS);
    if placed.kind == "BackendTLSPolicy" || !refs.holds() {
        conditions.push(refs);
    }
    conditions.extend(verdicts.warning(placed.kind, &placed.key));
    let own = gateways.iter().map(|gateway| {
        json!({
            "ancestorRef": {
                "group": GATEWAY_GROUP, "kind": "Gateway", "namespace": gateway.namespace, "name": gateway.name,
            },
            "controllerName": options.controller_name,
            "conditions": super::condition::json(&conditions, generation),
        })
    });
    let all: Vec<Value> = others
        .into_iter()
        .cloned()
        .chain(own)
        .take(MOST_ANCESTORS)
        .collect();
    Some(json!({"ancestors": all}))
}

/// The status of one of Envoy Gateway's Backends.
pub(super) fn of_backend<T>(placed: &Placed<'_, T>, generation: i64, verdicts: &Verdicts) -> Value {
    let accepted = match verdicts.condition(placed.kind, &placed.key, condition::ACCEPTED) {
        bad if !bad.holds() => bad,
        _ => Condition::is(condition::ACCEPTED, reason::ACCEPTED, "is accepted"),
    };
    let mut conditions = vec![accepted];
    conditions.extend(verdicts.warning(placed.kind, &placed.key));
    json!({"conditions": super::condition::json(&conditions, generation)})
}
