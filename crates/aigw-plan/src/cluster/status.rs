//! Statuses of all objects, from what was found about them and from what pods report.

use std::collections::{BTreeMap, BTreeSet};

use aigw_api::condition::{self, reason};
use aigw_api::{ENVOY_GATEWAY_GROUP, GATEWAY_GROUP, GROUP, GatewayClass, Metadata};
use serde_json::{Value, json};

use super::condition::Verdicts;
use super::gateway::{self, Ours};
use super::programmed::Reports;
use super::route::Attachments;
use super::types::{GatewayPlan, Options, Status, object_key};
use super::{class, condition::json as conditions_json, policy};
use crate::condition::Condition;
use crate::finding::Cause;
use crate::index::{Index, Key, Placed};
use crate::target::both;

/// What statuses are made from.
pub(super) struct Statuses<'a> {
    pub(super) index: &'a Index<'a>,
    pub(super) options: &'a Options,
    pub(super) classes: &'a BTreeMap<&'a str, &'a Placed<'a, GatewayClass>>,
    pub(super) gateways: &'a BTreeMap<&'a Key, Ours<'a>>,
    pub(super) attachments: &'a Attachments<'a>,
    pub(super) plans: &'a BTreeMap<Key, GatewayPlan>,
    pub(super) verdicts: &'a Verdicts,
    pub(super) reports: &'a Reports<'a>,
}

