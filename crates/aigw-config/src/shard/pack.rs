//! A whole snapshot in one piece, for the copy that a reader keeps.

use std::collections::HashMap;

use super::error::ShardError;
use super::index::Index;
use super::payload::Payload;

/// What such a piece begins with.
const MARK: &[u8] = b"aigw snapshot\n";

/// The index and its shards one behind the other, each behind its length (4 bytes, big endian).
pub fn pack(index: &Index, shards: &HashMap<u8, Payload>) -> Result<Payload, ShardError> {
    let first = index.write()?;
    let mut parts = vec![&first];
    for shard in index.known() {
        let missing = || ShardError::damaged(shard.what(), "it is missing");
        parts.push(shards.get(&shard.slot).ok_or_else(missing)?);
    }
    let size = MARK.len() + parts.iter().map(|part| 4 + part.reveal().len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(MARK);
    for part in parts {
        let length = u32::try_from(part.reveal().len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part.reveal());
    }
    Ok(Payload::new(bytes))
}

/// Undoes [`pack`]. The shards are checked by [`super::assemble`].
pub fn unpack(bytes: &Payload) -> Result<(Index, HashMap<u8, Payload>), ShardError> {
    let bad = || ShardError::damaged("the kept snapshot", "it is cut off or no snapshot");
    let mut rest = bytes.reveal().strip_prefix(MARK).ok_or_else(bad)?;
    let index = Index::parse(part(&mut rest).ok_or_else(bad)?)?;
    let mut shards = HashMap::new();
    for shard in index.known() {
        let stored = part(&mut rest).ok_or_else(bad)?;
        shards.insert(shard.slot, Payload::new(stored.to_vec()));
    }
    match rest.is_empty() {
        true => Ok((index, shards)),
        false => Err(bad()),
    }
}

fn part<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (part, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}
