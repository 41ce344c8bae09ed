//! Server-sent events: what the standard says, and the same for any cut of the input.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may fail the test"
)]

use aigw_translate::codec::sse::{Decoder, Frame, Sieve, TooLarge, write_comment, write_event};
use bytes::Bytes;
use proptest::prelude::*;

/// A frame that owns its parts.
#[derive(Clone, Debug, PartialEq)]
struct Owned {
    event: Option<String>,
    data: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    retry: Option<u64>,
    raw: Vec<u8>,
}

impl From<&Frame<'_>> for Owned {
    fn from(frame: &Frame<'_>) -> Self {
        Self {
            event: frame.event.as_deref().map(str::to_owned),
            data: frame.data.map(<[u8]>::to_vec),
            id: frame.id.map(<[u8]>::to_vec),
            retry: frame.retry,
            raw: frame.raw.to_vec(),
        }
    }
}

/// All frames and, with its wholeness, the tail.
fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Owned>, Option<(Owned, bool)>) {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for chunk in chunks {
        let mut frames = decoder.push(chunk);
        while let Some(frame) = frames.next().unwrap() {
            found.push(Owned::from(&frame));
        }
        assert_eq!(frames.taken(), chunk.len());
    }
    let tail = decoder
        .finish()
        .map(|tail| (Owned::from(&tail.frame), tail.whole));
    assert!(decoder.finish().is_none(), "the tail is told once");
    (found, tail)
}

/// The events that a client is told, as (name, data).
fn told(stream: &[u8]) -> Vec<(String, String)> {
    let (frames, tail) = decode([stream]);
    let whole = tail.filter(|(_, whole)| *whole).map(|(frame, _)| frame);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    frames
        .into_iter()
        .chain(whole)
        .filter_map(|frame| Some((frame.event.unwrap_or_default(), text(frame.data?))))
        .collect()
}

/// The standard's algorithm, word for word over the whole input.
fn told_by_the_standard(stream: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(stream).into_owned();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut data, mut name) = (Vec::new(), String::new(), String::new());
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    if complete.is_empty() && !text.contains('\n') {
        return events;
    }
    for line in complete.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                events.push((std::mem::take(&mut name), std::mem::take(&mut data)));
            }
            name.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "event" => value.clone_into(&mut name),
            _ => {}
        }
    }
    events
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => "data: ?[a-z{}:\" ]{0,12}",
        2 => "event: ?[a-z]{0,6}",
        1 => ": ?[a-z]{0,6}",
        1 => "(id|retry): ?[0-9]{0,3}",
        1 => "[a-z]{0,7}:?[a-z]{0,3}",
        1 => Just("data".to_owned()),
        5 => Just(String::new()),
        1 => Just("\u{feff}".to_owned()),
        1 => Just("data: \u{e9}\u{1f600}".to_owned()),
    ];
    let end = prop_oneof![4 => Just("\n"), 2 => Just("\r\n"), 2 => Just("\r"), 1 => Just("\n\n"), 1 => Just("\r\n\r\n"), 1 => Just("\r\r")];
    (
        prop::bool::weighted(0.1),
        prop::collection::vec((line, end), 0..20),
        "[a-z:]{0,5}",
    )
        .prop_map(|(bom, lines, rest)| {
            let mut text = if bom { "\u{feff}".to_owned() } else { String::new() };
            for (line, end) in lines {
                text.push_str(&line);
                text.push_str(end);
            }
            text.push_str(&rest);
            text.into_bytes()
        })
}

fn cut<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.sort_unstable();
    let mut chunks = Vec::new();
    let mut from = 0;
    for to in at.into_iter().chain([stream.len()]) {
        chunks.push(&stream[from..to]);
        from = to;
    }
    chunks
}

