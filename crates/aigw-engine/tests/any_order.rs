//! Events in any order, valid or not: the exchange never panics, keeps the order of its effects (the script checks that) and
//! ends with one record and all permits given back.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod script;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aigw_config::Snapshot;
use aigw_engine::{Event, Failure, FailureKind, Shared};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use proptest::prelude::*;
use script::{Script, anthropic_answer, chat, openai_answer, snapshot, two_backends};
use serde_json::{Value, json};

/// One event, as far as it can be said before it is played.
#[derive(Clone, Debug)]
enum Move {
    Request(usize),
    Body(usize),
    BodyEnd,
    BodyFailed,
    ClientGone,
    Head(Which, u16, usize, Option<&'static str>),
    Chunk(Which, usize, usize),
    End(Which),
    Failed(Which, usize),
    /// The deadline, or a moment before it.
    Deadline(bool),
    Pass(u64),
}

/// The attempt that an event is about.
#[derive(Clone, Copy, Debug)]
enum Which {
    Last,
    Number(u32),
}

static CONFIGURATIONS: LazyLock<Vec<Arc<Snapshot>>> = LazyLock::new(|| {
    let edited = |edit: fn(&mut Value)| {
        let mut document = two_backends();
        edit(&mut document);
        snapshot(document)
    };
    vec![
        snapshot(two_backends()),
        edited(|d| d["limits"] = json!({"maxConcurrent": 1, "bytesInFlight": 700, "maxRequestBody": 300})),
        edited(|d| {
            d["routes"][0]["rules"][0]["retry"] =
                json!({"attempts": 5, "attemptsPerBackend": 3, "statuses": [400, 418]});
            d["routes"][0]["rules"][0]["timeouts"] =
                json!({"request": "20s", "firstByte": "5s", "idle": "3s"});
        }),
        edited(|d| {
            d["routes"][0]["rules"][0]["retry"] = json!({"onError": "return"});
            d["routes"][0]["strict"] = json!(true);
            d["backends"][0]["maxConcurrent"] = json!(1);
        }),
        edited(|d| {
            d["clientKeys"] = json!([{"name": "alice", "key": "alice-key"}]);
            d["backends"][0]["auth"] = json!({"type": "passthrough"});
            d["backends"][0]["apiKey"] = Value::Null;
            d["limits"] = json!({"allowedOrigins": ["https://good.example"]});
        }),
    ]
});

const STREAMS: [&str; 2] = [
    concat!(
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}\n\n",
        "data: [DONE]\n\n",
    ),
    concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"c\",\"content\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ),
];

fn bodies() -> Vec<String> {
    vec![
        chat("m", false),
        chat("m", true),
        chat("only-b", true),
        json!({"model": "m", "seed": 1, "stream": true, "messages": []}).to_string(),
        "{\"model\":".to_owned(),
        " ".repeat(200),
        String::new(),
    ]
}

fn chunks() -> Vec<String> {
    let mut all = vec![
        openai_answer("Hello"),
        anthropic_answer("Hello"),
        "nonsense\n\n".to_owned(),
        "data: {\"error\":{\"message\":\"overloaded\"}}\n\n".to_owned(),
        ": ping\n\n".to_owned(),
        String::new(),
    ];
    all.extend(STREAMS.map(str::to_owned));
    all.extend(
        STREAMS
            .iter()
            .flat_map(|stream| stream.split_inclusive("\n\n"))
            .map(str::to_owned),
    );
    all
}

fn request(script: &mut Script, kind: usize) {
    let json = ("content-type", "application/json");
    let key = ("x-api-key", "alice-key");
    let origin = ("origin", "https://good.example");
    match kind % 8 {
        0 => script.head(Method::POST, "/v1/chat/completions", &[json, key], false),
        1 => script.head(
            Method::POST,
            "/v1/messages",
            &[json, key, ("x-aigw-strict", "1")],
            false,
        ),
        2 => script.head(
            Method::POST,
            "/v1/chat/completions",
            &[key, ("content-length", "250")],
            false,
        ),
        3 => script.head(Method::POST, "/v1/responses", &[json, key], false),
        4 => script.head(Method::GET, "/v1/responses/r", &[key], true),
        5 => script.head(Method::GET, "/v1/models", &[key], true),
        6 => script.head(
            Method::OPTIONS,
            "/v1/messages",
            &[origin, ("access-control-request-method", "POST")],
            true,
        ),
        _ => script.head(Method::POST, "/v1/chat/completions", &[], true),
    };
}

