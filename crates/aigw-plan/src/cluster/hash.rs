//! Content hashes.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// 16 hexadecimal digits over what `content` is as JSON.
pub(crate) fn of(content: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(content).unwrap_or_default();
    let digest = Sha256::digest(&bytes);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
