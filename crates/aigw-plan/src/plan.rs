//! The plan as a whole.

use aigw_config::{Capabilities, Credentials, Diagnostics, Document};

use crate::backend::Planner;
use crate::index::Index;
use crate::object::Object;
use crate::{cost, endpoint, gateway, policy};

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
pub fn plan(objects: Vec<Object>, capabilities: &dyn Capabilities) -> Planned {
    let mut diagnostics = Diagnostics::default();
    let mut credentials = Credentials::default();
    let mut specs = Vec::new();
    let index = Index::new(objects, &mut diagnostics);
    let (listeners, doors) = gateway::doors(&index, &mut diagnostics);
    endpoint::check_policies(&index, &mut diagnostics);
    let closed = policy::closed(&index, &mut diagnostics);
    let costs = cost::of_gateways(&index, &mut diagnostics);
    let limits = policy::limits(&index, &mut diagnostics);
    let mut planner = Planner {
        index: &index,
        capabilities,
        findings: &mut diagnostics,
        credentials: &mut credentials,
        specs: &mut specs,
    };
    let backends = planner.backends();
    let routes = planner.routes(&backends, &doors, &costs, &closed);
    diagnostics.remove_repeated();
    Planned {
        document: Document {
            listeners,
            routes,
            backends: backends.into_values().collect(),
            credentials: specs,
            limits,
            ..Document::default()
        },
        credentials,
        diagnostics,
    }
}
