//! Secrets and ConfigMaps that a plan refers to, fetched one by one until the plan asks for no more.

use std::collections::BTreeSet;
use std::fmt;

use aigw_plan::Key;
use aigw_plan::cluster::{ClusterPlan, World};
use futures_util::StreamExt as _;
use kube::Client;
use kube::api::{Api, DynamicObject};
use serde_json::Value;

use super::LookError;
use super::list::answered;
use crate::discovery::Installed;
use crate::kinds::index_of;

/// Requests at once.
const AT_ONCE: usize = 16;
/// A plan asks for Secrets that refer to nothing further.
const ROUNDS: u32 = 4;

/// An object that the asker may not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Kind.
    pub kind: &'static str,
    /// Name and namespace.
    pub key: Key,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

/// Plans, fetches what the plan wants, and plans again until there is nothing more to fetch.
pub(super) async fn complete(
    client: &Client,
    installed: &Installed,
    world: &mut World,
    plan: impl Fn(&World) -> ClusterPlan,
) -> Result<(ClusterPlan, Vec<Unread>), LookError> {
    let mut asked: BTreeSet<(&'static str, Key)> = BTreeSet::new();
    let mut unread = Vec::new();
    let mut planned = plan(world);
    for _ in 0..ROUNDS {
        let wanted = &planned.wanted;
        let secrets = wanted.secrets.iter().map(|key| ("Secret", key.clone()));
        let maps = wanted.config_maps.iter().map(|key| ("ConfigMap", key.clone()));
        let fresh: Vec<_> = secrets
            .chain(maps)
            .filter(|one| asked.insert(one.clone()))
            .collect();
        if fresh.is_empty() {
            break;
        }
        let requests = fresh.into_iter().map(|(kind, key)| async move {
            let answer = fetch(client, installed, kind, &key).await;
            (kind, key, answer)
        });
        let mut answers = futures_util::stream::iter(requests).buffered(AT_ONCE);
        while let Some((kind, key, answer)) = answers.next().await {
            match answer? {
                Fetched::Is(data) => world.objects.extend(aigw_plan::read_as(kind, &data)),
                Fetched::IsNot => {}
                Fetched::MayNotBeRead => unread.push(Unread { kind, key }),
            }
        }
        planned = plan(world);
    }
    Ok((planned, unread))
}

enum Fetched {
    Is(Value),
    IsNot,
    MayNotBeRead,
}

async fn fetch(
    client: &Client,
    installed: &Installed,
    kind: &'static str,
    key: &Key,
) -> Result<Fetched, LookError> {
    let Some(resource) = index_of("", kind).and_then(|index| installed.get(&index)) else {
        return Ok(Fetched::IsNot);
    };
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &key.namespace, resource);
    match answered(api.get_opt(&key.name)).await {
        Ok(None) => Ok(Fetched::IsNot),
        Ok(Some(object)) => {
            let read = serde_json::to_value(object);
            read.map(Fetched::Is)
                .map_err(|error| LookError::Server(error.to_string()))
        }
        Err(error) if error.forbidden().is_some() => Ok(Fetched::MayNotBeRead),
        Err(error) => Err(LookError::Server(format!("{kind} {key}: {error}"))),
    }
}
