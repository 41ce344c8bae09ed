//! How the places of a snapshot are called.

use std::fmt;

use sha2::{Digest, Sha256};

/// Slots of a gateway's pool: room for two generations of the most shards that one snapshot may have (33), and some over.
pub const SLOTS: u8 = 72;
/// Longest base in bytes: it also names objects that take no more.
pub const MAX_BASE: usize = 63;
/// The key that an index is stored under.
pub const INDEX_KEY: &str = "index";
/// The key that a shard is stored under.
pub const SHARD_KEY: &str = "shard";

const PREFIX: &str = "aigw-";

/// Where a piece lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A slot of the pool, below [`SLOTS`].
    Slot(u8),
    /// The index, which is written last.
    Index,
}

impl Place {
    /// Its name in the store: `<base>-3`, `<base>-index`.
    pub fn name(self, base: &str) -> String {
        format!("{base}-{self}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(number) => number.fmt(f),
            Self::Index => f.write_str("index"),
        }
    }
}

/// All names that a gateway's snapshot may use: what its readers are to be permitted to read.
pub fn names(base: &str) -> impl Iterator<Item = String> + '_ {
    std::iter::once(Place::Index)
        .chain((0..SLOTS).map(Place::Slot))
        .map(move |place| place.name(base))
}

/// The base of a gateway's names, unique in its namespace: `aigw-<gateway>`, at most [`MAX_BASE`] bytes, lower-case letters,
/// digits and dashes. A name that is too long or has dots is changed, and a hash of the whole is added.
pub fn base(gateway: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if gateway.len() + PREFIX.len() <= MAX_BASE && gateway.chars().all(is_plain) {
        return format!("{PREFIX}{gateway}");
    }
    let hash: String = Sha256::digest(gateway)
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept: String = gateway
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .take(MAX_BASE - PREFIX.len() - 1 - hash.len())
        .collect();
    format!("{PREFIX}{}-{hash}", kept.trim_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_short_plain_and_differ() {
        assert_eq!(base("main"), "aigw-main");
        let long = "a".repeat(59);
        let names = [
            "main",
            "a.b",
            "a-b",
            &long,
            &"a".repeat(58),
            &"a".repeat(60),
            "a.b.",
        ];
        let bases: Vec<String> = names.iter().map(|name| base(name)).collect();
        for (index, one) in bases.iter().enumerate() {
            assert!(one.len() <= MAX_BASE, "{one}");
            assert!(
                one.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
            assert!(!bases[..index].contains(one), "{one}");
        }
    }

    #[test]
    fn the_index_and_every_slot_have_a_name() {
        let all: Vec<String> = names("aigw-main").collect();
        assert_eq!(all.len(), usize::from(SLOTS) + 1);
        assert_eq!(all[0], "aigw-main-index");
        assert_eq!(all[1], "aigw-main-0");
        assert_eq!(all[72], "aigw-main-71");
    }
}
