//! Envoy Gateway's policies in a cluster: what is not honoured there is named, and closes what it protects.

use aigw_api::condition::reason;

use crate::finding::{Cause, Findings};
use crate::index::{Index, Placed};
use crate::policy::{Closed, Closing};
use crate::target::{Aim, both};

/// A field of a BackendTrafficPolicy that limits who may ask how often.
const RATE_LIMIT: &str = "spec.rateLimit";

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
        let cause = Cause::accepted(reason::NOT_SUPPORTED_YET);
        findings.error(policy.subject(), cause, RATE_LIMIT, message);
    }
}

/// Names the fields that nobody reads.
pub(super) fn note_unread(index: &Index<'_>, findings: &mut Findings) {
    fn note<'a, T: 'a>(table: impl Iterator<Item = &'a Placed<'a, T>>, findings: &mut Findings) {
        for placed in table.filter(|placed| !placed.unread.is_empty()) {
            let unread = placed.unread.iter().map(String::as_str);
            let fields: Vec<&str> = unread.filter(|field| !field.starts_with(RATE_LIMIT)).collect();
            if !fields.is_empty() {
                let message = format!("these fields have no effect: {}", fields.join(", "));
                findings.warn(placed.subject(), Cause::NO_EFFECT, "", message);
            }
        }
    }
    note(index.routes.values(), findings);
    note(index.service_backends.values(), findings);
    note(index.security.values(), findings);
    note(index.gateway_configs.values(), findings);
    note(index.backends.values(), findings);
    note(index.tls.values(), findings);
    note(index.gateways.values(), findings);
    note(index.traffic.values(), findings);
    note(index.clients.values(), findings);
}
