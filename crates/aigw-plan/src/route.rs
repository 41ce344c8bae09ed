//! AIGatewayRoutes as routes of the document, in the order in which they are tried.

use std::collections::BTreeMap;

use aigw_api::AIGatewayRoute;
use aigw_config::{CostSpec, RouteSpec, RuleSpec};

use crate::backend::{Made, Planner};
use crate::cost;
use crate::finding::Cause;
use crate::gateway::Doors;
use crate::index::{Key, Placed};
use crate::policy::Closed;
use crate::rule::Frame;
use crate::time::unix_seconds;
use crate::traffic;
use crate::validate;

/// What a route is, wherever it is attached.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    /// In the order in which they are written.
    pub(crate) rules: Vec<RuleSpec>,
    pub(crate) costs: Vec<CostSpec>,
    /// Sorts routes into the order in which they are tried.
    pub(crate) rank: Rank,
}

/// Routes that take everything come last, older ones first, then by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    catch_all: bool,
    age: u64,
}

impl Planner<'_> {
    /// All routes that are attached somewhere and can be read, in the order in which they are tried.
    pub(crate) fn routes(
        &mut self,
        backends: &BTreeMap<Key, Made>,
        doors: &Doors,
        costs: &BTreeMap<Key, Vec<CostSpec>>,
        closed: &Closed,
    ) -> Vec<RouteSpec> {
        let mut out: Vec<(Rank, RouteSpec)> = Vec::new();
        for placed in self.index.routes.values() {
            if !self.is_valid(placed) {
                continue;
            }
            let Some(attachment) = doors.attach(placed, self.index, self.findings) else {
                continue;
            };
            let Some(mut core) = self.core(placed, backends) else {
                continue;
            };
            let gateways = gateways(placed);
            traffic::apply(self.index, placed, &gateways, &mut core.rules, self.findings);
            cost::inherit(&gateways, costs, &mut core.costs);
            let route = RouteSpec {
                name: placed.key.to_string(),
                listeners: attachment.listeners,
                hostnames: attachment.hostnames,
                strict: false,
                costs: core.costs,
                rules: by_precedence(core.rules),
                refuse: closed.of(&placed.key, &gateways),
                origin: placed.origin.clone(),
            };
            out.push((core.rank, route));
        }
        out.sort_by_key(|(rank, _)| *rank);
        out.into_iter().map(|(_, route)| route).collect()
    }

    /// Whether the route keeps the rules of its schema; what it breaks is noted.
    pub(crate) fn is_valid(&mut self, placed: &Placed<'_, AIGatewayRoute>) -> bool {
        let wrong = validate::route(&placed.object.spec);
        for (field, message) in &wrong {
            let message = format!("{message}; the route is left out");
            self.findings
                .error(placed.subject(), Cause::INVALID, field.as_str(), message);
        }
        wrong.is_empty()
    }

    /// Rules and costs; `None`, after a finding, when one cannot be read.
    pub(crate) fn core(
        &mut self,
        placed: &Placed<'_, AIGatewayRoute>,
        backends: &BTreeMap<Key, Made>,
    ) -> Option<Core> {
        let frame = Frame {
            route: placed,
            created: created(placed),
            backends,
        };
        let mut rules = Vec::new();
        for (at, rule) in placed.object.spec.rules.iter().enumerate() {
            match self.rule(rule, at, &frame) {
                Ok(rule) => rules.push(rule),
                Err((field, message)) => {
                    let message = format!("{message}; the route is left out");
                    self.findings
                        .error(placed.subject(), Cause::INVALID, field, message);
                    return None;
                }
            }
        }
        let rank = Rank {
            catch_all: rules.iter().any(|rule| rule.matches.is_empty()),
            age: created(placed).unwrap_or(u64::MAX),
        };
        Some(Core {
            rules,
            costs: cost::of_route(placed, self.findings),
            rank,
        })
    }
}

/// The Gateways that a route names, each once.
fn gateways(placed: &Placed<'_, AIGatewayRoute>) -> Vec<Key> {
    let mut out = Vec::new();
    for parent in &placed.object.spec.parent_refs {
        let key = placed.key.beside(parent.namespace.as_deref(), &parent.name);
        if !out.contains(&key) {
            out.push(key);
        }
    }
    out
}

fn created(placed: &Placed<'_, AIGatewayRoute>) -> Option<u64> {
    let text = placed.object.metadata.creation_timestamp.as_deref();
    text.and_then(unix_seconds)
}

/// Gateway API tries matches with more headers first, then in the order they are written; here rules are tried in order. A
/// rule whose alternatives differ in number of headers is taken apart.
pub(crate) fn by_precedence(rules: Vec<RuleSpec>) -> Vec<RuleSpec> {
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
