//! A dry run: what a request would meet, asked of the same map that serves it.

use aigw_config::{BackendAuth, Snapshot};
use aigw_translate::host::{Service, service, upstream_path};
use aigw_translate::operation::{Lookup, lookup};
use aigw_translate::request::{Inbound, PrepareInputs};
use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::route::{self, Question};

/// A request that is only thought of.
#[derive(Clone, Debug)]
pub struct Inquiry<'a> {
    /// Listener.
    pub listener: &'a str,
    /// Host name without port.
    pub host: &'a str,
    /// Path.
    pub path: &'a str,
    /// Model.
    pub model: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body, to see what its translation would leave out.
    pub body: Option<Bytes>,
}

/// What the request would meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Operation label.
    pub operation: &'static str,
    /// Model after aliases.
    pub model: String,
    /// Route.
    pub route: String,
    /// Rule.
    pub rule: String,
    /// The route answers 503 for this reason.
    pub refused: Option<String>,
    /// Costs that are worked out for it: key and type, or key and expression.
    pub costs: Vec<String>,
    /// Candidates by priority; within one, in configuration order.
    pub candidates: Vec<CandidateExplanation>,
}

/// A candidate of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateExplanation {
    /// Backend.
    pub backend: String,
    /// Priority; lower is tried first.
    pub priority: u32,
    /// Weight within the priority.
    pub weight: u32,
    /// URL that would be asked; `None` when the backend cannot serve the operation.
    pub url: Option<String>,
    /// `pass-through` or the dialect it would be translated to.
    pub service: Option<String>,
    /// Model that would be asked for.
    pub model: String,
    /// How it would be authenticated, without the credential.
    pub auth: String,
    /// What a translation of the body would leave out.
    pub losses: Vec<String>,
}

/// Answers an inquiry; `Err` says why nothing would be served.
pub fn explain(snapshot: &Snapshot, inquiry: &Inquiry<'_>) -> Result<Explanation, String> {
    let (Lookup::Found(operation, _) | Lookup::WrongMethod(operation)) = lookup(&Method::POST, inquiry.path)
    else {
        return Err(format!("404 unknown_path: nothing is served at {}", inquiry.path));
    };
    let model = snapshot
        .aliases
        .get(inquiry.model)
        .map_or(inquiry.model, String::as_str);
    let question = Question {
        listener: inquiry.listener,
        host: inquiry.host,
        model: Some(model),
        headers: inquiry.headers,
    };
    let place = route::find(snapshot, question)
        .ok_or_else(|| format!("404 model_not_found: no route serves the model `{model}`"))?;
    let route = snapshot.routes.get(place.route).ok_or("the route is gone")?;
    let rule = route.rules.get(place.rule).ok_or("the rule is gone")?;
    let inbound = match &inquiry.body {
        Some(body) => Some(
            Inbound::read(operation, Some("application/json"), body.clone())
                .map_err(|error| error.message)?,
        ),
        None => None,
    };
    let mut candidates = Vec::new();
    for candidate in &rule.candidates {
        let backend = &candidate.backend;
        let how = service(backend.schema.name, operation);
        let target = candidate.model.as_deref().unwrap_or(model);
        let losses = match (&inbound, how) {
            (Some(inbound), Some(service)) => {
                let prepared = inbound.prepare(PrepareInputs {
                    service,
                    model: target,
                    quirks: backend.quirks,
                });
                prepared
                    .map_err(|error| error.message)?
                    .losses
                    .pointers()
                    .to_vec()
            }
            _ => Vec::new(),
        };
        let scheme = if backend.endpoint.https { "https" } else { "http" };
        candidates.push(CandidateExplanation {
            backend: backend.name.to_string(),
            priority: candidate.priority,
            weight: candidate.weight,
            url: upstream_path(&backend.schema, operation, None)
                .map(|path| format!("{scheme}://{}{path}", backend.endpoint.authority)),
            service: how.map(|how| match how {
                Service::PassThrough => "pass-through".to_owned(),
                Service::Translate(dialect) => format!("translated to {}", dialect.as_str()),
            }),
            model: target.to_owned(),
            auth: describe(&backend.auth),
            losses,
        });
    }
    Ok(Explanation {
        operation: operation.label(),
        model: model.to_owned(),
        route: route.name.to_string(),
        rule: rule.name.to_string(),
        refused: route.refuse.clone().or_else(|| rule.refuse.clone()),
        costs: route.costs.iter().map(|cost| cost.to_string()).collect(),
        candidates,
    })
}

fn describe(auth: &BackendAuth) -> String {
    match auth {
        BackendAuth::None => "none".to_owned(),
        BackendAuth::Passthrough => "the client's own credentials".to_owned(),
        BackendAuth::Bearer(id) => format!("authorization: Bearer <{id}>"),
        BackendAuth::Header(name, id) => format!("{name}: <{id}>"),
    }
}
