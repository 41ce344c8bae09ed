//! Requests, answers and streams of the Anthropic dialect, of any bytes: read or refused, never a panic; what is written is valid
//! JSON; and a request that was written once is written so again. The first byte chooses what the rest is.

#![no_main]

use aigw_config::Quirks;
use aigw_translate::dialect::{ALL, Dialect, Observation, ReplyContext, Target, find};
use aigw_translate::ir::{DialectId, Losses};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let anthropic = find(DialectId::AnthropicMessages).expect("it is built");
    match choice % 4 {
        0 => request(anthropic, body),
        1 => answer(anthropic, body),
        2 => stream(anthropic, body),
        _ => drop(anthropic.decode_error(500, body)),
    }
});

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("what is written is JSON")
}

fn request(anthropic: &dyn Dialect, body: &[u8]) {
    let Ok(request) = anthropic.decode_request(body) else {
        return;
    };
    let write = |target: &dyn Dialect, request| {
        let to = Target {
            model: "claude-sonnet-4-5",
            quirks: Quirks::NONE,
            want_stream_usage: true,
        };
        target.encode_request(request, to, &mut Losses::default()).ok()
    };
    for target in ALL {
        if let Some(written) = write(*target, &request) {
            json(&written);
        }
    }
    if let Some(first) = write(anthropic, &request) {
        let again = anthropic.decode_request(&first).expect("its own output is readable");
        let second = write(anthropic, &again).expect("and writable");
        assert_eq!(json(&first), json(&second));
    }
}

fn context() -> ReplyContext {
    ReplyContext {
        model: "m".to_owned(),
        id: "i".to_owned(),
        created: 1,
        stream_usage: true,
    }
}

fn answer(anthropic: &dyn Dialect, body: &[u8]) {
    anthropic.observe_body(body, &mut Observation::default());
    let Ok(response) = anthropic.decode_response(body) else {
        return;
    };
    for client in ALL {
        json(&client.encode_response(&response, &context(), &mut Losses::default()));
    }
}

/// A line is a frame: its event's name, a space, its data.
fn stream(anthropic: &dyn Dialect, body: &[u8]) {
    let mut decoder = anthropic.stream_decoder();
    let mut events = Vec::new();
    for line in body.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
        let (name, data) = line.split_at(at);
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
        anthropic.observe_frame(name, data, &mut Observation::default());
        let _ = decoder.frame(name, data, &mut events);
    }
    decoder.finish(&mut events);
    for client in ALL {
        let mut encoder = client.stream_encoder(&context());
        let mut out = Vec::new();
        for event in &events {
            encoder.event(event, &mut out, &mut Losses::default());
        }
        for line in out.split(|byte| *byte == b'\n') {
            if let Some(data) = line.strip_prefix(b"data: ").filter(|data| *data != b"[DONE]") {
                json(data);
            }
        }
    }
}
