//! From one gateway's configuration to shards.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::credential;
use super::document::take_apart;
use super::error::ShardError;
use super::format::writable;
use super::index::ShardKind;
use super::payload::Payload;
use crate::document::Document;
use crate::secret::{Credentials, Secret};

/// How finely a kind is cut: few shards for a small gateway, small ones for a large one.
struct Grain {
    /// Plain bytes in a shard on average, as far as `most` allows.
    aim: usize,
    /// Most shards, a power of two.
    most: usize,
}

// With the order they are 33 at most, of which two generations fit into the pool.
const DOCUMENT: Grain = Grain {
    aim: 64 << 10,
    most: 16,
};
/// Finer than the others: credentials change by themselves, and every reader fetches the shard of one that did.
const CREDENTIALS: Grain = Grain {
    aim: 8 << 10,
    most: 8,
};
/// Finer too: they come and go with pods.
const ENDPOINTS: Grain = Grain {
    aim: 16 << 10,
    most: 4,
};
const HASHES: Grain = Grain {
    aim: 64 << 10,
    most: 4,
};

/// A snapshot in pieces that have no place yet.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Format it is written in.
    pub format: u32,
    /// Least format that its reader must know.
    pub min_reader: u32,
    /// See [`super::Index::version`].
    pub version: String,
    /// The gateway that it was made for.
    pub gateway_uid: String,
    /// The pieces by kind and bucket.
    pub shards: Vec<Shard>,
}

/// One piece.
#[derive(Clone, Debug)]
pub struct Shard {
    /// What it holds.
    pub kind: ShardKind,
    /// Its number among those of its kind.
    pub bucket: u8,
    /// SHA-256 of its plain bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Number of its plain bytes.
    pub size: usize,
    /// Its bytes, compressed.
    pub stored: Payload,
}

/// Cuts one gateway's configuration. Equal input gives equal bytes.
///
/// `hashes` are carried to the readers, which report them with what they serve: the content of each of the operator's
/// objects, under names that the operator chooses. `format` is one of [`super::FORMATS`].
pub fn cut(
    gateway_uid: &str,
    document: &Document,
    credentials: &Credentials,
    hashes: &BTreeMap<String, String>,
    format: u32,
) -> Result<Cut, ShardError> {
    let min_reader = writable(format)?;
    let (order, objects) = take_apart(document)?;
    let mut shards = vec![shard(ShardKind::Order, 0, &json(&order)?)?];
    let (endpoints, objects): (Vec<_>, Vec<_>) = objects.iter().partition(|(key, _)| key.0 == "endpoints");
    shards.extend(documents(ShardKind::Document, &objects, &DOCUMENT)?);
    shards.extend(documents(ShardKind::Endpoints, &endpoints, &ENDPOINTS)?);
    shards.extend(secrets(credentials)?);
    shards.extend(hash_shards(hashes)?);
    Ok(Cut {
        format,
        min_reader,
        version: version(gateway_uid, &shards),
        gateway_uid: gateway_uid.to_owned(),
        shards,
    })
}

/// An object of the document: its member and name, and what it is.
type Object<'a> = (&'a (String, String), &'a Box<RawValue>);

fn documents(kind: ShardKind, objects: &[Object<'_>], grain: &Grain) -> Result<Vec<Shard>, ShardError> {
    let size = |((section, name), value): &Object<'_>| section.len() + name.len() + value.get().len();
    let count = buckets(objects.iter().map(size), grain);
    let mut lists: BTreeMap<u8, Vec<(&str, &str, &RawValue)>> = BTreeMap::new();
    for ((section, name), value) in objects {
        let bucket = bucket(&[section, name], count);
        lists.entry(bucket).or_default().push((section, name, value));
    }
    lists
        .iter()
        .map(|(bucket, list)| shard(kind, *bucket, &json(list)?))
        .collect()
}

fn secrets(credentials: &Credentials) -> Result<Vec<Shard>, ShardError> {
    let all = || {
        credentials
            .ids()
            .filter_map(|id| Some((id, credentials.find(id)?)))
    };
    let count = buckets(
        all().map(|(id, secret)| id.len() + secret.reveal().len()),
        &CREDENTIALS,
    );
    let mut tables: BTreeMap<u8, BTreeMap<&str, &Secret>> = BTreeMap::new();
    for (id, secret) in all() {
        tables.entry(bucket(&[id], count)).or_default().insert(id, secret);
    }
    tables
        .iter()
        .map(|(bucket, table)| shard(ShardKind::Credentials, *bucket, &credential::write(table)))
        .collect()
}

fn hash_shards(hashes: &BTreeMap<String, String>) -> Result<Vec<Shard>, ShardError> {
    let count = buckets(hashes.iter().map(|(key, hash)| key.len() + hash.len()), &HASHES);
    let mut tables: BTreeMap<u8, BTreeMap<&str, &str>> = BTreeMap::new();
    for (key, hash) in hashes {
        tables.entry(bucket(&[key], count)).or_default().insert(key, hash);
    }
    tables
        .iter()
        .map(|(bucket, table)| shard(ShardKind::Hashes, *bucket, &json(table)?))
        .collect()
}

/// How many shards a kind is cut into.
fn buckets(sizes: impl Iterator<Item = usize>, grain: &Grain) -> usize {
    let size: usize = sizes.sum();
    size.div_ceil(grain.aim).next_power_of_two().min(grain.most)
}

/// Where an object goes: by its name alone, so that it stays when others come and go. `count` is a power of two up to 256.
fn bucket(name: &[&str], count: usize) -> u8 {
    let mut digest = Sha256::new();
    for part in name {
        digest.update(part);
        digest.update([0]);
    }
    let first = digest.finalize().first().copied().unwrap_or_default();
    u8::try_from(usize::from(first) & (count - 1)).unwrap_or_default()
}

fn shard(kind: ShardKind, bucket: u8, plain: &[u8]) -> Result<Shard, ShardError> {
    let what = format!("shard {}/{bucket}", kind.as_str());
    Ok(Shard {
        kind,
        bucket,
        sha256: hex(&Sha256::digest(plain)),
        size: plain.len(),
        stored: Payload::compress(plain, &what)?,
    })
}

fn version(gateway_uid: &str, shards: &[Shard]) -> String {
    let mut digest = Sha256::new();
    digest.update(gateway_uid);
    for shard in shards {
        digest.update(format!(
            "\n{} {} {}",
            shard.kind.as_str(),
            shard.bucket,
            shard.sha256
        ));
    }
    let mut text = hex(&digest.finalize());
    text.truncate(16);
    text
}

/// Hexadecimal digits of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, ShardError> {
    serde_json::to_vec(value).map_err(|error| ShardError::Unsayable(error.to_string()))
}
