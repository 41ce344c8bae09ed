//! Keys out of Secrets.

use aigw_api::Secret;
use aigw_api::condition::reason;
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

/// Why there is no key.
#[derive(Debug)]
pub(crate) struct NoKey {
    pub(crate) message: String,
    pub(crate) reason: &'static str,
}

impl NoKey {
    /// The object or its entry is not in the input.
    pub(crate) fn is_missing(&self) -> bool {
        self.reason != reason::SECRET_INVALID
    }
}

/// The id under which a Secret's entry travels.
pub(crate) fn id(secret: &Key, entry: &str) -> String {
    format!("secret/{secret}/{entry}")
}

/// The text of a Secret's entry.
pub(crate) fn find(index: &Index<'_>, secret: &Key, entry: &str) -> Result<Bytes, NoKey> {
    let no = |reason: &'static str, message: String| NoKey { message, reason };
    let placed = index.secrets.get(secret).ok_or_else(|| {
        no(
            reason::SECRET_NOT_FOUND,
            format!("no Secret is named \"{secret}\""),
        )
    })?;
    let invalid = |what: String| no(reason::SECRET_INVALID, format!("Secret \"{secret}\": {what}"));
    let text = text(placed.object, entry)
        .ok_or_else(|| {
            let message = format!("Secret \"{secret}\" has no entry `{entry}`");
            no(reason::KEY_NOT_FOUND, message)
        })?
        .map_err(|why| invalid(format!("data.{entry} {why}")))?;
    match text.is_empty() {
        true => Err(invalid(format!("the entry `{entry}` is empty"))),
        false => Ok(text),
    }
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
