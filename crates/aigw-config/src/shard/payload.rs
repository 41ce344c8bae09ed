//! Bytes that may hold credentials: never printed, wiped when they are let go.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::ShardError;

/// Most bytes of a shard as it is stored.
pub const MAX_STORED: usize = 768 << 10;
/// Most bytes of a shard before it is compressed, and of an index.
pub const MAX_PLAIN: usize = 16 << 20;

/// zstd's own default: a tenth of the size for configuration, at hundreds of megabytes a second.
const LEVEL: i32 = 3;

/// Bytes of a shard or an index. `Debug` shows only their number; copies share them.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<Zeroizing<Vec<u8>>>);

impl Payload {
    /// Takes ownership of the bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    /// The bytes themselves. Call it where they are stored or read, and nowhere else.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// Compresses `plain`, which is called `what` in errors.
    pub(super) fn compress(plain: &[u8], what: &str) -> Result<Self, ShardError> {
        let too_large = |size: usize, limit: usize| ShardError::TooLarge {
            what: what.to_owned(),
            size,
            limit,
        };
        if plain.len() > MAX_PLAIN {
            return Err(too_large(plain.len(), MAX_PLAIN));
        }
        let stored = zstd::bulk::compress(plain, LEVEL)
            .map(Self::new)
            .map_err(|error| ShardError::damaged(what, error))?;
        match stored.reveal().len() {
            size if size > MAX_STORED => Err(too_large(size, MAX_STORED)),
            _ => Ok(stored),
        }
    }

    /// Undoes [`Payload::compress`]; `size` is what comes out.
    pub(super) fn expand(&self, size: usize, what: &str) -> Result<Zeroizing<Vec<u8>>, ShardError> {
        if size > MAX_PLAIN {
            return Err(ShardError::damaged(what, format_args!("it claims {size} bytes")));
        }
        zstd::bulk::decompress(self.reveal(), size)
            .map(Zeroizing::new)
            .map_err(|_| ShardError::damaged(what, "it cannot be decompressed"))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_are_never_shown() {
        let plain = b"sk-secret sk-secret sk-secret".repeat(40);
        let stored = Payload::compress(&plain, "a").unwrap();
        assert!(stored.reveal().len() < plain.len());
        assert_eq!(*stored.expand(plain.len(), "a").unwrap(), plain);
        assert!(stored.expand(plain.len() - 1, "a").is_err());
        assert_eq!(
            format!("{:?}", Payload::new(b"sk-secret".to_vec())),
            "Payload(9 bytes)"
        );
    }

    #[test]
    fn more_than_fits_is_refused() {
        let error = Payload::compress(&vec![0; MAX_PLAIN + 1], "shard document/0").unwrap_err();
        assert!(error.to_string().contains("several gateways"), "{error}");
        // What does not compress: a linear congruential generator's high bytes.
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..MAX_STORED + 1024)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        assert!(matches!(
            Payload::compress(&noise, "a"),
            Err(ShardError::TooLarge {
                limit: MAX_STORED,
                ..
            })
        ));
        let bomb = Payload::new(zstd::bulk::compress(&[0; 4096], LEVEL).unwrap());
        assert!(bomb.expand(MAX_PLAIN + 1, "a").is_err());
        assert!(bomb.expand(16, "a").is_err());
    }
}
