//! The processor behind a real Envoy: what goes direct, what is parked, and every way an exchange can end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at the first surprise"
)]

mod rig;

use aigw_engine::Outcome;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UnixListener};

use rig::{Rig, chat, chat_stream, closed, mock, post, read_request, reset, within};

/// Starts what the test needs, or ends the test where there is no Envoy.
macro_rules! rig {
    ($start:expr) => {
        match $start.await {
            Some(rig) => rig,
            None => return,
        }
    };
}

fn one(provider: &str, upstream: std::net::SocketAddr) -> String {
    format!(
        "backends: [{{name: up, provider: {provider}, url: 'http://{upstream}', apiKey: upstream-key}}]\n\
         routes: [{{name: all, rules: [{{backends: [{{name: up}}]}}]}}]\n"
    )
}

fn two(first: std::net::SocketAddr, second: std::net::SocketAddr) -> String {
    format!(
        "backends:\n\
         - {{name: first, provider: openai, url: 'http://{first}', apiKey: first-key}}\n\
         - {{name: second, provider: anthropic, url: 'http://{second}', apiKey: second-key}}\n\
         routes: [{{name: all, rules: [{{backends: [{{name: first}}, {{name: second, priority: 1}}]}}]}}]\n"
    )
}

/// The beginning of an answer of 100 bytes.
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"a\":";

/// An upstream's connection that has its whole request.
async fn asked(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await;
    stream
}

/// The same, once it has sent the beginning of an answer.
async fn asked_and_half_answered(listener: &TcpListener) -> TcpStream {
    let mut stream = asked(listener).await;
    stream.write_all(HALF.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn one_candidate_is_sent_by_envoy_and_its_usage_is_recorded() {
    let mut rig = rig!(Rig::direct_only(&one("openai", mock().await)));
    let answer = rig.ask(chat("gpt-4o", "ping")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "pong");
    assert!(answer.header("x-request-id").is_some(), "{answer:?}");
    let record = rig.record().await;
    assert_eq!((record.outcome, record.status), (Outcome::Success, 200));
    assert_eq!(record.listener.as_ref(), "test");
    assert_eq!(record.usage.input, Some(1));
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(record.attempts[0].status, Some(200));
    assert!(rig.has_no_record());
    let logged = rig.logged().await;
    let metadata = &logged["metadata"];
    assert_eq!(metadata["model"], "gpt-4o", "{logged}");
    assert_eq!(metadata["backend_name"], "up", "{logged}");
    assert_eq!(metadata["input_tokens"], 1, "{logged}");
}

#[tokio::test]
async fn costs_are_metadata_beside_what_other_gateways_write() {
    let costs = "costs:\n\
                 - {metadataKey: llm_total_token, type: TotalToken}\n\
                 - {metadataKey: input_tokens, type: CEL, cel: 'input_tokens * 10u'}\n\
                 - {metadataKey: route_name, type: TotalToken}\n";
    let configuration = one("openai", mock().await) + costs;
    let mut rig = rig!(Rig::direct_only(&configuration));
    let answer = rig.ask(chat("gpt-4o", "ping")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let record = rig.record().await;
    let logged = rig.logged().await;
    let metadata = &logged["metadata"];
    assert_eq!(
        metadata["llm_total_token"],
        json!(record.usage.total()),
        "{logged}"
    );
    // A cost goes before a field of our own, and a field that others count on before a cost.
    assert_eq!(metadata["input_tokens"], 10, "{logged}");
    assert_eq!(metadata["route_name"], "all", "{logged}");
    assert_eq!(metadata["model_name_override"], "gpt-4o", "{logged}");
    assert_eq!(metadata["ai_service_backend_name"], "up", "{logged}");
    assert_eq!(metadata["content_length"], record.request_bytes, "{logged}");
}

#[tokio::test]
async fn what_envoy_does_not_reach_is_parked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = rig!(Rig::native_only(&one("openai", listener.local_addr().unwrap())));
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = read_request(&mut stream).await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
        seen
    };
    let (answer, _) = within(async { tokio::join!(rig.ask(chat("m", "hello")), serve) }).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(rig.logged().await["cluster"], "aigw-local");
    assert_eq!(rig.record().await.outcome, Outcome::Success);
}

#[tokio::test]
async fn one_candidate_of_another_dialect_is_translated_both_ways() {
    let mut rig = rig!(Rig::direct_only(&one("anthropic", mock().await)));
    let answer = rig.ask(chat("claude", "ping")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "pong");
    let length = answer.body.as_ref().unwrap().len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    let record = rig.record().await;
    assert_eq!(record.outcome, Outcome::Success);
    assert_eq!(record.usage.output, Some(1));
}

#[tokio::test]
async fn the_upstream_sees_what_the_engine_says_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let rig = rig!(Rig::direct_only(&one("openai", upstream)));
    let mut request = chat("m", "hello");
    for (name, value) in [
        ("authorization", "Bearer client-secret"),
        ("cookie", "a=b"),
        ("x-aigw-cluster", "forged"),
        ("x-aigw-exchange", "0123456789abcdef0123456789abcdef"),
        ("x-forwarded-for", "192.0.2.9"),
        ("x-team", "one"),
        ("x-team", "two"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = read_request(&mut stream).await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: s=1\r\nx-ratelimit-a: 1\r\nx-ratelimit-a: 2\r\nx-aigw-envoy: UF\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
        seen
    };
    let (answer, seen) = within(async { tokio::join!(rig.ask(request), serve) }).await;
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().skip(1).collect();
    lines.sort_unstable();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{head}");
    assert_eq!(
        lines,
        [
            "accept: application/json",
            "authorization: Bearer upstream-key",
            &format!("content-length: {}", body.len()),
            "content-type: application/json",
            &format!("host: {upstream}"),
            "x-team: one",
            "x-team: two",
        ],
        "{head}"
    );
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers.get_all("x-ratelimit-a").iter().count(), 2);
    assert!(answer.header("set-cookie").is_none(), "{answer:?}");
    assert!(answer.header("x-aigw-envoy").is_none(), "{answer:?}");
}

