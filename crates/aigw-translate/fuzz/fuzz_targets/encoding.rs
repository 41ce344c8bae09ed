//! Compressed bodies, whole, broken and made up, decode to the same whether cut or not, and never beyond the limit. The first
//! four bytes choose the codings, the cut and what is broken.

#![no_main]

use std::io::Write as _;

use aigw_translate::codec::encoding::{Decoder, EncodingError};
use flate2::Compression;
use libfuzzer_sys::fuzz_target;

const LIMIT: u64 = 1 << 20;
const HEADERS: [&str; 8] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, br",
    "zstd, gzip",
    "deflate",
    "identity",
];

fn encode(header: &str, bare: bool, plain: &[u8]) -> Vec<u8> {
    let mut body = plain.to_vec();
    for coding in header.split(", ") {
        let mut out = Vec::new();
        match coding {
            "gzip" => drop(flate2::write::GzEncoder::new(&mut out, Compression::fast()).write_all(&body)),
            "deflate" if bare => {
                drop(flate2::write::DeflateEncoder::new(&mut out, Compression::fast()).write_all(&body));
            }
            "deflate" => {
                drop(flate2::write::ZlibEncoder::new(&mut out, Compression::fast()).write_all(&body))
            }
            "br" => drop(brotli::CompressorWriter::new(&mut out, 4096, 1, 16).write_all(&body)),
            "zstd" => out = zstd::stream::encode_all(&body[..], 1).expect("encodes"),
            _ => out.clone_from(&body),
        }
        body = out;
    }
    body
}

fn decode<'a>(header: &str, chunks: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, EncodingError> {
    let mut decoder = Decoder::new(header, LIMIT).expect("known codings");
    let mut out = Vec::new();
    for chunk in chunks {
        let result = decoder.push(chunk, &mut out);
        assert!(out.len() as u64 <= LIMIT);
        result?;
    }
    decoder.finish().map(|()| out)
}

fuzz_target!(|input: &[u8]| {
    let [choice, size, at, byte, data @ ..] = input else {
        return;
    };
    let index = usize::from(choice & 7);
    let header = HEADERS[index];
    let whole = |body: &[u8]| decode(header, std::iter::once(body));
    let cut = |body: &[u8]| decode(header, body.chunks(usize::from(*size).max(1)));
    let agree = |body: &[u8]| match (cut(body), whole(body)) {
        (Ok(cut), Ok(whole)) => assert_eq!(cut, whole),
        // Of a wrong length both libraries notice more or less, as they get the bytes.
        _ if header.contains("zstd") || header.contains("br") => {}
        (cut, whole) => assert_eq!(cut.is_ok(), whole.is_ok(), "{cut:?} {whole:?}"),
    };
    // Made up.
    agree(data);
    // Right.
    let mut body = encode(header, index == 6, data);
    assert_eq!(cut(&body).as_deref(), Ok(data));
    // Broken.
    if choice & 8 != 0 && !body.is_empty() {
        let at = usize::from(*at) % body.len();
        body[at] ^= byte;
        agree(&body);
    }
});
