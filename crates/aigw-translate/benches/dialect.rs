//! Times of translation between the dialects: whole requests, and streams by the event. `cargo bench --bench dialect`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks, and may fail"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aigw_config::Quirks;
use aigw_translate::dialect::{Dialect, Observation, ReplyContext, Target, find};
use aigw_translate::ir::{DialectId, Losses};

/// Time of one call: the fastest tenth of many short rounds, which others on the machine disturb least.
fn time<T>(mut call: impl FnMut() -> T) -> Duration {
    let mut rounds: Vec<Duration> = (0..501)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..10 {
                black_box(call());
            }
            start.elapsed() / 10
        })
        .collect();
    rounds.sort_unstable();
    rounds[rounds.len() / 10]
}

const EVENTS: usize = 64;

type Frames = Vec<(Option<&'static str>, String)>;

fn anthropic_stream() -> Frames {
    let mut frames: Frames = vec![
        (
            Some("message_start"),
            r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}}"#.to_owned(),
        ),
        (
            Some("content_block_start"),
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned(),
        ),
    ];
    for index in 0..EVENTS {
        frames.push((
            Some("content_block_delta"),
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"word {index}\n"}}}}"#),
        ));
    }
    frames.push((
        Some("content_block_stop"),
        r#"{"type":"content_block_stop","index":0}"#.to_owned(),
    ));
    frames.push((
        Some("message_delta"),
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}"#.to_owned(),
    ));
    frames.push((Some("message_stop"), r#"{"type":"message_stop"}"#.to_owned()));
    frames
}

fn openai_stream() -> Frames {
    let chunk = |delta: &str, finish: &str| {
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt","service_tier":"default","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null}}"#
        )
    };
    let mut frames = vec![(None, chunk(r#"{"role":"assistant","content":""}"#, "null"))];
    for index in 0..EVENTS {
        frames.push((None, chunk(&format!(r#"{{"content":"word {index}\n"}}"#), "null")));
    }
    frames.push((None, chunk("{}", "\"stop\"")));
    frames.push((
        None,
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt","choices":[],"usage":{"prompt_tokens":25,"completion_tokens":15,"total_tokens":40}}"#.to_owned(),
    ));
    frames.push((None, "[DONE]".to_owned()));
    frames
}

fn translate(upstream: &dyn Dialect, client: &dyn Dialect, frames: &Frames) -> usize {
    let context = ReplyContext {
        model: "m".to_owned(),
        id: "i".to_owned(),
        created: 1,
        stream_usage: true,
    };
    let mut decoder = upstream.stream_decoder();
    let mut encoder = client.stream_encoder(&context);
    let (mut events, mut out, mut losses) = (Vec::new(), Vec::new(), Losses::default());
    let mut bytes = 0;
    for (name, data) in frames {
        decoder.frame(*name, data.as_bytes(), &mut events).unwrap();
        for event in events.drain(..) {
            encoder.event(&event, &mut out, &mut losses);
        }
        bytes += out.len();
        out.clear();
    }
    assert!(decoder.finish(&mut events));
    bytes
}

fn streams(anthropic: &dyn Dialect, openai: &dyn Dialect) {
    let (of_anthropic, of_openai) = (anthropic_stream(), openai_stream());
    for (name, upstream, client, frames) in [
        ("anthropic to openai", anthropic, openai, &of_anthropic),
        ("openai to anthropic", openai, anthropic, &of_openai),
        ("anthropic to anthropic", anthropic, anthropic, &of_anthropic),
        ("openai to openai", openai, openai, &of_openai),
    ] {
        let took = time(|| translate(upstream, client, frames));
        let each = took.as_secs_f64() * 1e6 / frames.len() as f64;
        println!("stream {name:<28} {each:>8.3} µs an event");
    }
    for (name, dialect, frames) in [
        ("anthropic", anthropic, &of_anthropic),
        ("openai", openai, &of_openai),
    ] {
        let took = time(|| {
            let mut observation = Observation::default();
            for (event, data) in frames {
                dialect.observe_frame(*event, data.as_bytes(), &mut observation);
            }
            observation
        });
        let each = took.as_secs_f64() * 1e6 / frames.len() as f64;
        println!("observe {name:<27} {each:>8.3} µs an event");
    }
}

fn requests(anthropic: &dyn Dialect, openai: &dyn Dialect) {
    for size in [1 << 10, 16 << 10] {
        let turns: Vec<String> = (0..size / 200)
            .map(|index| {
                let role = if index % 2 == 0 { "user" } else { "assistant" };
                format!(r#"{{"role":"{role}","content":"{}"}}"#, "word \\n".repeat(24))
            })
            .collect();
        let body = format!(
            r#"{{"model":"m","max_tokens":100,"messages":[{}]}}"#,
            turns.join(",")
        );
        for (name, client, upstream) in [
            ("anthropic to openai", anthropic, openai),
            ("openai to anthropic", openai, anthropic),
        ] {
            let took = time(|| {
                let request = client.decode_request(body.as_bytes()).unwrap();
                let target = Target {
                    model: "claude-sonnet-4-5",
                    quirks: Quirks::NONE,
                    want_stream_usage: false,
                };
                upstream
                    .encode_request(&request, target, &mut Losses::default())
                    .unwrap()
            });
            println!(
                "request {name:<20} {:>7} B {:>8.2} µs",
                body.len(),
                took.as_secs_f64() * 1e6
            );
        }
        let took = time(|| {
            let value: serde_json::Value = serde_json::from_slice(body.as_bytes()).unwrap();
            serde_json::to_vec(&value).unwrap()
        });
        println!(
            "parse and write as a tree    {:>7} B {:>8.2} µs",
            body.len(),
            took.as_secs_f64() * 1e6
        );
    }
}

fn main() {
    let anthropic = find(DialectId::AnthropicMessages).unwrap();
    let openai = find(DialectId::OpenAiChat).unwrap();
    streams(anthropic, openai);
    requests(anthropic, openai);
}
