//! The index: what a snapshot consists of and where it lies. It holds no secret.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cut::hex;
use super::error::ShardError;
use super::format::readable;
use super::name::SLOTS;
use super::payload::{MAX_PLAIN, Payload};

/// What a shard holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShardKind {
    /// The names of the document's objects in their order.
    Order,
    /// Objects of the document but endpoints.
    Document,
    /// The document's endpoints.
    Endpoints,
    /// Credentials: secret.
    Credentials,
    /// Hashes of the objects that the document was made from.
    Hashes,
    /// Something that came after this build and that its readers may leave out.
    #[serde(other)]
    Unknown,
}

impl ShardKind {
    /// Whether it is a part of the document.
    pub(super) const fn is_of_document(self) -> bool {
        matches!(self, Self::Order | Self::Document | Self::Endpoints)
    }

    /// Its name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Document => "document",
            Self::Endpoints => "endpoints",
            Self::Credentials => "credentials",
            Self::Hashes => "hashes",
            Self::Unknown => "unknown",
        }
    }
}

/// One shard of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardRef {
    /// What it holds.
    pub kind: ShardKind,
    /// Its number among those of its kind.
    pub bucket: u8,
    /// Where it lies.
    pub slot: u8,
    /// SHA-256 of its plain bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Number of its plain bytes.
    pub size: usize,
}

impl ShardRef {
    /// What it is called in messages.
    pub(super) fn what(&self) -> String {
        format!(
            "shard {}/{} in slot {}",
            self.kind.as_str(),
            self.bucket,
            self.slot
        )
    }

    /// The plain bytes of this shard, which is `stored` if that is right.
    pub fn open(&self, stored: &Payload) -> Result<Zeroizing<Vec<u8>>, ShardError> {
        let what = self.what();
        let plain = stored.expand(self.size, &what)?;
        if hex(&Sha256::digest(plain.as_slice())) != self.sha256 {
            return Err(ShardError::damaged(
                what,
                "its SHA-256 is another one than the index says",
            ));
        }
        Ok(plain)
    }
}

/// A snapshot's index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Format of the snapshot.
    pub format: u32,
    /// Least format that a reader must know.
    pub min_reader: u32,
    /// Names the contents, credentials included: 16 hexadecimal digits. Equal contents have equal versions.
    pub version: String,
    /// The gateway that it was made for.
    pub gateway_uid: String,
    /// The shards by kind and bucket.
    pub shards: Vec<ShardRef>,
}

impl Index {
    /// Reads an index, whatever its format; [`Index::check`] says whether this build can serve it. A writer needs the slots in
    /// use even of one that it cannot.
    pub fn parse(bytes: &[u8]) -> Result<Self, ShardError> {
        let damaged = |problem: &str| ShardError::damaged("the index", problem);
        if bytes.len() > MAX_PLAIN {
            return Err(damaged("it is too long"));
        }
        serde_json::from_slice(bytes).map_err(|error| damaged(&format!("it is not one: {error}")))
    }

    /// Whether this build can serve the snapshot and the index makes sense.
    pub fn check(&self) -> Result<(), ShardError> {
        readable(self.format, self.min_reader)?;
        let mut slots = BTreeSet::new();
        for shard in &self.shards {
            if shard.slot >= SLOTS || !slots.insert(shard.slot) {
                return Err(ShardError::damaged(shard.what(), "the slot cannot be"));
            }
        }
        Ok(())
    }

    /// What says whether two snapshots have the same document: the hashes of its shards.
    pub fn document_hashes(&self) -> Vec<String> {
        let of_document = self.shards.iter().filter(|shard| shard.kind.is_of_document());
        of_document.map(|shard| shard.sha256.clone()).collect()
    }

    /// The shards that this build understands: the ones to fetch.
    pub fn known(&self) -> impl Iterator<Item = &ShardRef> {
        self.shards
            .iter()
            .filter(|shard| shard.kind != ShardKind::Unknown)
    }

    /// Its bytes.
    pub(super) fn write(&self) -> Result<Payload, ShardError> {
        serde_json::to_vec(self)
            .map(Payload::new)
            .map_err(|error| ShardError::Unsayable(error.to_string()))
    }
}
