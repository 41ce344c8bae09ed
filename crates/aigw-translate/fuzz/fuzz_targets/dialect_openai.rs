//! Any bytes as a request, an answer, an error and a stream of OpenAI Chat Completions, for clients of every dialect: never a
//! panic, always JSON. Lines of the input are frames.

#![no_main]

use aigw_translate::dialect::{self, Observation, ReplyContext, Target};
use aigw_translate::ir::{DialectId, Losses};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fn is_json(bytes: &[u8]) {
    serde_json::from_slice::<IgnoredAny>(bytes).expect("JSON");
}

fuzz_target!(|input: &[u8]| {
    let openai = dialect::find(DialectId::OpenAiChat).expect("built");
    let context = ReplyContext {
        model: "m".to_owned(),
        id: "i".to_owned(),
        created: 1,
        stream_usage: true,
    };
    let request = openai.decode_request(input);
    let response = openai.decode_response(input);
    let error = openai.decode_error(500, input);
    let mut observation = Observation::default();
    openai.observe_body(input, &mut observation);

    let mut decoder = openai.stream_decoder();
    let mut events = Vec::new();
    for frame in input.split(|byte| *byte == b'\n') {
        openai.observe_frame(None, frame, &mut observation);
        if decoder.frame(None, frame, &mut events).is_err() {
            break;
        }
    }
    decoder.finish(&mut events);

    for other in dialect::ALL {
        let mut losses = Losses::default();
        if let Ok(request) = &request {
            let target = Target {
                model: "m",
                quirks: Default::default(),
                want_stream_usage: true,
            };
            if let Ok(written) = other.encode_request(request, target, &mut losses) {
                is_json(&written);
            }
        }
        if let Ok(response) = &response {
            is_json(&other.encode_response(response, &context, &mut losses));
        }
        is_json(&other.encode_error(&error));
        let mut encoder = other.stream_encoder(&context);
        let mut out = Vec::new();
        for event in &events {
            encoder.event(event, &mut out, &mut losses);
        }
        for line in out.split(|byte| *byte == b'\n') {
            match line.strip_prefix(b"data: ") {
                Some(b"[DONE]") | None => {}
                Some(data) => is_json(data),
            }
        }
    }
});