fn play(script: &mut Script, one: &Move) {
    let number = |script: &Script, which: Which| match which {
        Which::Last => script.attempts.last().map_or(0, |attempt| attempt.attempt),
        Which::Number(number) => number,
    };
    let pick = |all: Vec<String>, index: usize| all[index % all.len()].clone();
    match *one {
        Move::Request(kind) => request(script, kind),
        Move::Body(index) => {
            script.play(Event::Body(Bytes::from(pick(bodies(), index))));
        }
        Move::BodyEnd => {
            script.play(Event::BodyEnd);
        }
        Move::BodyFailed => {
            script.play(Event::BodyFailed("scripted".to_owned()));
        }
        Move::ClientGone => {
            script.play(Event::ClientGone);
        }
        Move::Head(which, status, kind, wait) => {
            let kinds = ["application/json", "text/event-stream", "text/html"];
            let mut headers = HeaderMap::new();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static(kinds[kind % kinds.len()]),
            );
            if kind >= 6 {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            if let Some(wait) = wait {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
            }
            let status = StatusCode::from_u16(status).unwrap_or_default();
            let attempt = number(script, which);
            script.play(Event::UpstreamHead {
                attempt,
                status,
                headers,
            });
        }
        Move::Chunk(which, index, cut) => {
            let mut data = pick(chunks(), index).into_bytes();
            if cut < 8 {
                data.truncate(data.len() * cut / 8);
            }
            let attempt = number(script, which);
            script.play(Event::UpstreamChunk {
                attempt,
                data: Bytes::from(data),
            });
        }
        Move::End(which) => {
            let attempt = number(script, which);
            script.play(Event::UpstreamEnd { attempt });
        }
        Move::Failed(which, kind) => {
            let kinds = [
                FailureKind::Connect,
                FailureKind::Stale,
                FailureKind::Reset,
                FailureKind::Protocol,
            ];
            let attempt = number(script, which);
            let failure = Failure {
                kind: kinds[kind % 3],
                message: "scripted".to_owned(),
            };
            script.play(Event::UpstreamFailed { attempt, failure });
        }
        Move::Deadline(due) => {
            if due && script.exchange.deadline().is_some() {
                script.sleep_to_deadline();
            } else {
                script.play(Event::Deadline);
            }
        }
        Move::Pass(seconds) => {
            script.pass(Duration::from_secs(seconds));
        }
    }
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![8 => Just(Which::Last), 1 => (0u32..4).prop_map(Which::Number)]
}

fn any_move() -> impl Strategy<Value = Move> {
    let status = prop_oneof![
        6 => Just(200u16),
        4 => prop::sample::select(vec![103u16, 204, 304, 400, 401, 403, 404, 408, 418, 429, 500, 503, 999]),
    ];
    let wait = prop::sample::select(vec![None, None, Some("1"), Some("30"), Some("soon")]);
    prop_oneof![
        1 => (0usize..8).prop_map(Move::Request),
        1 => (0usize..7).prop_map(Move::Body),
        1 => Just(Move::BodyEnd),
        1 => Just(Move::BodyFailed),
        1 => Just(Move::ClientGone),
        8 => (which(), status, 0usize..9, wait).prop_map(|(w, s, k, r)| Move::Head(w, s, k, r)),
        12 => (which(), 0usize..19, 0usize..16).prop_map(|(w, i, c)| Move::Chunk(w, i, c)),
        4 => which().prop_map(Move::End),
        3 => (which(), 0usize..4).prop_map(|(w, k)| Move::Failed(w, k)),
        3 => any::<bool>().prop_map(Move::Deadline),
        1 => (0u64..700).prop_map(Move::Pass),
    ]
}

/// A play that mostly begins as requests do, so that it gets somewhere.
fn any_play() -> impl Strategy<Value = Vec<Move>> {
    let begin = prop_oneof![
        4 => (0usize..5, 0usize..4).prop_map(|(kind, body)| vec![Move::Request(kind), Move::Body(body), Move::BodyEnd]),
        1 => Just(Vec::new()),
    ];
    (begin, prop::collection::vec(any_move(), 0..24)).prop_map(|(mut begin, rest)| {
        begin.extend(rest);
        begin
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_ends_in_one_record(configuration in 0usize..5, moves in any_play()) {
        let shared = Arc::new(Shared::default());
        let mut script = Script::sharing(&CONFIGURATIONS[configuration], &shared);
        let mut asked = false;
        let mut gone = false;
        for one in &moves {
            play(&mut script, one);
            gone |= matches!(one, Move::ClientGone);
            asked |= matches!(one, Move::Request(_)) && !gone;
            prop_assert_eq!(script.record.is_some(), asked && script.exchange.is_done(), "{:?}", one);
        }
        script.play(Event::ClientGone);
        prop_assert!(script.exchange.is_done());
        prop_assert_eq!(script.exchange.deadline(), None);
        prop_assert_eq!(script.record.is_some(), asked);
        if let Some(record) = &script.record {
            prop_assert_eq!(record.status, script.status());
            // A renewed attempt stands for the one it renews.
            let renewed = script.attempts.iter().filter(|attempt| attempt.fresh).count();
            prop_assert_eq!(record.attempts.len(), script.attempts.len() - renewed);
            prop_assert_eq!(record.response_bytes, script.client.body.len() as u64);
            let errs = record.outcome != aigw_engine::Outcome::Success;
            prop_assert_eq!(record.error_code.is_some() && record.error_class.is_some(), errs);
        }
        drop(script);
        prop_assert_eq!((shared.bytes_held(), shared.requests_held()), (0, 0));
        for name in ["a", "b"] {
            prop_assert!(shared.backend(&name.into(), 1).is_some(), "a permit of {} is lost", name);
        }
    }
}
