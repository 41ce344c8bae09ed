//! Times of the codecs on bodies of usual sizes; a figure is the median of many rounds. `cargo bench --bench codec`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks, and may fail"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aigw_translate::codec::sse::Decoder;
use aigw_translate::json::{Edit, patch_peeked, peek};

const NAMES: [&str; 3] = ["model", "stream", "stream_options"];

/// Median time of one call.
fn time<T>(mut call: impl FnMut() -> T) -> Duration {
    let mut rounds: Vec<Duration> = (0..51)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..200 {
                black_box(call());
            }
            start.elapsed() / 200
        })
        .collect();
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

fn report(name: &str, bytes: usize, took: Duration) {
    let rate = bytes as f64 / took.as_secs_f64() / 1e9;
    println!(
        "{name:<44} {bytes:>7} B {:>10.2} µs {rate:>7.2} GB/s",
        took.as_secs_f64() * 1e6
    );
}

/// A chat request of about `size` bytes: messages of `message` bytes each, with a line end every 60 characters.
fn chat(size: usize, message: usize, filler: &str) -> Vec<u8> {
    let mut text = String::from(r#"{"model":"gpt-4o","stream":true,"messages":["#);
    let mut first = true;
    while text.len() < size {
        if !std::mem::take(&mut first) {
            text.push(',');
        }
        text.push_str(r#"{"role":"user","content":""#);
        let end = text.len() + message.min(size.saturating_sub(text.len()).max(1));
        while text.len() < end {
            text.push_str(filler);
        }
        text.push_str("\"}");
    }
    text.push_str("],\"temperature\":0.7}");
    text.into_bytes()
}

fn main() {
    let dense = r#"gateway answers in order, the \"quoted\" stream carries one token after another.\nnaïve clients read it as it comes; C:\\path costs more than words.\n\n"#;
    let prose = "The quick brown fox jumps over the lazy dog, and so on it ran\\n";
    let bodies = [
        ("1 KiB, short messages", chat(1 << 10, 100, prose)),
        ("16 KiB, one message", chat(16 << 10, 16 << 10, prose)),
        ("16 KiB, short messages", chat(16 << 10, 200, prose)),
        ("16 KiB, many escapes", chat(16 << 10, 16 << 10, dense)),
        (
            "16 KiB, no escapes",
            chat(16 << 10, 16 << 10, &prose.replace("\\n", "  ")),
        ),
        (
            "16 KiB, not ASCII",
            chat(16 << 10, 16 << 10, "Чудесный день, и так далее\\n"),
        ),
        (
            "1 MiB, base64",
            chat(1 << 20, 1 << 20, "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"),
        ),
    ];
    for (name, body) in &bodies {
        report(
            &format!("peek: {name}"),
            body.len(),
            time(|| peek(body, NAMES).unwrap()),
        );
        report(
            &format!("serde_json::Value: {name}"),
            body.len(),
            time(|| serde_json::from_slice::<serde_json::Value>(body).unwrap()),
        );
        let peeked = peek(body, NAMES).unwrap();
        let edits = [
            Edit::Set {
                name: "model",
                value: "\"gpt-4o-2024-11-20\"",
            },
            Edit::SetNested {
                name: "stream_options",
                member: "include_usage",
                value: "true",
            },
        ];
        report(
            &format!("patch: {name}"),
            body.len(),
            time(|| patch_peeked(body, &peeked, &edits).unwrap()),
        );
    }
    let event = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}"#;
    let stream = format!("{event}\n\n").repeat(64).into_bytes();
    for (name, size) in [("one chunk", stream.len()), ("cut every 100 bytes", 100)] {
        report(
            &format!("sse: 64 events, {name}"),
            stream.len(),
            time(|| {
                let mut decoder = Decoder::default();
                let mut bytes = 0;
                for chunk in stream.chunks(size) {
                    let mut frames = decoder.push(chunk);
                    while let Some(frame) = frames.next().unwrap() {
                        bytes += frame.data.map_or(0, <[u8]>::len);
                    }
                }
                bytes
            }),
        );
    }
}
