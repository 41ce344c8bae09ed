//! What requests cost: worked out once, from the exact usage, on every exit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first surprise"
)]

mod script;

use aigw_engine::{FailureKind, Outcome, UsageRecord};
use script::{Script, anthropic_answer, chat, openai_answer, snapshot, two_backends};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

fn with_costs(of_document: Value, of_route: Value) -> Value {
    let mut document = two_backends();
    document["costs"] = of_document;
    document["routes"][0]["costs"] = of_route;
    document
}

fn cel(key: &str, text: &str) -> Value {
    json!({"metadataKey": key, "type": "CEL", "cel": text})
}

fn shown(record: &UsageRecord) -> Value {
    let line = serde_json::to_value(record).unwrap();
    json!([line.get("costs"), line.get("cost_failures")])
}

#[test]
fn an_answer_is_charged_by_route_and_document() {
    let costs = with_costs(
        json!([{"metadataKey": "total", "type": "TotalToken"}, {"metadataKey": "in", "type": "InputToken"}]),
        json!([
            {"metadataKey": "in", "type": "OutputToken"},
            cel("price", "(backend == 'b' && model == 'claude' && route_name == 'r' ? 100u : 10u) * output_tokens"),
        ]),
    );
    let shared = snapshot(costs);
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("m", false))
        .answer(200, &openai_answer("Hi"));
    assert_eq!(
        shown(script.record()),
        json!([{"in": 7, "price": 70, "total": 12}, null])
    );

    // The candidate that answered is the one that is charged for.
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("m", false)).answer(500, "{}");
    script.answer(200, &anthropic_answer("Hi"));
    assert_eq!(script.status(), 200, "{}", script.text());
    assert_eq!(
        shown(script.record()),
        json!([{"in": 7, "price": 700, "total": 12}, null])
    );
}

#[test]
fn nothing_is_charged_without_an_answer_or_without_costs() {
    let shared = snapshot(with_costs(json!([cel("one", "1u")]), json!([])));
    let mut script = Script::new(&shared);
    script
        .post(CHAT, &chat("only-a", false))
        .answer(400, r#"{"error":{"message":"no"}}"#);
    assert_eq!(script.record().outcome, Outcome::Error);
    assert_eq!(shown(script.record()), json!([null, null]));
    let mut script = Script::new(&shared);
    script.post(CHAT, &chat("unknown", false));
    assert_eq!(shown(script.record()), json!([null, null]));
    let mut script = Script::new(&shared);
    script.get("/v1/models");
    assert_eq!(shown(script.record()), json!([null, null]));

    let mut script = Script::new(&snapshot(two_backends()));
    script
        .post(CHAT, &chat("m", false))
        .answer(200, &openai_answer("Hi"));
    assert_eq!(shown(script.record()), json!([null, null]));
}

#[test]
fn a_cost_that_fails_is_named_and_the_others_stand() {
    let costs = json!([
        cel("under", "input_tokens > 0u ? input_tokens - output_tokens : 0u"),
        cel("divided", "input_tokens > 0u ? 1u / (output_tokens - 7u) : 0u"),
        cel("negative", "int(input_tokens) > 0 ? int(input_tokens) - int(output_tokens) : 0"),
        {"metadataKey": "total", "type": "TotalToken"},
    ]);
    let mut script = Script::new(&snapshot(with_costs(json!([]), costs)));
    script
        .post(CHAT, &chat("only-a", false))
        .answer(200, &openai_answer("Hi"));
    assert_eq!(script.status(), 200);
    assert_eq!(
        shown(script.record()),
        json!([{"negative": 0, "total": 12}, {"under": "overflow", "divided": "division_by_zero"}])
    );
}

const MESSAGE: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-2026\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":2,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
);

#[test]
fn streams_that_break_off_are_charged_for_what_is_known() {
    let costs = json!([
        {"metadataKey": "in", "type": "InputToken"},
        {"metadataKey": "cached", "type": "CachedInputToken"},
        {"metadataKey": "total", "type": "TotalToken"},
    ]);
    let shared = snapshot(with_costs(costs, json!([])));
    let begin = || {
        let mut script = Script::new(&shared);
        script
            .post(CHAT, &chat("only-b", true))
            .upstream_head(200, &[("content-type", "text/event-stream")])
            .chunk(MESSAGE.as_bytes());
        script
    };
    let mut cut = begin();
    cut.fail(FailureKind::Reset);
    assert_eq!(cut.record().outcome, Outcome::UpstreamCut);
    assert_eq!(
        shown(cut.record()),
        json!([{"in": 7, "cached": 2, "total": 8}, null])
    );
    let mut gone = begin();
    gone.play(aigw_engine::Event::ClientGone);
    assert_eq!(gone.record().outcome, Outcome::ClientGone);
    assert_eq!(
        shown(gone.record()),
        json!([{"in": 7, "cached": 2, "total": 8}, null])
    );
}