#[tokio::test]
async fn streams_are_parked_and_go_on_in_the_native_host() {
    let mut rig = rig!(Rig::start(&one("openai", mock().await)));
    let answer = rig.ask(chat_stream("gpt-4o", "count to 5")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert!(answer.text().trim_end().ends_with("[DONE]"), "{}", answer.text());
    let record = rig.record().await;
    assert_eq!(record.outcome, Outcome::Success);
    assert!(record.first_token.is_some());
    assert_eq!(record.usage.output, Some(5));
    assert_eq!(rig.parking.waiting(), 0);
    let logged = rig.logged().await;
    assert_eq!(logged["metadata"]["model"], "gpt-4o", "{logged}");
}

#[tokio::test]
async fn a_second_candidate_of_another_dialect_answers_for_the_first() {
    let mut rig = rig!(Rig::start(&two(closed().await, mock().await)));
    let answer = rig.ask(chat("m", "ping")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "pong");
    let record = rig.record().await;
    let backends: Vec<&str> = record.attempts.iter().map(|attempt| &*attempt.backend).collect();
    assert_eq!(backends, ["first", "first", "second"]);
    assert_eq!(record.outcome, Outcome::Success);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_parked_answer_is_lost_while_many_come_at_once() {
    let upstream = mock().await;
    let rig = std::sync::Arc::new(rig!(Rig::start(&two(upstream, upstream))));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let rig = std::sync::Arc::clone(&rig);
            tokio::spawn(async move {
                let mut connection = rig.connect().await;
                for _ in 0..100 {
                    let answer = within(connection.send_request(chat("m", "ping"))).await.unwrap();
                    assert_eq!(answer.status(), StatusCode::OK);
                    within(answer.into_body().collect()).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn large_bodies_go_both_ways() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "what is it"},
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "AAAA".repeat(1_250_000))}},
    ]}]});
    for yaml in [one("openai", mock().await), two(mock().await, closed().await)] {
        let mut rig = rig!(Rig::start(&yaml));
        let answer = rig.ask(post("/v1/chat/completions", &body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let content = &answer.json()["choices"][0]["message"]["content"];
        assert_eq!(content, "I see an image of 3750000 bytes (image/png)");
        assert!(rig.record().await.request_bytes > 5_000_000);
        assert_eq!(rig.gateway.shared.bytes_held(), 0);
    }
}

#[tokio::test]
async fn refusals_and_lists_are_answered_at_once() {
    let yaml = one("openai", mock().await)
        + "clientKeys: [{name: me, key: client-key}]\nlimits: {maxRequestBody: 1000}\n";
    let mut rig = rig!(Rig::direct_only(&yaml));
    let answer = rig.ask(chat("m", &"x".repeat(1 << 20))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "missing_client_key", "{answer:?}");
    assert!(answer.header("x-aigw-envoy").is_none(), "{answer:?}");
    assert_eq!(rig.record().await.status, 401);

    let mut request = chat("m", &"x".repeat(1 << 20));
    let key = || "Bearer client-key".parse().unwrap();
    request.headers_mut().insert("authorization", key());
    let answer = rig.ask(request).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "request_too_large", "{answer:?}");
    assert_eq!(rig.record().await.status, 413);

    let mut request = Request::get("/v1/models")
        .header("host", "a")
        .body(Full::default())
        .unwrap();
    request.headers_mut().insert("authorization", key());
    let answer = rig.ask(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["object"], "list");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(rig.record().await.operation, "models");
}

