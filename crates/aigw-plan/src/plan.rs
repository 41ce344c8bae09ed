//! The plan as a whole.

use std::collections::BTreeMap;

use aigw_config::{Capabilities, Credentials, Diagnostics, Document};

use crate::backend::{Planner, Wanted};
use crate::finding::Findings;
use crate::index::Index;
use crate::object::Object;
use crate::{backend, cost, endpoint, gateway, policy};

/// What objects come to.
#[derive(Debug)]
pub struct Planned {
    /// The document. Routes and backends are named `<namespace>/<name>`, their origin is that of their object.
    pub document: Document,
    /// Bytes of the credentials that the document names.
    pub credentials: Credentials,
    /// Errors: objects that are bad. Warnings: what refers to objects that are not there, or is not supported.
    pub diagnostics: Diagnostics,
}

/// Plans `objects`. Never fails: what cannot be served is left out and reported.
pub fn plan(objects: &[Object], capabilities: &dyn Capabilities) -> Planned {
    let mut findings = Findings::default();
    let mut credentials = Credentials::default();
    let mut specs = Vec::new();
    let placed = objects.iter().map(|object| (object, object.origin.clone()));
    let index = Index::new(placed, &mut findings);
    let (listeners, doors) = gateway::doors(&index, &mut credentials, &mut specs, &mut findings);
    endpoint::check_policies(&index, &mut findings);
    let closed = policy::closed(&index, false, &mut findings);
    let costs = cost::of_gateways(&index, &mut findings);
    let limits = policy::limits(index.clients.values(), &mut findings);
    let mut planner = Planner {
        index: &index,
        capabilities,
        findings: &mut findings,
        credentials: &mut credentials,
        specs: &mut specs,
        wanted: &mut Wanted::default(),
        cluster: None,
        policies: BTreeMap::new(),
    };
    let backends = planner.backends();
    let routes = planner.routes(&backends, &doors, &costs, &closed);
    Planned {
        document: Document {
            listeners,
            routes,
            endpoints: backend::endpoints(backends.values()),
            backends: backends.into_values().map(|made| made.spec).collect(),
            credentials: specs,
            limits,
            ..Document::default()
        },
        credentials,
        diagnostics: findings.into_diagnostics(),
    }
}
