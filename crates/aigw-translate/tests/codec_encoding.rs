//! Content codings: what common encoders write is read back, however it is cut, and nothing grows beyond its limit.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may fail the test"
)]

use std::io::Write as _;

use aigw_translate::codec::encoding::{Decoder, EncodingError, decode};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

const CODINGS: [&str; 5] = ["gzip", "deflate", "bare deflate", "br", "zstd"];

/// `parts`, each flushed.
fn encode(coding: &str, parts: &[&[u8]]) -> Vec<u8> {
    fn write(mut encoder: impl std::io::Write, parts: &[&[u8]]) {
        for part in parts {
            encoder.write_all(part).unwrap();
            encoder.flush().unwrap();
        }
    }
    let mut out = Vec::new();
    match coding {
        "gzip" => write(GzEncoder::new(&mut out, Compression::fast()), parts),
        "deflate" => write(ZlibEncoder::new(&mut out, Compression::fast()), parts),
        "bare deflate" => write(DeflateEncoder::new(&mut out, Compression::fast()), parts),
        "br" => write(brotli::CompressorWriter::new(&mut out, 4096, 4, 20), parts),
        "zstd" => write(
            zstd::stream::write::Encoder::new(&mut out, 1)
                .unwrap()
                .auto_finish(),
            parts,
        ),
        other => panic!("no encoder for {other}"),
    }
    out
}

/// The name in the header.
fn name(coding: &str) -> &str {
    coding.rsplit(' ').next().unwrap()
}

fn decode_chunks<'a>(
    header: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, EncodingError> {
    let mut decoder = Decoder::new(header, u64::MAX)?;
    let mut out = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, &mut out)?;
    }
    decoder.finish()?;
    Ok(out)
}

