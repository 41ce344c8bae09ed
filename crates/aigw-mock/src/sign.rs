//! Deterministic digests: thinking signatures, redacted data, embeddings and ids.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

const SECRET: &[u8] = b"aigw-mock thinking signature";

/// Signature of a thinking text; only this mock's own signatures verify.
pub(crate) fn thinking(text: &str) -> String {
    let mut bytes = digest(&[SECRET, b"thinking", text.as_bytes()]).to_vec();
    bytes.extend_from_slice(&digest(&[SECRET, b"again", text.as_bytes()]));
    STANDARD.encode(bytes)
}

/// Data of a redacted thinking block: the hidden text and its seal.
pub(crate) fn redacted(text: &str) -> String {
    let mut bytes = digest(&[SECRET, b"redacted", text.as_bytes()]).to_vec();
    bytes.extend_from_slice(text.as_bytes());
    STANDARD.encode(bytes)
}

/// Whether redacted data was issued by [`redacted`].
pub(crate) fn redacted_is_ours(data: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(data) else {
        return false;
    };
    match bytes.split_at_checked(32) {
        Some((seal, text)) => seal == digest(&[SECRET, b"redacted", text]),
        None => false,
    }
}

/// 64 bits that follow from the text.
pub(crate) fn seed(parts: &[&[u8]]) -> u64 {
    let bytes = digest(parts);
    bytes
        .iter()
        .take(8)
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// The next number of a splitmix64 sequence.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacted_data_verifies_only_when_untouched() {
        let data = redacted("secret");
        assert!(redacted_is_ours(&data));
        assert!(!redacted_is_ours(
            &redacted("secret").replace('A', "B").replace('c', "d")
        ));
        assert!(!redacted_is_ours("bm90IG91cnM="));
    }

    #[test]
    fn signatures_differ_by_text() {
        assert_ne!(thinking("a"), thinking("b"));
        assert_eq!(thinking("a"), thinking("a"));
    }
}
