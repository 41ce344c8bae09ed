//! Keys out of Secrets.

use aigw_api::Secret;
use aigw_config::Secret as Bytes;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::index::{Index, Key};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the key of `apiKey`-like blocks is in a Secret.
pub(crate) const API_KEY: &str = "apiKey";

/// Why there is no key. `missing`: the object or its entry is not in the input.
#[derive(Debug)]
pub(crate) struct NoKey {
    pub(crate) message: String,
    pub(crate) missing: bool,
}

/// The id under which a Secret's entry travels.
pub(crate) fn id(secret: &Key, entry: &str) -> String {
    format!("secret/{secret}/{entry}")
}

/// The text of a Secret's entry.
pub(crate) fn find(index: &Index, secret: &Key, entry: &str) -> Result<Bytes, NoKey> {
    let absent = |message: String| NoKey {
        message,
        missing: true,
    };
    let placed = index
        .secrets
        .get(secret)
        .ok_or_else(|| absent(format!("no Secret is named \"{secret}\"")))?;
    let text = text(&placed.object, entry)
        .ok_or_else(|| absent(format!("Secret \"{secret}\" has no entry `{entry}`")))?
        .map_err(|reason| NoKey {
            message: format!("Secret \"{secret}\": data.{entry} {reason}"),
            missing: false,
        })?;
    if text.is_empty() {
        return Err(NoKey {
            message: format!("Secret \"{secret}\": the entry `{entry}` is empty"),
            missing: false,
        });
    }
    Ok(text)
}

/// `stringData` wins over `data`, as the API server has it.
fn text(secret: &Secret, entry: &str) -> Option<Result<Bytes, &'static str>> {
    if let Some(plain) = secret.string_data.get(entry) {
        return Some(Ok(Bytes::new(plain.as_str())));
    }
    let packed: String = secret.data.get(entry)?.split_ascii_whitespace().collect();
    let bytes = match BASE64.decode(packed) {
        Ok(bytes) => bytes,
        Err(_) => return Some(Err("is not base64; use `stringData` for plain text")),
    };
    Some(
        String::from_utf8(bytes)
            .map(Bytes::new)
            .map_err(|_| "is not text"),
    )
}