#[tokio::test]
async fn an_unannounced_body_is_refused_when_it_passes_the_limit() {
    let yaml = one("openai", mock().await) + "limits: {maxRequestBody: 100000}\n";
    let mut rig = rig!(Rig::direct_only(&yaml));
    let mut stream = rig.connect_raw().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = format!("c350\r\n{}\r\n", "x".repeat(50_000));
    for _ in 0..3 {
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("request_too_large") {
        use tokio::io::AsyncReadExt;
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "{seen:?}");
    }
    assert!(seen.starts_with(b"HTTP/1.1 413"));
    assert_eq!(rig.record().await.status, 413);
}

#[tokio::test]
async fn envoys_own_replies_become_errors_in_the_clients_dialect() {
    let mut rig = rig!(Rig::direct_only(&one("openai", closed().await)));
    let answer = rig.ask(chat("m", "ping")).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{answer:?}");
    assert_eq!(answer.header("x-aigw-error"), Some("upstream_unreachable"));
    assert_eq!(answer.json()["error"]["code"], "upstream_unreachable");
    assert!(answer.header("x-aigw-envoy").is_none(), "{answer:?}");
    let record = rig.record().await;
    assert_eq!(record.attempts[0].failure, Some("connect"));
    assert!(rig.has_no_record());
}

#[tokio::test]
async fn a_reset_before_the_answer_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = rig!(Rig::direct_only(&one("openai", listener.local_addr().unwrap())));
    let serve = async { reset(asked(&listener).await) };
    let (answer, ()) = within(async { tokio::join!(rig.ask(chat("m", "ping")), serve) }).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "upstream_reset");
    assert_eq!(rig.record().await.attempts[0].failure, Some("reset"));
}

#[tokio::test]
async fn an_answer_that_is_cut_is_recorded_as_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = rig!(Rig::direct_only(&one("openai", listener.local_addr().unwrap())));
    let serve = asked_and_half_answered(&listener);
    let client = async {
        let mut answer = rig.send(chat("m", "ping")).await;
        let piece = answer.body_mut().frame().await.unwrap().unwrap();
        (answer, piece.into_data().unwrap())
    };
    let (stream, (answer, piece)) = within(async { tokio::join!(serve, client) }).await;
    assert_eq!(piece, "{\"a\":");
    reset(stream);
    assert!(answer.into_body().collect().await.is_err());
    let record = rig.record().await;
    assert_eq!((record.outcome, record.status), (Outcome::UpstreamCut, 200));
    assert!(rig.has_no_record());
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_one_record_on_either_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = rig!(Rig::start(&one("openai", listener.local_addr().unwrap())));
    for request in [chat("m", "ping"), chat_stream("m", "ping")] {
        let mut connection = rig.connect().await;
        let asking = tokio::spawn(async move { connection.send_request(request).await });
        let _stream = within(asked(&listener)).await;
        asking.abort();
        let record = rig.record().await;
        assert_eq!(record.outcome, Outcome::ClientGone);
        assert_eq!(record.attempts[0].failure, Some("cancelled"));
        assert!(rig.has_no_record());
    }
}