impl Statuses<'_> {
    /// All statuses, sorted.
    pub(super) fn all(&self) -> Vec<Status> {
        let mut out = Vec::new();
        for class in self.classes.values() {
            let value = class::status(class, self.index, self.options);
            out.push(of(class, GATEWAY_GROUP, &class.object.metadata, value));
        }
        for (key, ours) in self.gateways {
            out.extend(self.gateway(key, ours));
        }
        for route in self.index.routes.values() {
            let value = self
                .attachments
                .status(route, self.verdicts, self.reports, self.plans, self.options);
            out.push(of(route, GROUP, &route.object.metadata, value));
        }
        let users = self.users();
        for backend in self.index.service_backends.values() {
            let value = self.served(backend, &backend.object.metadata, &users);
            out.push(of(backend, GROUP, &backend.object.metadata, value));
        }
        for policy in self.index.security.values() {
            let value = self.served(policy, &policy.object.metadata, &users);
            out.push(of(policy, GROUP, &policy.object.metadata, value));
        }
        for config in self.index.gateway_configs.values() {
            let value = self.accepted(config, &config.object.metadata);
            out.push(of(config, GROUP, &config.object.metadata, value));
        }
        for one in self.index.quotas.values().chain(self.index.mcp_routes.values()) {
            let message = "the kind is not supported yet; the object has no effect";
            let accepted = Condition::is_not(condition::ACCEPTED, reason::NOT_SUPPORTED_YET, message);
            let generation = one.object.metadata.generation.unwrap_or_default();
            let value = json!({"conditions": conditions_json(&[accepted], generation)});
            out.push(of(one, GROUP, &one.object.metadata, value));
        }
        self.helpers(&mut out);
        for one in &self.index.unreadable {
            let group = match one.kind {
                "AIGatewayRoute" | "AIServiceBackend" | "BackendSecurityPolicy" | "GatewayConfig" => GROUP,
                _ => continue,
            };
            let value = self.accepted(one, &one.object.metadata);
            out.push(of(one, group, &one.object.metadata, value));
        }
        out.sort_by(|a, b| (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name)));
        out
    }

    /// Of Envoy Gateway's kinds, and of BackendTLSPolicies.
    fn helpers(&self, out: &mut Vec<Status>) {
        let gateways_of = self.attachments.gateways();
        let is_ours = |key: &Key| self.gateways.contains_key(key);
        macro_rules! targeting {
            ($($table:ident),*) => {
                $(for policy in self.index.$table.values() {
                    let spec = &policy.object.spec;
                    let targets = both(&spec.target_ref, &spec.target_refs);
                    let reached = policy::reached(targets, &policy.key.namespace, &gateways_of, is_ours);
                    self.policy(policy, &policy.object.metadata, &reached, out);
                })*
            };
        }
        targeting!(traffic, clients, access);
        let reached = self.reached_by_tls(&gateways_of);
        for policy in self.index.tls.values() {
            let gateways = reached.get(&policy.key).cloned().unwrap_or_default();
            self.policy(policy, &policy.object.metadata, &gateways, out);
        }
        // While an Envoy Gateway runs, these are its own.
        if !self.options.envoy_gateway_runs {
            for backend in self.index.backends.values() {
                let metadata = &backend.object.metadata;
                let generation = metadata.generation.unwrap_or_default();
                let value = policy::of_backend(backend, generation, self.verdicts);
                out.push(of(backend, ENVOY_GATEWAY_GROUP, metadata, value));
            }
        }
    }

    /// Gateways by the BackendTLSPolicies of Backends that their routes lead to.
    fn reached_by_tls(&self, gateways_of: &BTreeMap<&Key, BTreeSet<&Key>>) -> BTreeMap<&Key, BTreeSet<Key>> {
        let mut out: BTreeMap<&Key, BTreeSet<Key>> = BTreeMap::new();
        for (route, gateways) in gateways_of {
            let rules = self.index.routes.get(route).map(|one| &one.object.spec.rules);
            for one in rules.into_iter().flatten().flat_map(|rule| &rule.backend_refs) {
                let key = route.beside(one.namespace.as_deref(), &one.name);
                let backend = self.index.service_backends.get(&key);
                let Some(place) = backend.and_then(|backend| backend.object.spec.backend_ref.as_ref()) else {
                    continue;
                };
                let place = key.beside(place.namespace.as_deref(), &place.name);
                for policy in self.index.targets.tls.get(&place).into_iter().flatten() {
                    let reached = out.entry(policy).or_default();
                    reached.extend(gateways.iter().map(|gateway| (*gateway).clone()));
                }
            }
        }
        out
    }

    fn policy<T>(
        &self,
        placed: &Placed<'_, T>,
        metadata: &Metadata,
        gateways: &BTreeSet<Key>,
        out: &mut Vec<Status>,
    ) {
        let generation = metadata.generation.unwrap_or_default();
        let value = policy::status(placed, generation, gateways, self.verdicts, self.options);
        let group = match placed.kind {
            "BackendTLSPolicy" => GATEWAY_GROUP,
            _ => ENVOY_GATEWAY_GROUP,
        };
        out.extend(value.map(|value| of(placed, group, metadata, value)));
    }

    fn gateway(&self, key: &Key, ours: &Ours<'_>) -> Option<Status> {
        let plan = self.plans.get(key)?;
        let placed = ours.placed;
        let object = object_key(placed.kind, key);
        let programmed = self.reports.programmed(key, plan, &object);
        let mut more = Vec::new();
        if self
            .verdicts
            .has(placed.kind, key, Cause::refs(reason::CONFIG_NOT_FOUND))
        {
            more.push(
                self.verdicts
                    .condition(placed.kind, key, condition::RESOLVED_REFS),
            );
        }
        more.extend(self.verdicts.warning(placed.kind, key));
        let counts = self.attachments.counts(key);
        let value = gateway::status(ours, &counts, &programmed, more);
        Some(of(placed, GATEWAY_GROUP, &placed.object.metadata, value))
    }

    /// Gateways by the objects that they serve.
    fn users(&self) -> BTreeMap<&str, Vec<Key>> {
        let mut out: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
        for (key, plan) in self.plans {
            for object in plan.hashes.keys() {
                out.entry(object).or_default().push(key.clone());
            }
        }
        out
    }

    /// Of a backend or a policy of ours.
    fn served<T>(
        &self,
        placed: &Placed<'_, T>,
        metadata: &Metadata,
        users: &BTreeMap<&str, Vec<Key>>,
    ) -> Value {
        let one = |of| self.verdicts.condition(placed.kind, &placed.key, of);
        let mut conditions = vec![
            one(condition::ACCEPTED),
            one(condition::RESOLVED_REFS),
            one(condition::CREDENTIALS_READY),
        ];
        let object = object_key(placed.kind, &placed.key);
        let users = users.get(object.as_str());
        let programmed = match conditions.iter().all(Condition::holds) || users.is_some() {
            true => self.reports.everywhere(self.plans, users, &object),
            false => Condition::is_not(
                condition::PROGRAMMED,
                reason::LEFT_OUT,
                "is left out; its other conditions say why",
            ),
        };
        conditions.push(programmed);
        conditions.extend(self.verdicts.warning(placed.kind, &placed.key));
        json!({"conditions": conditions_json(&conditions, metadata.generation.unwrap_or_default())})
    }

    fn accepted<T>(&self, placed: &Placed<'_, T>, metadata: &Metadata) -> Value {
        let accepted = self
            .verdicts
            .condition(placed.kind, &placed.key, condition::ACCEPTED);
        let mut conditions = vec![accepted];
        conditions.extend(self.verdicts.warning(placed.kind, &placed.key));
        json!({"conditions": conditions_json(&conditions, metadata.generation.unwrap_or_default())})
    }
}

fn of<T>(placed: &Placed<'_, T>, group: &str, metadata: &Metadata, value: Value) -> Status {
    let version = match group {
        GROUP => "v1beta1",
        ENVOY_GATEWAY_GROUP => "v1alpha1",
        _ => "v1",
    };
    Status {
        api_version: format!("{group}/{version}"),
        kind: placed.kind.to_owned(),
        namespace: placed.key.namespace.clone(),
        name: placed.key.name.clone(),
        uid: metadata.uid.clone().unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        value,
    }
}
