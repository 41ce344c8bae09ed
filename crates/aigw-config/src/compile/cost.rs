//! Costs of the document and of routes.

use std::sync::Arc;

use super::report::Report;
use crate::cost::Cost;
use crate::diagnostic::Diagnostics;
use crate::document::{CostSpec, CostType};

/// Keys that the gateway itself writes beside the costs.
const RESERVED: [&str; 8] = [
    "ai_service_backend_name",
    "backend_name",
    "content_length",
    "model_name_override",
    "response_model",
    "route_name",
    "token_latency_itl",
    "token_latency_ttft",
];

/// The costs of the document. A bad one is noted.
pub(super) fn of_document(specs: &[CostSpec], findings: &mut Diagnostics) -> Vec<Arc<Cost>> {
    let mut out = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let place = format!("costs[{index}]");
        let mut report = Report::new(findings, &spec.origin, "cost", &spec.metadata_key, place);
        add(spec, "", &mut out, &mut report);
    }
    out
}

/// The route's own costs, and those of the document under other keys.
pub(super) fn of_route(
    specs: &[CostSpec],
    inherited: &[Arc<Cost>],
    report: &mut Report<'_>,
) -> Vec<Arc<Cost>> {
    let mut out = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        add(spec, &format!("costs[{index}]."), &mut out, report);
    }
    for cost in inherited {
        if out.iter().all(|own| own.key != cost.key) {
            out.push(Arc::clone(cost));
        }
    }
    out
}

fn add(spec: &CostSpec, prefix: &str, out: &mut Vec<Arc<Cost>>, report: &mut Report<'_>) {
    let field = |name: &str| format!("{prefix}{name}");
    if spec.kind != CostType::Cel && spec.cel.is_some() {
        let message = format!(
            "has no effect with type {}; write `type: CEL`",
            spec.kind.as_str()
        );
        report.warn(field("cel"), message);
    }
    if RESERVED.contains(&spec.metadata_key.as_str()) {
        let message = "is a key of the gateway itself, which overwrites it in the metadata; use another";
        report.warn(field("metadataKey"), message);
    }
    match Cost::new(spec) {
        Err((name, message)) => report.error(field(name), message),
        Ok(cost) if out.iter().any(|earlier| earlier.key == cost.key) => {
            let message = format!("`{}` is the key of two costs; keep one", cost.key);
            report.error(field("metadataKey"), message);
        }
        Ok(cost) => out.push(Arc::new(cost)),
    }
}
