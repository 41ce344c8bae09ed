//! Streams through the engine: any cut gives the same bytes, and a stream that breaks off says so.

mod script;

use aigw_engine::{FailureKind, Outcome};
use script::{Script, chat, snapshot, two_backends};

const CHAT: &str = "/v1/chat/completions";

const OPENAI: &str = concat!(
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-2026\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-2026\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Grüße\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-2026\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-2026\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}\n\n",
    "data: [DONE]\n\n",
);

const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-2026\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Grüße\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":7}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

/// Plays a stream whole and cut at every byte; the client's bytes and the usage must not change.
fn at_every_cut(path: &str, model: &str, upstream: &str) -> String {
    let shared = snapshot(two_backends());
    let run = |pieces: &[&[u8]]| {
        let mut script = Script::new(&shared);
        script
            .post(path, &chat(model, true))
            .stream(pieces.iter().copied());
        assert!(script.client.ended, "{}", script.text());
        let record = script.record();
        assert_eq!(record.outcome, Outcome::Success);
        assert_eq!((record.usage.input, record.usage.output), (Some(5), Some(7)));
        assert!(record.first_token.is_some());
        script.text()
    };
    let whole = run(&[upstream.as_bytes()]);
    for cut in 1..upstream.len() {
        let (left, right) = upstream.as_bytes().split_at(cut);
        assert_eq!(run(&[left, right]), whole, "cut at byte {cut}");
    }
    let single: Vec<&[u8]> = upstream.as_bytes().chunks(1).collect();
    assert_eq!(run(&single), whole, "byte by byte");
    whole
}

#[test]
fn a_passed_through_stream_loses_only_the_usage_that_nobody_asked_for() {
    let text = at_every_cut(CHAT, "only-a", OPENAI);
    let without: String = OPENAI
        .split_inclusive("\n\n")
        .filter(|event| !event.contains("\"usage\""))
        .collect();
    assert_eq!(text, without);
}

#[test]
fn a_client_that_asked_for_usage_gets_the_stream_byte_for_byte() {
    let mut script = Script::new(&snapshot(two_backends()));
    let body = r#"{"model":"only-a","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}"#;
    script.post(CHAT, body).stream([OPENAI.as_bytes()]);
    assert_eq!(script.text(), OPENAI);
    assert_eq!(script.record().usage.output, Some(7));
}

#[test]
fn a_translated_stream_is_the_same_at_every_cut() {
    let text = at_every_cut(CHAT, "only-b", ANTHROPIC);
    assert!(
        text.contains("Grüße") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
    let text = at_every_cut("/v1/messages", "only-a", OPENAI);
    assert!(
        text.contains("Grüße") && text.contains("event: message_stop"),
        "{text}"
    );
    assert_eq!(at_every_cut("/v1/messages", "only-b", ANTHROPIC), ANTHROPIC);
}

#[test]
fn a_stream_cut_anywhere_ends_with_an_error_event_and_is_a_failure() {
    let shared = snapshot(two_backends());
    for (path, model, upstream, sign) in [
        (CHAT, "only-a", OPENAI, "data: {\"error\""),
        (CHAT, "only-b", ANTHROPIC, "data: {\"error\""),
        ("/v1/messages", "only-a", OPENAI, "event: error\n"),
        ("/v1/messages", "only-b", ANTHROPIC, "event: error\n"),
    ] {
        // Cut before anything tells that the answer is complete.
        let stop = upstream
            .find("finish_reason\":\"stop")
            .or_else(|| upstream.find("message_delta"))
            .unwrap();
        for cut in 1..stop {
            let mut script = Script::new(&shared);
            script
                .post(path, &chat(model, true))
                .upstream_head(200, &[("content-type", "text/event-stream")]);
            script.chunk(&upstream.as_bytes()[..cut]).fail(FailureKind::Reset);
            if script.client.headers.contains_key("x-aigw-error") {
                // Nothing had reached the client: the failure is the whole answer.
                assert_eq!(
                    (script.status(), script.error_code()),
                    (502, "upstream_reset"),
                    "cut at {cut}"
                );
                assert!(cut < upstream.find("\n\n").unwrap() + 2, "cut at {cut}");
                continue;
            }
            assert!(
                script.text().contains(sign),
                "{path} {model} cut at {cut}: {}",
                script.text()
            );
            assert!(script.client.ended);
            assert_eq!(script.record().outcome, Outcome::UpstreamCut, "cut at {cut}");
            assert_eq!(script.record().attempts[0].failure, Some("reset"));
        }
    }
}

#[test]
fn a_stream_that_ends_early_is_a_failure_too() {
    let mut script = Script::new(&snapshot(two_backends()));
    let half = &ANTHROPIC[..ANTHROPIC.find("event: message_delta").unwrap()];
    script.post(CHAT, &chat("only-b", true)).stream([half.as_bytes()]);
    assert!(script.text().contains("data: {\"error\""), "{}", script.text());
    assert_eq!(script.record().outcome, Outcome::UpstreamCut);
}

#[test]
fn silence_inside_a_stream_ends_it() {
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post(CHAT, &chat("only-b", true))
        .upstream_head(200, &[("content-type", "text/event-stream")]);
    script.chunk(&ANTHROPIC.as_bytes()[..600]);
    assert_eq!(script.sleep_to_deadline().as_secs(), 300);
    assert_eq!(script.cancelled, [0]);
    assert!(script.text().contains("data: {\"error\""));
    assert_eq!(script.record().attempts[0].failure, Some("timeout"));
}

#[test]
fn a_client_that_leaves_cancels_the_upstream_and_keeps_the_usage() {
    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post("/v1/messages", &chat("only-b", true))
        .upstream_head(200, &[("content-type", "text/event-stream")]);
    script
        .chunk(&ANTHROPIC.as_bytes()[..400])
        .play(aigw_engine::Event::ClientGone);
    assert_eq!(script.cancelled, [0]);
    let record = script.record();
    assert_eq!(record.outcome, Outcome::ClientGone);
    assert_eq!(record.usage.input, Some(5));
}