/// Text that repeats, and noise, of up to some steps of the decoder.
fn plain() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        4 => 0..400usize,
        1 => Just(16 << 10),
        1 => Just(32 << 10),
        1 => 0..70_000usize
    ];
    (size, any::<u32>(), any::<bool>()).prop_map(|(size, seed, noise)| {
        let mut state = seed | 1;
        (0..size)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if noise {
                    (state >> 24) as u8
                } else {
                    (index % 61) as u8 + b'0'
                }
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_gives_the_same_bytes(plain in plain(), size in prop_oneof![Just(1usize), 2..40usize, Just(1 << 20)], split in any::<prop::sample::Index>()) {
        let (first, second) = plain.split_at(split.index(plain.len() + 1));
        for coding in CODINGS {
            let encoded = encode(coding, &[first, second]);
            let found = decode_chunks(name(coding), encoded.chunks(size));
            prop_assert_eq!(found.as_ref(), Ok(&plain), "{}", coding);
        }
    }

    #[test]
    fn chains_are_undone_in_reverse(plain in plain(), outer in prop::sample::select(&CODINGS), inner in prop::sample::select(&CODINGS), size in 1..200usize) {
        let encoded = encode(outer, &[&encode(inner, &[&plain])]);
        let header = format!("{}, {}", name(inner), name(outer));
        prop_assert_eq!(decode_chunks(&header, encoded.chunks(size)), Ok(plain));
    }

    #[test]
    fn a_cut_body_is_told(plain in plain(), cut in any::<prop::sample::Index>()) {
        for coding in CODINGS {
            let encoded = encode(coding, &[&plain]);
            let cut = cut.index(encoded.len());
            if cut > 0 {
                let truncated = EncodingError::Truncated { coding: name(coding) };
                prop_assert_eq!(decode(name(coding), &encoded[..cut], u64::MAX), Err(truncated), "{} cut at {}", coding, cut);
            }
        }
    }

    #[test]
    fn broken_bodies_end_in_an_error_or_in_bytes(plain in plain(), at in any::<prop::sample::Index>(), byte in any::<u8>(), size in 1..100usize) {
        for coding in CODINGS {
            let mut encoded = encode(coding, &[&plain]);
            let at = at.index(encoded.len());
            encoded[at] = byte;
            let cut = decode_chunks(name(coding), encoded.chunks(size));
            let whole = decode_chunks(name(coding), [&encoded[..]]);
            match (cut, whole) {
                (Ok(cut), Ok(whole)) => prop_assert_eq!(cut, whole),
                // Of a wrong length both libraries notice more or less, as they get the bytes.
                _ if coding == "zstd" || coding == "br" => {}
                (cut, whole) => prop_assert_eq!(cut.is_ok(), whole.is_ok(), "{}", coding),
            }
        }
    }
}

#[test]
fn what_was_flushed_is_given_at_once() {
    for coding in CODINGS {
        let event = b"data: {\"n\":1}\n\n";
        let whole = encode(coding, &[event, event]);
        let mut decoder = Decoder::new(name(coding), 1 << 20).unwrap();
        let mut out = Vec::new();
        let mut first = None;
        for (index, byte) in whole.iter().enumerate() {
            decoder.push(&[*byte], &mut out).unwrap();
            if out.len() >= event.len() && first.is_none() {
                first = Some(index);
            }
        }
        assert_eq!(out, [&event[..], &event[..]].concat(), "{coding}");
        let first = first.unwrap();
        assert!(
            first < whole.len() * 3 / 4,
            "{coding}: the first event came at byte {first} of {}",
            whole.len()
        );
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0; 4 << 20];
    for coding in CODINGS {
        let bomb = encode(coding, &[&zeros]);
        let mut decoder = Decoder::new(name(coding), 100_000).unwrap();
        let mut out = Vec::new();
        let error = EncodingError::TooLarge { limit: 100_000 };
        assert_eq!(decoder.push(&bomb, &mut out), Err(error.clone()), "{coding}");
        assert!(out.len() <= 100_000);
        assert_eq!(decoder.push(b"", &mut out), Err(error.clone()));
        assert_eq!(decoder.finish(), Err(error));
        assert_eq!(decode(name(coding), &bomb, 4 << 20).unwrap().len(), 4 << 20);
        let twice = encode(coding, &[&bomb]);
        let header = format!("{},{}", name(coding), name(coding));
        assert!(matches!(
            decode(&header, &twice, 100_000),
            Err(EncodingError::TooLarge { .. })
        ));
    }
    assert_eq!(decode("", b"1234", 3), Err(EncodingError::TooLarge { limit: 3 }));
}

#[test]
fn a_stream_is_limited_piece_by_piece() {
    let mut stream = Vec::new();
    let mut encoder = GzEncoder::new(&mut stream, Compression::fast());
    let mut decoder = Decoder::for_stream("gzip", 1_000).unwrap();
    let mut out = Vec::new();
    let mut piece = |size: usize| {
        encoder.write_all(&vec![b'x'; size]).unwrap();
        encoder.flush().unwrap();
        std::mem::take(*encoder.get_mut())
    };
    for _ in 0..5 {
        decoder.push(&piece(1_000), &mut out).unwrap();
    }
    assert_eq!(out.len(), 5_000);
    assert_eq!(
        decoder.push(&piece(1_001), &mut out),
        Err(EncodingError::TooLarge { limit: 1_000 })
    );
}

#[test]
fn members_follow_each_other() {
    let mut two = encode("gzip", &[b"one "]);
    two.extend(encode("gzip", &[b"two"]));
    assert_eq!(decode_chunks("gzip", two.chunks(1)).unwrap(), b"one two");
    two.extend([0; 5]);
    assert_eq!(
        decode_chunks("x-gzip", two.chunks(3)).unwrap(),
        b"one two",
        "padding is not looked at"
    );
    two.extend(b"\x1f\x8b");
    assert_eq!(decode("gzip", &two, 100).unwrap(), b"one two");
    let mut frames = encode("zstd", &[b"one "]);
    frames.extend(encode("zstd", &[b"two"]));
    assert_eq!(decode_chunks("zstd", frames.chunks(1)).unwrap(), b"one two");
}

/// The decoder works in steps of 16 KiB: an end that falls between two is an end all the same.
#[test]
fn an_end_may_fall_between_two_steps() {
    for coding in ["gzip", "deflate", "bare deflate", "br"] {
        for size in [(16 << 10) - 1, 16 << 10, 32 << 10] {
            for level in [&b"x"[..], b"a longer text of many letters, "] {
                let plain: Vec<u8> = level.iter().copied().cycle().take(size).collect();
                let mut encoded = encode(coding, &[&plain]);
                encoded.extend_from_slice(b"what follows");
                assert!(
                    decode(name(coding), &encoded, 1 << 20) == Ok(plain),
                    "{coding} of {size} bytes"
                );
            }
        }
    }
}

#[test]
fn gzip_headers_may_have_every_field() {
    let bare = encode("gzip", &[b"text"]);
    let body = &bare[10..];
    for flags in 0..32u8 {
        let mut member = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
        if flags & 4 != 0 {
            member.extend([3, 0, 1, 2, 3]);
        }
        if flags & 8 != 0 {
            member.extend(b"name\0");
        }
        if flags & 16 != 0 {
            member.extend(b"\0");
        }
        if flags & 2 != 0 {
            member.extend([0, 0]);
        }
        member.extend(body);
        assert_eq!(
            decode_chunks("gzip", member.chunks(1)).unwrap(),
            b"text",
            "{flags}"
        );
    }
    let corrupt = Err(EncodingError::Corrupt { coding: "gzip" });
    assert_eq!(decode("gzip", b"{\"plain\":true}", 100), corrupt);
    let mut wrong = bare.clone();
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    assert_eq!(decode("gzip", &wrong, 100), corrupt);
}

#[test]
fn names_are_read_as_headers_write_them() {
    let body = encode("gzip", &[b"text"]);
    for header in [
        "gzip",
        "GZIP",
        " x-gzip\t",
        "identity, gzip",
        "gzip,identity",
        ",gzip,",
    ] {
        assert_eq!(decode(header, &body, 100).unwrap(), b"text", "{header}");
    }
    for header in ["", "identity", " , "] {
        assert!(Decoder::new(header, 1).unwrap().is_identity());
        assert_eq!(decode(header, b"text", 100).unwrap(), b"text");
    }
    let unsupported = |name: &str| EncodingError::Unsupported {
        name: name.to_owned(),
    };
    assert_eq!(
        Decoder::new("gzip, compress", 1).unwrap_err(),
        unsupported("compress")
    );
    assert_eq!(
        Decoder::new("br,br,br,br,br", 1).unwrap_err(),
        unsupported("br,br,br,br,br")
    );
}

#[test]
fn an_empty_body_needs_no_coding() {
    for coding in CODINGS {
        assert_eq!(decode(name(coding), b"", 1).unwrap(), b"");
        assert_eq!(
            decode(name(coding), &encode(coding, &[]), 1).unwrap(),
            b"",
            "{coding}"
        );
    }
}

#[test]
fn a_decoder_may_change_threads() {
    fn is_send<T: Send>() {}
    is_send::<Decoder>();
}
