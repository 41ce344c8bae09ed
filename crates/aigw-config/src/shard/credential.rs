//! Credentials as bytes: by id, each id and each secret behind its length (4 bytes, big endian).

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::secret::{Credentials, Secret};

/// Writes `entries` in their order.
pub(super) fn write(entries: &BTreeMap<&str, &Secret>) -> Zeroizing<Vec<u8>> {
    let size = entries
        .iter()
        .map(|(id, secret)| 8 + id.len() + secret.reveal().len())
        .sum();
    // As large as it gets, so that no copy is left behind by its growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    for (id, secret) in entries {
        for text in [id, secret.reveal()] {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// Reads them into `credentials`; `None` when the bytes are cut off or no text.
pub(super) fn read(mut bytes: &[u8], credentials: &mut Credentials) -> Option<()> {
    while !bytes.is_empty() {
        let id = text(&mut bytes)?.to_owned();
        credentials.insert(id, Secret::new(text(&mut bytes)?));
    }
    Some(())
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (text, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_back_and_cut_ones_are_refused() {
        let (one, two) = (Secret::new("sk-1"), Secret::new("schlüssel"));
        let bytes = write(&BTreeMap::from([("backend/a", &one), ("b", &two)]));
        let mut read_back = Credentials::default();
        read(&bytes, &mut read_back).unwrap();
        assert_eq!(read_back.find("backend/a"), Some(&one));
        assert_eq!(read_back.find("b"), Some(&two));
        let whole = [4 + "b".len() + 4 + two.reveal().len(), bytes.len()];
        for length in 1..bytes.len() {
            let cut = read(&bytes[..length], &mut Credentials::default());
            assert_eq!(cut.is_some(), whole.contains(&length), "{length}");
        }
    }
}
