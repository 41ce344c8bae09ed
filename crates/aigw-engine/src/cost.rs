//! What a request costs: its route's costs, worked out once from the usage that its record ends with.

use std::sync::Arc;

use aigw_config::{Cost, CostInputs};

use crate::ledger::{UsageRecord, shortened};

/// Works the costs out, when an upstream served the request: answers that broke off and clients that went away are charged
/// for what is known, failures are not. A cost that cannot be worked out is noted and the others stand.
pub(crate) fn charge(record: &mut UsageRecord, costs: &[Arc<Cost>]) {
    if costs.is_empty() || !served(record) {
        return;
    }
    let usage = &record.usage;
    let input = usage.input.unwrap_or(0);
    let output = usage.output.unwrap_or(0);
    let model = record.upstream_model.as_deref().unwrap_or_default();
    let inputs = CostInputs {
        model: shortened(model).unwrap_or(model),
        backend: record.backend.as_deref().unwrap_or_default(),
        route_name: record.route.as_deref().unwrap_or_default(),
        input_tokens: input,
        cached_input_tokens: usage.cache_read.unwrap_or(0),
        cache_creation_input_tokens: usage.cache_write.unwrap_or(0),
        output_tokens: output,
        // An answer that breaks off may have told one of the two.
        total_tokens: usage.total().unwrap_or_else(|| input.saturating_add(output)),
        reasoning_tokens: usage.reasoning.unwrap_or(0),
    };
    let mut amounts = Vec::with_capacity(costs.len());
    let mut failures = Vec::new();
    for cost in costs {
        match cost.amount(&inputs) {
            Ok(amount) => amounts.push((Arc::clone(&cost.key), amount)),
            Err(why) => failures.push((Arc::clone(&cost.key), why)),
        }
    }
    record.costs = amounts;
    record.cost_failures = failures;
}

fn served(record: &UsageRecord) -> bool {
    let last = record.attempts.last();
    let status = last.and_then(|attempt| attempt.status);
    last.is_some() && (!record.usage.is_empty() || status.is_some_and(|status| (200..300).contains(&status)))
}
