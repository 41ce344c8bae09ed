//! Which pieces are written where, and in which order.

use std::collections::BTreeSet;

use super::cut::{Cut, Shard};
use super::error::ShardError;
use super::index::{Index, ShardRef};
use super::name::{Place, SLOTS};
use super::payload::Payload;

/// One object to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub place: Place,
    /// What.
    pub bytes: Payload,
}

impl Cut {
    /// What brings a store whose index is `previous` to this snapshot: the shards that are not there, in slots that `previous`
    /// does not use, then the index. Nothing when the store has it. Write one after the other and stop at the first
    /// failure: whatever was written by then, the index that is in the store has all of its shards.
    ///
    /// `lost` are slots that `previous` names and that do not hold what they should: their shards are written again, elsewhere.
    pub fn writes(&self, previous: Option<&Index>, lost: &BTreeSet<u8>) -> Result<Vec<Write>, ShardError> {
        let there = |shard: &Shard| {
            let same = |old: &&ShardRef| {
                !lost.contains(&old.slot)
                    && (old.kind, &old.sha256, old.size) == (shard.kind, &shard.sha256, shard.size)
            };
            previous?.shards.iter().find(same).map(|old| old.slot)
        };
        let mut taken: BTreeSet<u8> = previous
            .iter()
            .flat_map(|index| &index.shards)
            .map(|old| old.slot)
            .collect();
        let mut writes = Vec::new();
        let mut used = BTreeSet::new();
        let mut shards = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            // Equal shards in two buckets would ask for one slot twice.
            let slot = match there(shard).filter(|slot| !used.contains(slot)) {
                Some(slot) => slot,
                None => {
                    let slot = free(&taken, &shard.sha256)?;
                    taken.insert(slot);
                    writes.push(Write {
                        place: Place::Slot(slot),
                        bytes: shard.stored.clone(),
                    });
                    slot
                }
            };
            used.insert(slot);
            shards.push(ShardRef {
                kind: shard.kind,
                bucket: shard.bucket,
                slot,
                sha256: shard.sha256.clone(),
                size: shard.size,
            });
        }
        let index = Index {
            format: self.format,
            min_reader: self.min_reader,
            version: self.version.clone(),
            gateway_uid: self.gateway_uid.clone(),
            shards,
        };
        if previous == Some(&index) {
            return Ok(Vec::new());
        }
        writes.push(Write {
            place: Place::Index,
            bytes: index.write()?,
        });
        Ok(writes)
    }
}

/// A free slot. The search begins at a place that the content decides, so that a slot that has just been let go is not the
/// next to be overwritten while a slow reader still wants it.
fn free(taken: &BTreeSet<u8>, sha256: &str) -> Result<u8, ShardError> {
    let start = sha256
        .get(..2)
        .and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let start = start.unwrap_or_default() % SLOTS;
    (start..SLOTS)
        .chain(0..start)
        .find(|slot| !taken.contains(slot))
        .ok_or_else(|| ShardError::damaged("the index in the store", "it leaves no slot free"))
}
