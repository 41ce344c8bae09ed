//! The plan as a whole.

use std::collections::{BTreeMap, HashMap};

use aigw_config::{Credentials, Origin};

use super::condition::Verdicts;
use super::document::{self, Parts};
use super::programmed::Reports;
use super::route::Attachments;
use super::status::Statuses;
use super::types::{ClusterPlan, GatewayPlan, Means, Options, World};
use super::{class, gateway, policy as helpers};
use crate::backend::{InCluster, Planner, Wanted};
use crate::certificate::Certificates;
use crate::finding::Findings;
use crate::index::{Index, Key};
use crate::object::{Kind, Object};
use crate::route::Core;
use crate::{cost, endpoint, policy};

/// Plans a cluster. Never fails: what cannot be served is left out, and the status of its object says why.
pub fn plan_cluster(world: &World, options: &Options, means: Means<'_>) -> ClusterPlan {
    let capabilities = means.capabilities;
    let mut findings = Findings::default();
    let mut wanted = Wanted::default();
    let index = Index::new(placed(&world.objects), &mut findings);
    let classes = class::ours(&index, options);
    let certificates = Certificates {
        index: &index,
        in_service: &world.in_service,
        check: means.check_certificate,
    };
    let gateways = gateway::all(
        &index,
        &classes,
        options,
        certificates,
        &mut wanted.secrets,
        &mut findings,
    );
    endpoint::check_policies(&index, &mut findings);
    helpers::note_fields(&index, &mut findings);
    let mut closed = policy::closed(&index, options.serve_despite_policies, &mut findings);
    helpers::close_unlimited(&index, &mut closed, options.serve_despite_policies, &mut findings);
    let costs = cost::of_gateways(&index, &mut findings);
    let mut credentials = Credentials::default();
    let mut specs = Vec::new();
    let mut planner = Planner {
        index: &index,
        capabilities,
        findings: &mut findings,
        credentials: &mut credentials,
        specs: &mut specs,
        wanted: &mut wanted,
        cluster: Some(InCluster {
            in_service: &world.in_service,
        }),
        policies: BTreeMap::new(),
    };
    for one in index.security.values() {
        // Policies that nothing uses are looked at too, so that they say what is wrong with them.
        let _ = planner.by_policy(one);
    }
    let backends = planner.backends();
    let mut cores: BTreeMap<&Key, Core> = BTreeMap::new();
    for route in index.routes.values() {
        if planner.is_valid(route)
            && let Some(core) = planner.core(route, &backends)
        {
            cores.insert(&route.key, core);
        }
    }
    let attachments = Attachments::of(&index, &gateways, |key| cores.contains_key(key));
    let parts = Parts {
        index: &index,
        options,
        capabilities,
        hashes: document::hashes(&index, &gateways, &backends),
        origins: origins(&index),
        cores,
        backends,
        costs,
        closed,
        credentials,
        specs,
    };
    let mut plans: BTreeMap<Key, GatewayPlan> = BTreeMap::new();
    for (key, ours) in &gateways {
        if let Some(routes) = attachments.places.get(key) {
            plans.insert((*key).clone(), parts.gateway(ours, routes, &mut findings));
        }
    }
    let verdicts = Verdicts::of(findings);
    let statuses = Statuses {
        index: &index,
        options,
        classes: &classes,
        gateways: &gateways,
        attachments: &attachments,
        plans: &plans,
        verdicts: &verdicts,
        reports: &Reports::of(&world.reports),
    };
    ClusterPlan {
        statuses: statuses.all(),
        gateways: plans,
        wanted,
        verdicts,
    }
}

/// Objects that are not on their way out, each under an origin of its own: what `compile` finds is told by origins.
fn placed(objects: &[Object]) -> impl Iterator<Item = (&Object, Origin)> {
    let stay = objects.iter().filter(|object| {
        let going = object.kind.metadata().deletion_timestamp.is_some();
        let closes = matches!(
            object.kind,
            Kind::SecurityPolicy(_) | Kind::BackendTrafficPolicy(_)
        );
        !going || closes
    });
    stay.map(|object| {
        let metadata = object.kind.metadata();
        let name = format!(
            "{} {}/{}",
            object.kind.name(),
            metadata.namespace(),
            metadata.name
        );
        (object, Origin::new(name, 0))
    })
}

/// Objects that can be told by the origins in documents.
fn origins<'a>(index: &'a Index<'a>) -> HashMap<&'a Origin, (&'static str, &'a Key)> {
    let mut out = HashMap::new();
    macro_rules! add {
        ($($table:ident),*) => {
            $(for one in index.$table.values() {
                out.insert(&one.origin, (one.kind, &one.key));
            })*
        };
    }
    add!(
        routes,
        service_backends,
        security,
        gateways,
        clients,
        gateway_configs
    );
    out
}