#[tokio::test]
async fn a_client_that_goes_away_within_its_body_leaves_one_record() {
    let mut rig = rig!(Rig::direct_only(&one("openai", mock().await)));
    let mut stream = rig.connect_raw().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    while rig.gateway.shared.requests_held() == 0 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    assert_eq!(rig.record().await.outcome, Outcome::ClientGone);
    assert_eq!(rig.gateway.shared.bytes_held(), 0);
}

#[tokio::test]
async fn a_silent_upstream_is_given_up_at_the_engines_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = one("openai", listener.local_addr().unwrap()) + "limits: {timeouts: {firstByte: 200ms}}\n";
    let mut rig = rig!(Rig::direct_only(&yaml));
    let serve = asked(&listener);
    let (answer, _stream) = within(async { tokio::join!(rig.ask(chat("m", "ping")), serve) }).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "upstream_timeout");
    assert_eq!(rig.record().await.attempts[0].failure, Some("timeout"));
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_broken_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = one("openai", listener.local_addr().unwrap()) + "limits: {timeouts: {idle: 200ms}}\n";
    let mut rig = rig!(Rig::direct_only(&yaml));
    let serve = asked_and_half_answered(&listener);
    let (answer, _stream) = within(async { tokio::join!(rig.ask(chat("m", "ping")), serve) }).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.body.is_err(), "{answer:?}");
    assert_eq!(rig.record().await.outcome, Outcome::UpstreamCut);
}

#[tokio::test]
async fn an_upstream_may_answer_before_it_has_the_whole_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = rig!(Rig::direct_only(&one("openai", listener.local_addr().unwrap())));
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer =
            "HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream
    };
    let request = chat("m", &"x".repeat(8 << 20));
    let (answer, _stream) = within(async { tokio::join!(rig.ask(request), serve) }).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    assert_eq!(rig.record().await.status, 413);
    assert_eq!(rig.gateway.shared.bytes_held(), 0);
}

#[tokio::test]
async fn a_panic_is_one_calls_alone() {
    let rig = rig!(Rig::direct_only(&one("openai", mock().await)));
    let answer = rig.ask(chat("panic", "ping")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{answer:?}");
    assert_eq!(answer.header("x-aigw-error"), Some("internal"), "{answer:?}");
    assert_eq!(rig.ask(chat("m", "ping")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_the_native_host_a_parked_exchange_is_an_error_and_leaks_nothing() {
    let mut rig = rig!(Rig::direct_only(&one("openai", mock().await)));
    for _ in 0..20 {
        let answer = rig.ask(chat_stream("gpt-4o", "ping")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert!(
            answer.text().contains("no healthy upstream") || answer.text().contains("connect error"),
            "{answer:?}"
        );
        assert_eq!(rig.parking.waiting(), 0);
        assert_eq!(rig.record().await.attempts[0].failure, Some("cancelled"));
        assert!(rig.has_no_record());
    }
}

#[tokio::test]
async fn a_parked_exchange_ends_with_its_client() {
    let mut rig = rig!(Rig::direct_only(&one("openai", mock().await)));
    let silent = UnixListener::bind(rig.native_socket()).unwrap();
    let mut connection = rig.connect().await;
    let asking = tokio::spawn(async move { connection.send_request(chat_stream("gpt-4o", "ping")).await });
    let _stream = within(silent.accept()).await.unwrap();
    assert_eq!(rig.parking.waiting(), 1);
    asking.abort();
    assert_eq!(rig.record().await.outcome, Outcome::ClientGone);
    assert_eq!(rig.parking.waiting(), 0);
}
