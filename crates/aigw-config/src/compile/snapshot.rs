//! The whole document, part after part, into one snapshot.

use sha2::{Digest, Sha256};

use super::capability::Capabilities;
use super::report::Report;
use super::route::Targets;
use super::{backend, cost, credential, endpoint, limits, listener, model, route};
use crate::diagnostic::{Diagnostics, Origin};
use crate::document::Document;
use crate::snapshot::Snapshot;

/// Compiles `document`. `Err` when the document as a whole is refused; otherwise the snapshot and its warnings.
/// All parts are looked at, so that one run shows every finding.
pub fn compile(
    mut document: Document,
    capabilities: &dyn Capabilities,
) -> Result<(Snapshot, Diagnostics), Diagnostics> {
    let mut findings = Diagnostics::default();
    let limits = {
        let origin = Origin::clone(&document.limits.origin);
        let mut report = Report::new(&mut findings, &origin, "", "", "limits".to_owned());
        limits::limits(&document.limits, &mut report)
    };
    let listeners = listener::listeners(&document, &mut findings);
    let credentials = credential::credentials(&document, &mut findings);
    let places = endpoint::places(&document.endpoints, &mut findings);
    let backends = backend::backends(
        &document.backends,
        &credentials,
        &places,
        capabilities,
        &mut findings,
    );
    let costs = cost::of_document(&document.costs, &mut findings);
    let targets = Targets {
        specs: document
            .backends
            .iter()
            .map(|spec| (spec.name.as_str(), spec))
            .collect(),
        backends: &backends,
        listeners: document.listeners.iter().map(|spec| spec.name.as_str()).collect(),
        timeouts: limits.timeouts,
        costs: &costs,
    };
    let routes = route::routes(&document, &targets, &mut findings);
    let aliases = model::aliases(&document.models, &mut findings);
    let client_keys = credential::client_keys(&document, &mut findings);
    if findings.has_errors() {
        return Err(findings);
    }
    let snapshot = Snapshot {
        version: version(&mut document).into(),
        models: model::list(&document, &routes, &aliases),
        listeners,
        routes,
        backends,
        aliases,
        client_keys,
        limits,
        document,
    };
    Ok((snapshot, findings))
}

/// First 16 hexadecimal digits of the SHA-256 of the document as JSON. Secrets show themselves redacted, so a new key alone
/// is no new version; neither are new endpoints.
fn version(document: &mut Document) -> String {
    let endpoints = std::mem::take(&mut document.endpoints);
    let text = serde_json::to_vec(document).unwrap_or_default();
    document.endpoints = endpoints;
    let digest = Sha256::digest(&text);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
