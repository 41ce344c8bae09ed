//! Costs of AIGatewayRoutes, and those that GatewayConfigs give to all routes of a Gateway.

use std::collections::BTreeMap;

use aigw_api::{AIGatewayRoute, GATEWAY_CONFIG_ANNOTATION, GatewayConfig};
use aigw_config::{CostSpec, Diagnostics, check_cost};

use crate::index::{Index, Key, Placed, label};

/// The route's own costs; of several under one key the last one counts, as in the API.
pub(crate) fn of_route(placed: &Placed<AIGatewayRoute>, findings: &mut Diagnostics) -> Vec<CostSpec> {
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
                findings.warn(
                    &placed.origin,
                    label("AIGatewayRoute", &placed.key),
                    field,
                    message,
                );
                *earlier = one;
            }
        }
    }
    out
}

/// The costs that each Gateway gives to its routes. Bad ones are noted and left out.
pub(crate) fn of_gateways(index: &Index, findings: &mut Diagnostics) -> BTreeMap<Key, Vec<CostSpec>> {
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
                findings.warn(&gateway.origin, label("Gateway", &gateway.key), field, message);
            }
        }
    }
    out
}

fn of_config(placed: &Placed<GatewayConfig>, findings: &mut Diagnostics) -> Vec<CostSpec> {
    let object = label("GatewayConfig", &placed.key);
    let spec = &placed.object.spec;
    if spec.forward_proxy.is_some() {
        let message = "is not supported yet and has no effect; HTTPS_PROXY in the environment is obeyed";
        findings.warn(&placed.origin, object.as_str(), "spec.forwardProxy", message);
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
                findings.error(
                    &placed.origin,
                    object.as_str(),
                    field,
                    format!("{message}; the cost is left out"),
                );
            }
        }
    }
    out
}

/// Adds what the route's Gateways give to it, under keys that it has no cost of its own for.
pub(crate) fn inherit(
    placed: &Placed<AIGatewayRoute>,
    of_gateways: &BTreeMap<Key, Vec<CostSpec>>,
    own: &mut Vec<CostSpec>,
) {
    let parents = placed.object.spec.parent_refs.iter();
    let gateways = parents.map(|parent| placed.key.beside(parent.namespace.as_deref(), &parent.name));
    for cost in gateways.filter_map(|gateway| of_gateways.get(&gateway)).flatten() {
        if own
            .iter()
            .all(|earlier| earlier.metadata_key != cost.metadata_key)
        {
            own.push(cost.clone());
        }
    }
}
