//! Looks at a cluster once, with the rights of whoever asks, and plans it as the operator would.

mod fetch;
mod list;
mod operators;

use std::collections::BTreeSet;

use aigw_plan::cluster::{ClusterPlan, Means, Options, World, plan_cluster};
use kube::Client;
use kube::api::{Api, DynamicObject};
use thiserror::Error;

use crate::discovery::discover;
use crate::kinds::{Content, WATCHED};
use crate::read::read;
use crate::surroundings::{BUNDLE_VERSION, ENVOY_GATEWAY, resource};

pub use fetch::Unread;
pub(crate) use list::{NoAnswer, answered, list};
pub use operators::{Operator, SetUp, operators};

/// Why nothing can be said of a cluster.
#[derive(Debug, Error)]
pub enum LookError {
    /// The API server does not answer: see whether `kubectl version` does with the same kubeconfig and context.
    #[error("the API server cannot be asked: {0}")]
    Server(String),
    /// Ask for the right, or look at namespaces where it is given.
    #[error("you may not list {what}{place}: {why}", place = match .namespace {
        Some(name) => format!(" in the namespace {name}"),
        None => " of the whole cluster".to_owned(),
    })]
    Forbidden {
        /// Plural name of the kind.
        what: String,
        /// Where; `None`: everywhere.
        namespace: Option<String>,
        /// What the API server said.
        why: String,
    },
}

/// What a cluster holds, and what it comes to.
#[derive(Debug)]
pub struct Look {
    /// What the plan was made from. It holds credentials.
    pub world: World,
    /// How it was made.
    pub options: Options,
    /// What it comes to.
    pub plan: ClusterPlan,
    /// Objects that are referred to and that the asker may not read: they count as missing.
    pub unread: Vec<Unread>,
    /// Objects of kinds that are planned from.
    pub objects: usize,
}

/// Reads what an operator with these options would, in `namespaces` (all when there are none), and plans it.
pub async fn look(
    client: &Client,
    namespaces: &[String],
    mut options: Options,
    means: Means<'_>,
) -> Result<Look, LookError> {
    let installed = answered(discover(client))
        .await
        .map_err(|error| LookError::Server(error.to_string()))?;
    options.installed = installed
        .values()
        .map(|one| format!("{}.{}", one.kind, one.group))
        .collect::<BTreeSet<String>>();
    options.envoy_gateway_runs = envoy_gateway_runs(client, namespaces).await;
    options.bundle_version = bundle_version(client).await;
    let mut world = World::default();
    for (index, resource) in &installed {
        let Some(watched) = WATCHED.get(*index).filter(|one| one.content != Content::Named) else {
            continue;
        };
        let within = if watched.namespaced { namespaces } else { &[] };
        let found = list(client, resource, within, None).await?;
        world
            .objects
            .extend(found.into_iter().filter_map(|one| read(watched, one).object));
    }
    let objects = world.objects.len();
    let (plan, unread) = fetch::complete(client, &installed, &mut world, |world| {
        plan_cluster(world, &options, means)
    })
    .await?;
    Ok(Look {
        world,
        options,
        plan,
        unread,
        objects,
    })
}

/// As the operator finds it out; who may not look is told that there is none.
async fn envoy_gateway_runs(client: &Client, namespaces: &[String]) -> bool {
    let deployments = resource("apps", "Deployment", "deployments");
    let found = list(client, &deployments, namespaces, Some(ENVOY_GATEWAY)).await;
    found.is_ok_and(|all| !all.is_empty())
}

async fn bundle_version(client: &Client) -> Option<String> {
    let definitions = resource(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    );
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &definitions);
    let found = answered(api.get_opt("gateways.gateway.networking.k8s.io"))
        .await
        .ok()??;
    found.metadata.annotations?.remove(BUNDLE_VERSION)
}
