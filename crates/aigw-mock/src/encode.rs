//! Content encodings of answers, flushed piece by piece so that a stream stays a stream.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// A content coding of RFC 9110 section 8.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Encoding {
    /// The coding of that name in `content-encoding`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// The name in `content-encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Encodes one body; each push gives what a decoder needs to see all that was pushed.
pub(crate) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    pub(crate) fn new(encoding: Encoding) -> io::Result<Self> {
        let level = Compression::fast();
        Ok(match encoding {
            Encoding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), level)),
            Encoding::Deflate => Self::Deflate(ZlibEncoder::new(Vec::new(), level)),
            Encoding::Brotli => {
                Self::Brotli(Box::new(brotli::CompressorWriter::new(Vec::new(), 4096, 3, 18)))
            }
            Encoding::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 1)?),
        })
    }

    pub(crate) fn push(&mut self, data: &[u8]) -> io::Result<Bytes> {
        let writer: &mut dyn Write = match self {
            Self::Gzip(encoder) => encoder,
            Self::Deflate(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
        };
        writer.write_all(data)?;
        writer.flush()?;
        Ok(Bytes::from(match self {
            Self::Gzip(encoder) => std::mem::take(encoder.get_mut()),
            Self::Deflate(encoder) => std::mem::take(encoder.get_mut()),
            Self::Brotli(encoder) => std::mem::take(encoder.get_mut()),
            Self::Zstd(encoder) => std::mem::take(encoder.get_mut()),
        }))
    }

    /// The bytes that end the coding.
    pub(crate) fn finish(self) -> io::Result<Bytes> {
        Ok(Bytes::from(match self {
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Deflate(encoder) => encoder.finish()?,
            Self::Brotli(encoder) => encoder.into_inner(),
            Self::Zstd(encoder) => encoder.finish()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn decode(encoding: Encoding, data: &[u8]) -> String {
        let mut text = String::new();
        match encoding {
            Encoding::Gzip => flate2::read::GzDecoder::new(data)
                .read_to_string(&mut text)
                .unwrap(),
            Encoding::Deflate => flate2::read::ZlibDecoder::new(data)
                .read_to_string(&mut text)
                .unwrap(),
            Encoding::Brotli => brotli::Decompressor::new(data, 4096)
                .read_to_string(&mut text)
                .unwrap(),
            Encoding::Zstd => zstd::stream::read::Decoder::new(data)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap(),
        };
        text
    }

    #[test]
    fn every_coding_decodes_to_what_was_pushed() {
        for name in ["gzip", "deflate", "br", "zstd"] {
            let encoding = Encoding::from_name(name).unwrap();
            assert_eq!(encoding.name(), name);
            let mut encoder = Encoder::new(encoding).unwrap();
            let mut data = encoder.push(b"one ").unwrap().to_vec();
            assert!(!data.is_empty(), "{name} holds a pushed piece back");
            data.extend(encoder.push(b"two").unwrap());
            data.extend(encoder.finish().unwrap());
            assert_eq!(decode(encoding, &data), "one two", "{name}");
        }
    }
}
