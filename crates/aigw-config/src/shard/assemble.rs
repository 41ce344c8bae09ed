//! From shards back to one gateway's configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::credential;
use super::document::{Objects, Order, put_together};
use super::error::ShardError;
use super::index::{Index, ShardKind};
use super::payload::Payload;
use crate::document::Document;
use crate::secret::Credentials;

/// What a snapshot holds.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The document, without the places where its objects were written.
    pub document: Arc<Document>,
    /// The bytes of its credentials.
    pub credentials: Credentials,
    /// Hashes of the objects that it was made from, under the operator's names.
    pub hashes: BTreeMap<String, String>,
}

/// Joins the shards that `index` names; `shards` are looked up by their slot. Everything is checked: format, size, SHA-256,
/// that nothing is missing and nothing is left over.
pub fn assemble(index: &Index, shards: &HashMap<u8, Payload>) -> Result<Contents, ShardError> {
    assemble_with(index, shards, None)
}

/// The same for a reader that may have the document already.
///
/// `known` is that of an index with the same [`Index::document_hashes`]. Its shards are
/// not looked at then.
pub fn assemble_with(
    index: &Index,
    shards: &HashMap<u8, Payload>,
    known: Option<Arc<Document>>,
) -> Result<Contents, ShardError> {
    index.check()?;
    let mut order = None;
    let mut objects = Objects::new();
    let mut credentials = Credentials::default();
    let mut hashes = BTreeMap::new();
    for shard in index
        .known()
        .filter(|shard| known.is_none() || !shard.kind.is_of_document())
    {
        let what = shard.what();
        let bad = |problem: &str| ShardError::damaged(what.as_str(), problem);
        let stored = shards.get(&shard.slot).ok_or_else(|| bad("it is missing"))?;
        let plain = shard.open(stored)?;
        // From here on only a defect of the writer can fail; messages of parsers may show what they read.
        let unreadable = |_| bad("it cannot be read");
        match shard.kind {
            ShardKind::Order => order = Some(serde_json::from_slice::<Order>(&plain).map_err(unreadable)?),
            ShardKind::Document | ShardKind::Endpoints => {
                let list: Vec<(String, String, Box<RawValue>)> =
                    serde_json::from_slice(&plain).map_err(unreadable)?;
                objects.extend(
                    list.into_iter()
                        .map(|(section, name, value)| ((section, name), value)),
                );
            }
            ShardKind::Credentials => {
                credential::read(&plain, &mut credentials).ok_or_else(|| bad("it cannot be read"))?;
            }
            ShardKind::Hashes => {
                hashes
                    .extend(serde_json::from_slice::<BTreeMap<String, String>>(&plain).map_err(unreadable)?);
            }
            ShardKind::Unknown => {}
        }
    }
    let document = match known {
        Some(known) => known,
        None => {
            let order = order.ok_or_else(|| ShardError::damaged("the index", "it names no order"))?;
            let document = put_together(&order, objects);
            Arc::new(document.map_err(|problem| ShardError::damaged("the snapshot", problem))?)
        }
    };
    Ok(Contents {
        document,
        credentials,
        hashes,
    })
}