/// The stream without the frames that `keep` refuses, through a sieve.
fn sift(chunks: &[&[u8]], keep: fn(&Frame<'_>) -> bool) -> Vec<u8> {
    let mut sieve = Sieve::default();
    let mut out = Vec::new();
    for chunk in chunks {
        sieve.push(&Bytes::copy_from_slice(chunk), keep, &mut out);
    }
    out.extend(sieve.finish(keep));
    out.concat()
}

fn is_short(frame: &Frame<'_>) -> bool {
    frame.data.is_none_or(|data| data.len() < 5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_are_those_of_the_standard(stream in stream()) {
        prop_assert_eq!(told(&stream), told_by_the_standard(&stream));
    }

    #[test]
    fn any_cut_gives_the_same_frames(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let whole = decode([&stream[..]]);
        prop_assert_eq!(&decode(cut(&stream, &cuts)), &whole);
        prop_assert_eq!(&decode(stream.chunks(1)), &whole);
        let (frames, tail) = whole;
        let raw: Vec<u8> = frames.into_iter().chain(tail.map(|tail| tail.0)).flat_map(|frame| frame.raw).collect();
        prop_assert_eq!(raw, stream, "the frames' bytes are the stream");
    }

    #[test]
    fn a_sieve_leaves_out_what_it_is_told(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let chunks = cut(&stream, &cuts);
        prop_assert_eq!(&sift(&chunks, |_| true), &stream);
        let expected: Vec<_> = told(&stream).into_iter().filter(|(_, data)| data.len() < 5).collect();
        prop_assert_eq!(told(&sift(&chunks, is_short)), expected);
        prop_assert_eq!(sift(&chunks, is_short), sift(&[&stream], is_short));
    }

    #[test]
    fn what_is_written_is_read(events in prop::collection::vec((prop::option::of("[a-z_.]{1,9}"), "[a-z\n\r: ]{0,20}"), 0..6)) {
        let mut stream = Vec::new();
        for (event, data) in &events {
            write_event(&mut stream, event.as_deref(), data.as_bytes());
            write_comment(&mut stream, "keep\nalive");
        }
        let expected: Vec<_> = events
            .into_iter()
            .map(|(event, data)| (event.unwrap_or_default(), data.replace("\r\n", "\n").replace('\r', "\n")))
            .collect();
        prop_assert_eq!(told(&stream), expected);
    }
}

fn pair(event: &str, data: &str) -> (String, String) {
    (event.to_owned(), data.to_owned())
}

#[test]
fn examples_of_the_standard() {
    assert_eq!(
        told(b"data: YHOO\ndata: +2\ndata: 10\n\n"),
        [pair("", "YHOO\n+2\n10")]
    );
    assert_eq!(
        told(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
        [
            pair("", "first event"),
            pair("", "second event"),
            pair("", " third event")
        ]
    );
    assert_eq!(
        told(b"data\n\ndata\ndata\n\ndata:"),
        [pair("", ""), pair("", "\n")]
    );
    assert_eq!(
        told(b"data:test\n\ndata: test\n\n"),
        [pair("", "test"), pair("", "test")]
    );
}

#[test]
fn fields_are_read() {
    let (frames, tail) =
        decode([&b"\xef\xbb\xbfid: 7\r\nevent: message_stop\r\nretry: 1500\r\ndata: {}\r\n\r\n"[..]]);
    assert_eq!(tail, None);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].event.as_deref(), Some("message_stop"));
    assert_eq!(frames[0].data.as_deref(), Some(&b"{}"[..]));
    assert_eq!(frames[0].id.as_deref(), Some(&b"7"[..]));
    assert_eq!(frames[0].retry, Some(1500));
    let (frames, _) = decode([&b"id: a\0b\nretry: 1x\nevent: \ndata: \n\n"[..]]);
    assert_eq!(
        (frames[0].id.as_ref(), frames[0].retry, frames[0].event.as_ref()),
        (None, None, None)
    );
    assert_eq!(frames[0].data.as_deref(), Some(&b""[..]));
}

#[test]
fn a_keep_alive_is_not_held_back() {
    let mut decoder = Decoder::default();
    let mut frames = decoder.push(b": ping\n");
    let frame = frames.next().unwrap().expect("a comment is passed on at once");
    assert_eq!((frame.raw, frame.data), (&b": ping\n"[..], None));
}

#[test]
fn an_event_is_given_with_its_last_byte() {
    for stream in [
        &b"data: 1\n\n"[..],
        b"data: 1\r\n\r\n",
        b"data: 1\r\r",
        b"data: 1\rid: 2\r\r",
    ] {
        let mut decoder = Decoder::default();
        let frame = decoder
            .push(stream)
            .next()
            .unwrap()
            .map(|frame| frame.raw.to_vec());
        assert_eq!(frame.as_deref(), Some(stream));
    }
}

#[test]
fn a_tail_says_whether_it_is_whole() {
    let (frames, tail) = decode([&b"data: 1\n\ndata: [DONE]"[..]]);
    assert_eq!(frames.len(), 1);
    let (frame, whole) = tail.unwrap();
    assert_eq!((frame.data.as_deref(), whole), (Some(&b"[DONE]"[..]), false));
    let (frames, tail) = decode([&b"data: 1\r\n\r"[..]]);
    assert!(frames.is_empty());
    assert!(tail.unwrap().1, "only the LF of a CRLF is missing");
    let (_, tail) = decode([&b"data: 1\n"[..]]);
    let (frame, whole) = tail.unwrap();
    assert_eq!((frame.data.as_deref(), whole), (Some(&b"1"[..]), false));
}

#[test]
fn an_event_in_one_chunk_is_not_copied() {
    let chunk = b"data: a\n\nevent: x\ndata: bc\n\n";
    let inside = |slice: &[u8]| chunk.as_ptr_range().contains(&slice.as_ptr());
    let mut decoder = Decoder::default();
    let mut frames = decoder.push(chunk);
    for _ in 0..2 {
        let frame = frames.next().unwrap().unwrap();
        assert!(inside(frame.raw) && inside(frame.data.unwrap()));
    }
}

#[test]
fn an_event_over_the_limit_is_refused() {
    let error = TooLarge { limit: 12 };
    for chunks in [
        vec![&b"data: 1\n\ndata: 1234567\n\n"[..]],
        vec![b"data: 1\n\ndata: 123", b"4567\n\n"],
        vec![b"data: 1\n\nda", b"ta: 1234567"],
    ] {
        let mut decoder = Decoder::new(12);
        let mut found = 0;
        let mut failed = None;
        for chunk in &chunks {
            let mut frames = decoder.push(chunk);
            loop {
                match frames.next() {
                    Ok(Some(_)) => found += 1,
                    Ok(None) => break,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
        }
        assert_eq!((found, failed), (1, Some(error)), "{chunks:?}");
        assert_eq!(
            decoder.push(b"data: 1\n\n").next(),
            Err(error),
            "the stream is lost"
        );

        let mut sieve = Sieve::new(12);
        let mut out = Vec::new();
        for chunk in &chunks {
            sieve.push(&Bytes::copy_from_slice(chunk), |_| true, &mut out);
        }
        assert!(sieve.is_blind());
        sieve.push(&Bytes::from_static(b"more"), |_| false, &mut out);
        let mut expected = chunks.concat();
        expected.extend_from_slice(b"more");
        assert_eq!(out.concat(), expected, "a sieve passes it on");
        assert_eq!(sieve.finish(|_| false), None);
    }
}

#[test]
fn a_sieve_takes_one_event_out() {
    let stream = b"data: 1\n\n: ping\n\ndata: usage\n\ndata: [DONE]\n\n";
    let keep = |frame: &Frame<'_>| frame.data != Some(b"usage");
    for at in 0..=stream.len() {
        let (first, second) = stream.split_at(at);
        let text = sift(&[first, second], keep);
        assert_eq!(text, b"data: 1\n\n: ping\n\ndata: [DONE]\n\n", "cut at {at}");
    }
}

#[test]
fn written_events_have_the_usual_form() {
    let mut out = Vec::new();
    write_event(&mut out, None, b"{\"a\":1}");
    write_event(&mut out, Some("x\ny"), b"a\r\nb");
    write_comment(&mut out, "ping");
    assert_eq!(
        out,
        b"data: {\"a\":1}\n\nevent: xy\ndata: a\ndata: b\n\n: ping\n\n"
    );
}
