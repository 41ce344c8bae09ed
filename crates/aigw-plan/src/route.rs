//! AIGatewayRoutes as routes of the document, in the order in which they are tried.

use std::collections::BTreeMap;

use aigw_api::AIGatewayRoute;
use aigw_config::{BackendSpec, CostSpec, RouteSpec, RuleSpec};

use crate::backend::Planner;
use crate::cost;
use crate::gateway::Doors;
use crate::index::{Key, Placed, label};
use crate::policy;
use crate::rule::Frame;
use crate::time::unix_seconds;
use crate::validate;

impl Planner<'_> {
    /// All routes that are attached somewhere and can be read. Routes that take everything come last, older ones first,
    /// then by name.
    pub(crate) fn routes(
        &mut self,
        backends: &BTreeMap<Key, BackendSpec>,
        doors: &Doors,
        costs: &BTreeMap<Key, Vec<CostSpec>>,
        closed: &BTreeMap<Key, String>,
    ) -> Vec<RouteSpec> {
        let mut out: Vec<(bool, u64, RouteSpec)> = Vec::new();
        for placed in self.index.routes.values() {
            let Some(mut route) = self.route(placed, backends, doors) else {
                continue;
            };
            cost::inherit(placed, costs, &mut route.costs);
            route.refuse = closed.get(&placed.key).cloned();
            let age = created(placed).unwrap_or(u64::MAX);
            let catch_all = route.rules.iter().any(|rule| rule.matches.is_empty());
            out.push((catch_all, age, route));
        }
        out.sort_by_key(|(catch_all, age, _)| (*catch_all, *age));
        out.into_iter().map(|(_, _, route)| route).collect()
    }

    fn route(
        &mut self,
        placed: &Placed<AIGatewayRoute>,
        backends: &BTreeMap<Key, BackendSpec>,
        doors: &Doors,
    ) -> Option<RouteSpec> {
        let spec = &placed.object.spec;
        let object = label("AIGatewayRoute", &placed.key);
        let wrong = validate::route(spec);
        for (field, message) in &wrong {
            let message = format!("{message}; the route is left out");
            self.findings
                .error(&placed.origin, object.as_str(), field.as_str(), message);
        }
        if !wrong.is_empty() {
            return None;
        }
        let attachment = doors.attach(placed, self.index, self.findings)?;
        let frame = Frame {
            key: &placed.key,
            origin: &placed.origin,
            created: created(placed),
            backends,
        };
        let mut rules = Vec::new();
        for (at, rule) in spec.rules.iter().enumerate() {
            match self.rule(rule, at, &frame) {
                Ok(rule) => rules.push(rule),
                Err((field, message)) => {
                    let message = format!("{message}; the route is left out");
                    self.findings.error(&placed.origin, object, field, message);
                    return None;
                }
            }
        }
        policy::traffic(self.index, placed, &mut rules, self.findings);
        Some(RouteSpec {
            name: placed.key.to_string(),
            listeners: attachment.listeners,
            hostnames: attachment.hostnames,
            strict: false,
            costs: cost::of_route(placed, self.findings),
            rules: by_precedence(rules),
            refuse: None,
            origin: placed.origin.clone(),
        })
    }
}

fn created(placed: &Placed<AIGatewayRoute>) -> Option<u64> {
    let text = placed.object.metadata.creation_timestamp.as_deref();
    text.and_then(unix_seconds)
}

/// Gateway API tries matches with more headers first, then in the order they are written; here rules are tried in order. A
/// rule whose alternatives differ in number of headers is taken apart.
fn by_precedence(rules: Vec<RuleSpec>) -> Vec<RuleSpec> {
    let mut out: Vec<(usize, RuleSpec)> = Vec::new();
    for rule in rules {
        let mut tiers: BTreeMap<usize, Vec<aigw_config::MatchSpec>> = BTreeMap::new();
        for one in &rule.matches {
            tiers.entry(one.headers.len()).or_default().push(one.clone());
        }
        if tiers.len() < 2 {
            let tier = tiers.into_keys().next().unwrap_or(0);
            out.push((tier, rule));
            continue;
        }
        let name = rule.name.clone().unwrap_or_default();
        for (tier, matches) in tiers {
            out.push((
                tier,
                RuleSpec {
                    name: Some(format!("{name}/{tier}")),
                    // A match without headers takes everything.
                    matches: if tier == 0 { Vec::new() } else { matches },
                    ..rule.clone()
                },
            ));
        }
    }
    out.sort_by_key(|(tier, _)| std::cmp::Reverse(*tier));
    out.into_iter().map(|(_, rule)| rule).collect()
}
