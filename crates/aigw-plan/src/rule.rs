//! One rule of an AIGatewayRoute.

use std::collections::BTreeMap;

use aigw_api::condition::reason;
use aigw_api::{AIGatewayRoute, GROUP, HeaderMatchType, RouteBackendRef, RouteMatch, RouteRule};
use aigw_config::{BackendRef, HeaderMatchSpec, HeaderValueMatch, MatchSpec, Millis, RuleSpec, TimeoutsSpec};

use crate::backend::{Made, Planner};
use crate::finding::Cause;
use crate::index::{Key, Placed};
use crate::time::unix_seconds;

/// `owned_by` where a rule says nothing, as the CRD's default has it.
const DEFAULT_OWNER: &str = "Envoy AI Gateway";

/// The route that a rule belongs to.
pub(crate) struct Frame<'a> {
    pub(crate) route: &'a Placed<'a, AIGatewayRoute>,
    /// Seconds since 1970.
    pub(crate) created: Option<u64>,
    /// Backends that can be served.
    pub(crate) backends: &'a BTreeMap<Key, Made>,
}

impl Planner<'_> {
    /// The rule. References to backends that are left out are dropped; with none left it answers 503. `Err`: field and
    /// message of what cannot be read.
    pub(crate) fn rule(
        &mut self,
        rule: &RouteRule,
        at: usize,
        frame: &Frame<'_>,
    ) -> Result<RuleSpec, (String, String)> {
        let field = format!("spec.rules[{at}]");
        let subject = frame.route.subject();
        let mut backends = Vec::new();
        for (index, one) in rule.backend_refs.iter().enumerate() {
            let field = format!("{field}.backendRefs[{index}]");
            match self.reference(one, &field, frame) {
                Ok(reference) => backends.push(reference),
                Err((reason, message)) => {
                    self.findings.warn(subject, Cause::refs(reason), field, message);
                }
            }
        }
        let refuse = backends.iter().all(|one| one.weight == 0).then(|| {
            let message = "no backend can take requests, so the rule answers 503";
            let cause = Cause::refs(reason::BACKEND_NOT_READY);
            self.findings.warn(subject, cause, field.as_str(), message);
            "none of the backends that this model is routed to can be used".to_owned()
        });
        Ok(RuleSpec {
            name: Some(rule.name.clone().unwrap_or_else(|| at.to_string())),
            models: Vec::new(),
            matches: rule.matches.iter().map(conditions).collect(),
            backends,
            retry: None,
            timeouts: timeouts(rule, &field)?,
            max_concurrent: None,
            ejection: None,
            health_check: None,
            models_owned_by: Some(
                rule.models_owned_by
                    .clone()
                    .unwrap_or_else(|| DEFAULT_OWNER.to_owned()),
            ),
            models_created_at: created(rule, &field)?.or(frame.created),
            refuse,
        })
    }

    /// The reference, or the reason of a condition and a message.
    fn reference(
        &mut self,
        one: &RouteBackendRef,
        field: &str,
        frame: &Frame<'_>,
    ) -> Result<BackendRef, (&'static str, String)> {
        let route = frame.route;
        if one.kind.is_some() {
            let message = "InferencePool is not supported yet; the reference is left out";
            return Err((reason::NOT_SUPPORTED_YET, message.to_owned()));
        }
        let key = route.key.beside(one.namespace.as_deref(), &one.name);
        let from = (GROUP, "AIGatewayRoute", &route.key);
        if !self.index.may_refer(from, (GROUP, "AIServiceBackend", &key)) {
            let (rns, tns) = (&route.key.namespace, &key.namespace);
            let message = format!(
                "cross-namespace reference from AIGatewayRoute in namespace {rns} to AIServiceBackend {} in namespace {tns} is not \
                 permitted: no valid ReferenceGrant found in namespace {tns}. A ReferenceGrant must allow AIGatewayRoute from \
                 namespace {rns} to reference AIServiceBackend in namespace {tns}",
                key.name
            );
            return Err((reason::REF_NOT_PERMITTED, message));
        }
        if !self.index.service_backends.contains_key(&key) {
            let message = format!("no AIServiceBackend is named \"{key}\"; the reference is left out");
            return Err((reason::BACKEND_NOT_FOUND, message));
        }
        if !frame.backends.contains_key(&key) {
            let message = format!("AIServiceBackend \"{key}\" is left out, and so is the reference");
            return Err((reason::BACKEND_NOT_READY, message));
        }
        Ok(BackendRef {
            name: key.to_string(),
            weight: one.weight.unwrap_or(1),
            priority: one.priority.unwrap_or(0),
            model_name_override: one.model_name_override.clone().filter(|model| !model.is_empty()),
            header_mutation: self.header_mutation(one.header_mutation.as_ref(), route.subject(), field),
            body_mutation: one.body_mutation.clone().unwrap_or_default(),
        })
    }
}

fn conditions(one: &RouteMatch) -> MatchSpec {
    let headers = one.headers.iter().map(|header| HeaderMatchSpec {
        name: header.name.clone(),
        value: header.value.clone(),
        kind: match header.kind {
            HeaderMatchType::Exact => HeaderValueMatch::Exact,
            HeaderMatchType::RegularExpression => HeaderValueMatch::RegularExpression,
        },
    });
    MatchSpec {
        model: None,
        headers: headers.collect(),
    }
}

/// `request` bounds answers that are no streams, `backendRequest` the wait for each attempt's first byte. There is no
/// default of 60 s: answers of models take longer.
fn timeouts(rule: &RouteRule, field: &str) -> Result<Option<TimeoutsSpec>, (String, String)> {
    let read = |name: &str, text: Option<&str>| -> Result<Option<Millis>, (String, String)> {
        let parsed = text.map(str::parse::<Millis>).transpose();
        parsed.map_err(|message| (format!("{field}.{name}"), message))
    };
    let spec = rule.timeouts.as_ref();
    let request = read("timeouts.request", spec.and_then(|one| one.request.as_deref()))?;
    let attempt = read(
        "timeouts.backendRequest",
        spec.and_then(|one| one.backend_request.as_deref()),
    )?;
    let idle = read("streamIdleTimeout", rule.stream_idle_timeout.as_deref())?;
    let some = |value: Option<Millis>| value.filter(|value| value.0 > 0);
    let out = TimeoutsSpec {
        connect: None,
        first_byte: some(attempt),
        first_byte_stream: some(attempt),
        idle: some(idle),
        request,
    };
    Ok((out != TimeoutsSpec::default()).then_some(out))
}

fn created(rule: &RouteRule, field: &str) -> Result<Option<u64>, (String, String)> {
    let Some(text) = &rule.models_created_at else {
        return Ok(None);
    };
    match unix_seconds(text) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err((
            format!("{field}.modelsCreatedAt"),
            format!("`{text}` is not a time; write it like 2025-05-30T12:00:00Z"),
        )),
    }
}
