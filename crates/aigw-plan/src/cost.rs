//! Costs of AIGatewayRoutes, and those that GatewayConfigs give to all routes of a Gateway.

use std::collections::BTreeMap;

use aigw_api::condition::reason;
use aigw_api::{AIGatewayRoute, GATEWAY_CONFIG_ANNOTATION, GatewayConfig};
use aigw_config::{CostSpec, check_cost};

use crate::finding::{Cause, Findings};
use crate::index::{Index, Key, Placed};

/// The route's own costs; of several under one key the last one counts, as in the API.
pub(crate) fn of_route(placed: &Placed<'_, AIGatewayRoute>, findings: &mut Findings) -> Vec<CostSpec> {
    let mut out: Vec<CostSpec> = Vec::new();
    for (index, one) in placed.object.spec.llm_request_costs.iter().enumerate() {
        let one = CostSpec {
            origin: placed.origin.clone(),
            ..one.clone()
        };
        match out
            .iter_mut()
            .find(|earlier| earlier.metadata_key == one.metadata_key)
        {
            None => out.push(one),
            Some(earlier) => {
                let message = format!(
                    "`{}` is the key of an earlier cost too, which this one replaces",
                    one.metadata_key
                );
                let field = format!("spec.llmRequestCosts[{index}].metadataKey");
                findings.warn(placed.subject(), Cause::NO_EFFECT, field, message);
                *earlier = one;
            }
        }
    }
    out
}

/// The costs that each Gateway gives to its routes. Bad ones are noted and left out.
pub(crate) fn of_gateways(index: &Index<'_>, findings: &mut Findings) -> BTreeMap<Key, Vec<CostSpec>> {
    let configs: BTreeMap<&Key, Vec<CostSpec>> = index
        .gateway_configs
        .values()
        .map(|placed| (&placed.key, of_config(placed, findings)))
        .collect();
    let mut out = BTreeMap::new();
    for gateway in index.gateways.values() {
        let annotations = &gateway.object.metadata.annotations;
        let Some(name) = annotations.get(GATEWAY_CONFIG_ANNOTATION) else {
            continue;
        };
        let key = gateway.key.beside(None, name);
        match configs.get(&key) {
            Some(costs) => {
                out.insert(gateway.key.clone(), costs.clone());
            }
            None => {
                let field = format!("metadata.annotations.{GATEWAY_CONFIG_ANNOTATION}");
                let message = format!("no GatewayConfig is named \"{key}\"");
                let cause = Cause::refs(reason::CONFIG_NOT_FOUND);
                findings.warn(gateway.subject(), cause, field, message);
            }
        }
    }
    out
}

fn of_config(placed: &Placed<'_, GatewayConfig>, findings: &mut Findings) -> Vec<CostSpec> {
    let spec = &placed.object.spec;
    if spec.forward_proxy.is_some() {
        let message = "is not supported yet and has no effect; HTTPS_PROXY in the environment is obeyed";
        findings.warn(placed.subject(), Cause::NO_EFFECT, "spec.forwardProxy", message);
    }
    let mut out: Vec<CostSpec> = Vec::new();
    for (index, one) in spec.global_llm_request_costs.iter().enumerate() {
        let twice = out.iter().any(|earlier| earlier.metadata_key == one.metadata_key);
        let checked = if twice {
            Err((
                "metadataKey",
                format!("`{}` is the key of two costs", one.metadata_key),
            ))
        } else {
            check_cost(one)
        };
        match checked {
            Ok(()) => out.push(CostSpec {
                origin: placed.origin.clone(),
                ..one.clone()
            }),
            Err((name, message)) => {
                let field = format!("spec.globalLLMRequestCosts[{index}].{name}");
                let message = format!("{message}; the cost is left out");
                findings.error(placed.subject(), Cause::INVALID, field, message);
            }
        }
    }
    out
}

/// Adds what Gateways give to a route, under keys that it has no cost of its own for.
pub(crate) fn inherit<'k>(
    gateways: impl IntoIterator<Item = &'k Key>,
    of_gateways: &BTreeMap<Key, Vec<CostSpec>>,
    own: &mut Vec<CostSpec>,
) {
    let of_gateways = gateways
        .into_iter()
        .filter_map(|gateway| of_gateways.get(gateway));
    for cost in of_gateways.flatten() {
        if own
            .iter()
            .all(|earlier| earlier.metadata_key != cost.metadata_key)
        {
            own.push(cost.clone());
        }
    }
}
