//! A reader of snapshots, as a pod that has just started is one: everything is read anew.

use std::collections::HashMap;

use aigw_config::shard::{Contents, INDEX_KEY, Index, Payload, Place, SHARD_KEY, assemble, base};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

/// The snapshot of a Gateway as it is in the store: its index and what it holds. `None` when there is none yet. Panics when a
/// piece is missing or is not what the index says.
pub async fn read_snapshot(secrets: &Api<Secret>, gateway: &str) -> Option<(Index, Contents)> {
    try_read_snapshot(secrets, gateway).await.unwrap()
}

/// The same; an error says what is wrong with it.
pub async fn try_read_snapshot(
    secrets: &Api<Secret>,
    gateway: &str,
) -> Result<Option<(Index, Contents)>, String> {
    let base = base(gateway);
    let get = async |place: Place, key: &str| {
        let secret = secrets.get_opt(&place.name(&base)).await;
        let secret = secret.map_err(|error| error.to_string())?;
        let data = secret.and_then(|secret| secret.data?.remove(key));
        Ok::<_, String>(data.map(|bytes| Payload::new(bytes.0)))
    };
    let Some(index) = get(Place::Index, INDEX_KEY).await? else {
        return Ok(None);
    };
    let index = Index::parse(index.reveal()).map_err(|error| error.to_string())?;
    let mut shards = HashMap::new();
    for shard in &index.shards {
        if let Some(payload) = get(Place::Slot(shard.slot), SHARD_KEY).await? {
            shards.insert(shard.slot, payload);
        }
    }
    let contents = assemble(&index, &shards).map_err(|error| error.to_string())?;
    Ok(Some((index, contents)))
}
