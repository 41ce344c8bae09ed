//! A reader of snapshots, as a pod that has just started is one: everything is read anew.

use std::collections::HashMap;

use aigw_config::shard::{Contents, INDEX_KEY, Index, Payload, Place, SHARD_KEY, assemble, base};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

/// The snapshot of a Gateway as it is in the store: its index and what it holds. `None` when there is none yet.
pub async fn read_snapshot(secrets: &Api<Secret>, gateway: &str) -> Option<(Index, Contents)> {
    let base = base(gateway);
    let get = async |place: Place, key: &str| {
        let secret = secrets.get_opt(&place.name(&base)).await.unwrap()?;
        Some(Payload::new(secret.data.unwrap()[key].0.clone()))
    };
    let index = get(Place::Index, INDEX_KEY).await?;
    let index = Index::parse(index.reveal()).unwrap();
    let mut shards = HashMap::new();
    for shard in &index.shards {
        if let Some(payload) = get(Place::Slot(shard.slot), SHARD_KEY).await {
            shards.insert(shard.slot, payload);
        }
    }
    let contents = assemble(&index, &shards).unwrap();
    Some((index, contents))
}
