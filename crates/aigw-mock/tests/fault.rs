//! Faults by header, by model name and by listener.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::Read as _;
use std::time::{Duration, Instant};

use aigw_mock::Options;
use http::StatusCode;
use serde_json::{Value, json};
use support::{Answer, Server, plain, start};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn body(text: &str, stream: bool) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream})
}

async fn faulty(mock: &Server, fault: &str, body: &Value) -> Answer {
    mock.post("/v1/chat/completions", &[("x-mock-fault", fault)], body)
        .await
}

#[tokio::test]
async fn statuses_by_header_model_and_listener() {
    let mock = plain().await;
    let answer = faulty(&mock, "status=429;retry-after=7", &body("hi", false)).await;
    assert_eq!(
        (answer.status, &answer.headers["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"7".parse().unwrap())
    );
    assert_eq!(answer.json()["error"]["type"], "rate_limit_exceeded");
    let mut by_model = json!({"model": "fault:status=529,retry-after=1", "max_tokens": 1, "messages": []});
    let answer = mock.messages(&by_model).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]["type"]),
        (529, &json!("overloaded_error"))
    );
    by_model["model"] = "fault-bogus".into();
    assert!(mock.messages(&by_model).await.message().contains("bogus"));
    let answer = faulty(&mock, "status=502;html", &body("hi", false)).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::BAD_GATEWAY, &"text/html".parse().unwrap())
    );
    let failing = start(Options {
        fault: "status=503".parse().unwrap(),
        ..Options::default()
    })
    .await;
    assert_eq!(
        failing.chat(&body("hi", false)).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn the_model_behind_a_fault_keeps_its_rules() {
    let mock = plain().await;
    let strict = json!({"model": "fault:no-usage/o3", "max_tokens": 3, "messages": [{"role": "user", "content": "a"}]});
    assert_eq!(mock.chat(&strict).await.json()["error"]["param"], "max_tokens");
    let answer = mock
        .chat(&json!({"model": "fault:no-usage/gpt-4o", "messages": [{"role": "user", "content": "a"}]}))
        .await
        .ok();
    assert_eq!(
        (&answer["model"], answer.get("usage")),
        (&json!("fault:no-usage/gpt-4o"), None)
    );
}

#[tokio::test]
async fn only_the_first_times_fail() {
    let mock = plain().await;
    for expected in [500, 500, 200, 200] {
        assert_eq!(
            faulty(&mock, "status=500;times=2", &body("hi", false))
                .await
                .status
                .as_u16(),
            expected
        );
    }
    mock.send("DELETE", "/__mock/requests", &[], "").await.unwrap();
    assert_eq!(
        faulty(&mock, "status=500;times=2", &body("hi", false))
            .await
            .status
            .as_u16(),
        500
    );
}

#[tokio::test]
async fn cuts_break_the_body_off() {
    let mock = plain().await;
    let whole = mock.chat(&body("count to 50", true)).await;
    assert!(!whole.broken);
    let answer = faulty(&mock, "cut=300", &body("count to 50", true)).await;
    assert!(answer.broken);
    assert_eq!(answer.body.len(), 300);
    let answer = faulty(&mock, "cut=20", &body("hi", false)).await;
    assert!(answer.broken);
    assert_eq!(answer.body.len(), 20);
    let answer = faulty(&mock, "cut=0", &body("hi", true)).await;
    assert!(answer.broken && answer.body.is_empty() && answer.status == StatusCode::OK);
    let answer = faulty(&mock, "cut-events=3", &body("count to 50", true)).await;
    assert!(answer.broken);
    assert_eq!(answer.events().len(), 3);
    let outcomes: Vec<_> = mock
        .requests()
        .await
        .iter()
        .map(|request| request["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["done", "broken", "broken", "broken", "broken"]);
}

#[tokio::test]
async fn resets_reset() {
    let mock = plain().await;
    let request = body("count to 50", true).to_string();
    assert!(
        mock.send(
            "POST",
            "/v1/chat/completions",
            &[("x-mock-fault", "reset")],
            request.clone()
        )
        .await
        .is_err()
    );
    let mut socket = TcpStream::connect(mock.address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-mock-fault: reset=100\r\ncontent-length: {}\r\n\r\n",
        request.len()
    );
    socket.write_all((head + &request).as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let error = socket.read_to_end(&mut received).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(received.len() > 100, "{}", String::from_utf8_lossy(&received));
}

#[tokio::test]
async fn errors_and_garbage_inside_a_stream() {
    let mock = plain().await;
    let events = faulty(&mock, "error-event=3", &body("count to 50", true))
        .await
        .events();
    assert_eq!(events.len(), 4);
    assert_eq!(events[3]["error"]["type"], "server_error");
    let message = json!({"model": "fault:error-event/m", "max_tokens": 99, "stream": true,
        "messages": [{"role": "user", "content": "count to 50"}]});
    let answer = mock.messages(&message).await;
    assert_eq!(
        answer.events().last().unwrap()["error"]["type"],
        "overloaded_error"
    );
    assert!(!answer.text().contains("message_stop"));
    let answer = faulty(&mock, "garbage", &body("hi", true)).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("<<<garbage>>>"));
    assert!(String::from_utf8_lossy(&answer.body).contains("[DONE]"));
    let answer = faulty(&mock, "garbage", &body("hi", false)).await;
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
}

#[tokio::test]
async fn delays_and_paces() {
    let mock = plain().await;
    let took = |fault: &'static str, text: &'static str| {
        let mock = &mock;
        async move {
            let begin = Instant::now();
            let answer = faulty(mock, fault, &body(text, true)).await;
            assert!(answer.text().ends_with("[DONE]\n\n"), "{fault}");
            begin.elapsed()
        }
    };
    for (fault, text, least) in [
        ("delay=60ms", "hi", 60),
        ("slow-headers=80ms", "hi", 75),
        ("first-token-delay=60ms", "hi", 60),
        ("pace=5ms", "count to 10", 60),
        ("read-pace=30ms", "hi", 30),
        ("pace=flush", "count to 10", 0),
    ] {
        let took = took(fault, text).await;
        assert!(took >= Duration::from_millis(least), "{fault} took {took:?}");
    }
}

#[tokio::test]
async fn contents_are_encoded_split_and_dressed_without_change() {
    let mock = plain().await;
    let normal = |text: &str| {
        let events: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect();
        events
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
            .collect::<String>()
    };
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        for stream in [true, false] {
            let answer = faulty(&mock, encoding, &body("count to 5", stream)).await;
            assert_eq!(answer.headers["content-encoding"], encoding);
            let (mut text, data) = (String::new(), &answer.body[..]);
            match encoding {
                "gzip" => flate2::read::GzDecoder::new(data)
                    .read_to_string(&mut text)
                    .unwrap(),
                "deflate" => flate2::read::ZlibDecoder::new(data)
                    .read_to_string(&mut text)
                    .unwrap(),
                "br" => brotli::Decompressor::new(data, 4096)
                    .read_to_string(&mut text)
                    .unwrap(),
                _ => zstd::stream::read::Decoder::new(data)
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap(),
            };
            let got = if stream {
                normal(&text)
            } else {
                serde_json::from_str::<Value>(&text).unwrap()["choices"][0]["message"]["content"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            assert_eq!(got, "1 2 3 4 5", "{encoding}");
        }
    }
    for fault in ["split=7", "crlf", "comments;crlf", "comments"] {
        let answer = faulty(&mock, fault, &body("count to 5", true)).await;
        assert_eq!(normal(&answer.text()), "1 2 3 4 5", "{fault}");
    }
    assert!(!faulty(&mock, "cr", &body("hi", true)).await.text().contains('\n'));
}

#[tokio::test]
async fn big_answers_are_as_big_as_asked() {
    let mock = plain().await;
    let size = 5_000_123;
    let answer = faulty(&mock, "size=5000123", &body("hi", false)).await;
    assert_eq!(
        answer.headers["content-length"].to_str().unwrap(),
        answer.body.len().to_string()
    );
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .len(),
        size
    );
    let events = faulty(&mock, "size=5000123", &body("hi", true)).await.events();
    let text: usize = events
        .iter()
        .filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.len()))
        .sum();
    assert_eq!(text, size);
}

#[tokio::test]
async fn endless_silent_and_hanging_answers_see_the_client_go() {
    let mock = plain().await;
    for fault in ["never-ending", "stall=2", "hang", "delay=1m"] {
        let mut socket = TcpStream::connect(mock.address).await.unwrap();
        let request = body("count to 5", true).to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-mock-fault: {fault}\r\ncontent-length: {}\r\n\r\n",
            request.len()
        );
        socket.write_all((head + &request).as_bytes()).await.unwrap();
        let waits = matches!(fault, "hang" | "delay=1m");
        let mut start = [0; 200];
        if !waits {
            socket.read_exact(&mut start).await.unwrap();
        }
        while mock.requests().await.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(mock.requests().await[0]["outcome"], "open", "{fault}");
        drop(socket);
        while mock.requests().await[0]["outcome"] != "gone" {
            tokio::task::yield_now().await;
        }
        mock.send("DELETE", "/__mock/requests", &[], "").await.unwrap();
    }
}

#[tokio::test]
async fn early_answers_do_not_wait_for_the_body() {
    let mock = plain().await;
    let mut socket = TcpStream::connect(mock.address).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-mock-fault: early;status=413\r\ncontent-length: 1000000\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    socket.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[tokio::test]
async fn http2_streams_break_alone_and_connections_reset() {
    use http_body_util::BodyExt as _;
    let mock = plain().await;
    let socket = TcpStream::connect(mock.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(socket);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io)
            .await
            .unwrap();
    tokio::spawn(connection);
    for (fault, head, whole) in [
        ("cut=300", true, false),
        ("", true, true),
        ("reset", false, false),
        ("", false, false),
    ] {
        let request = http::Request::post(format!("http://{}/v1/chat/completions", mock.address))
            .header("x-mock-fault", fault)
            .body(http_body_util::Full::new(bytes::Bytes::from(
                body("count to 50", true).to_string(),
            )))
            .unwrap();
        let answer = sender.send_request(request).await;
        assert_eq!(answer.is_ok(), head, "{fault}");
        if let Ok(answer) = answer {
            assert_eq!(answer.into_body().collect().await.is_ok(), whole, "{fault}");
        }
    }
}
