//! Any cut of an event stream gives the same frames, and a sieve that keeps all changes nothing. The first two bytes choose
//! the cuts.

#![no_main]

use aigw_translate::codec::sse::{Decoder, Frame, Sieve};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

type Owned = (
    Option<String>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<u64>,
    Vec<u8>,
);

fn own(frame: &Frame<'_>) -> Owned {
    (
        frame.event.as_deref().map(str::to_owned),
        frame.data.map(<[u8]>::to_vec),
        frame.id.map(<[u8]>::to_vec),
        frame.retry,
        frame.raw.to_vec(),
    )
}

fn decode<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Owned>, Option<(Owned, bool)>) {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for chunk in chunks {
        let mut frames = decoder.push(chunk);
        while let Some(frame) = frames.next().expect("under the limit") {
            found.push(own(&frame));
        }
    }
    let tail = decoder.finish().map(|tail| (own(&tail.frame), tail.whole));
    (found, tail)
}

fuzz_target!(|input: &[u8]| {
    let [first, size, stream @ ..] = input else {
        return;
    };
    let (head, rest) = stream.split_at(usize::from(*first).min(stream.len()));
    let cut = || std::iter::once(head).chain(rest.chunks(usize::from(*size).max(1)));
    let whole = decode(std::iter::once(stream));
    assert_eq!(decode(cut()), whole);
    let (frames, tail) = whole;
    let raw: Vec<u8> = frames
        .iter()
        .chain(tail.as_ref().map(|tail| &tail.0))
        .flat_map(|frame| frame.4.clone())
        .collect();
    assert_eq!(raw, stream);

    for limit in [usize::from(*size), usize::MAX] {
        let mut sieve = Sieve::new(limit);
        let mut out = Vec::new();
        for chunk in cut() {
            sieve.push(&Bytes::copy_from_slice(chunk), |_| true, &mut out);
        }
        out.extend(sieve.finish(|_| true));
        assert_eq!(out.concat(), stream);
    }
});
