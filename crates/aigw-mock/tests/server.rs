//! Authentication, records, protocols, and the end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use aigw_mock::Options;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use support::{plain, start};
use tokio::net::TcpStream;

fn ping() -> Value {
    json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "ping"}]})
}

#[tokio::test]
async fn keys_are_wanted_where_each_vendor_wants_them() {
    let mock = start(Options {
        keys: vec!["k1".into()],
        ..Options::default()
    })
    .await;
    let body = json!({"model": "m", "messages": ping()["messages"]});
    let chat = |headers| mock.post("/v1/chat/completions", headers, &body);
    let version = ("anthropic-version", "2023-06-01");
    assert_eq!(
        chat(&[("authorization", "Bearer k1")]).await.status,
        StatusCode::OK
    );
    let answer = chat(&[("authorization", "Bearer k2")]).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (StatusCode::UNAUTHORIZED, &json!("invalid_api_key"))
    );
    assert_eq!(
        chat(&[("x-api-key", "k1")]).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        mock.post("/v1/messages", &[version, ("x-api-key", "k1")], &ping())
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        mock.post(
            "/v1/messages",
            &[version, ("authorization", "Bearer k1")],
            &ping()
        )
        .await
        .status,
        StatusCode::OK
    );
    let both = [version, ("authorization", "Bearer k1"), ("x-api-key", "k2")];
    for headers in [&both[..], &both[..1]] {
        let answer = mock.post("/v1/messages", headers, &ping()).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["type"]),
            (StatusCode::UNAUTHORIZED, &json!("authentication_error"))
        );
    }
    let answer = mock.post("/v2/rerank", &[], &json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.json()["message"].is_string());
}

#[tokio::test]
async fn everything_is_recorded() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mock = start(Options {
        record: Some(file.path().to_owned()),
        ..Options::default()
    })
    .await;
    mock.post(
        "/x/v1/chat/completions?a=b",
        &[("x-one", "1")],
        &json!({"model": "m"}),
    )
    .await;
    mock.send("POST", "/v1/chat/completions", &[], Bytes::from_static(b"\xff"))
        .await
        .unwrap();
    let all = mock.requests().await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0]["path"], "/x/v1/chat/completions");
    assert_eq!(
        (&all[0]["query"], &all[0]["host"], &all[0]["status"]),
        (&json!("a=b"), &json!("provider.example"), &json!(400))
    );
    assert_eq!(all[0]["body"], json!({"model": "m"}));
    assert!(
        all[0]["headers"]
            .as_array()
            .unwrap()
            .contains(&json!(["x-one", "1"]))
    );
    assert_eq!(all[1]["body"], json!({"base64": "/w=="}));
    assert_eq!(all[0]["outcome"], "done");
    let later = mock.get("/__mock/requests?since=1").await.json();
    assert_eq!(
        (later["requests"].as_array().unwrap().len(), &later["last"]),
        (1, &json!(2))
    );
    let lines: Vec<Value> = std::fs::read_to_string(file.path())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["headers"], all[0]["headers"]);
    mock.send("DELETE", "/__mock/requests", &[], "").await.unwrap();
    assert!(mock.requests().await.is_empty());
}

#[tokio::test]
async fn http2_is_spoken_without_upgrade() {
    let mock = plain().await;
    let socket = TcpStream::connect(mock.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://h2.example/v1/chat/completions")
        .body(Full::new(Bytes::from(ping_chat())))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("pong"));
    let all = mock.requests().await;
    assert_eq!(
        (&all[0]["host"], &all[0]["version"]),
        (&json!("h2.example"), &json!("HTTP/2.0"))
    );
}

fn ping_chat() -> String {
    json!({"model": "m", "messages": ping()["messages"]}).to_string()
}

#[tokio::test]
async fn bench_mode_answers_the_same_and_records_nothing() {
    let mock = start(Options {
        bench: true,
        keys: vec!["k".into()],
        ..Options::default()
    })
    .await;
    let body = json!({"model": "m", "messages": ping()["messages"]});
    let send = |key: &'static str| {
        let (mock, body) = (&mock, &body);
        async move {
            mock.post("/v1/chat/completions", &[("authorization", key)], body)
                .await
        }
    };
    assert_eq!(send("Bearer x").await.status, StatusCode::UNAUTHORIZED);
    let first = send("Bearer k").await.ok();
    assert_eq!(send("Bearer k").await.ok(), first);
    assert_eq!(send("Bearer x").await.status, StatusCode::UNAUTHORIZED);
    let paced = [("authorization", "Bearer k"), ("x-mock-fault", "status=503")];
    assert_eq!(
        mock.post("/v1/chat/completions", &paced, &body).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let other = json!({"model": "m", "messages": [{"role": "user", "content": "other"}]});
    let other = mock
        .post("/v1/chat/completions", &[("authorization", "Bearer k")], &other)
        .await
        .ok();
    assert_eq!(other["choices"][0]["message"]["content"], "You said: other");
    assert!(mock.requests().await.is_empty());
}

#[tokio::test]
async fn options_narrow_what_is_taken() {
    let options = Options {
        refuse: vec!["stream_options".into()],
        strict: true,
        models: vec!["m".into()],
        ..Options::default()
    };
    let mock = start(options).await;
    let chat = |members: Value| {
        let mut body = json!({"model": "m", "messages": ping()["messages"]});
        body.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let mock = &mock;
        async move { mock.chat(&body).await }
    };
    assert_eq!(chat(json!({})).await.status, StatusCode::OK);
    assert_eq!(
        chat(json!({"stream": true, "stream_options": {}})).await.json()["error"]["param"],
        "stream_options"
    );
    assert_eq!(
        chat(json!({"x_own": 1})).await.json()["error"]["code"],
        "unknown_parameter"
    );
    assert_eq!(
        chat(json!({"model": "other"})).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        mock.get("/v1/models").await.ok()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn echoes() {
    let mock = plain().await;
    let echo = mock
        .post("/echo/a/b?c", &[("x-one", "1")], &json!({"d": 1}))
        .await
        .ok();
    assert_eq!(
        (&echo["path"], &echo["query"], &echo["body"]),
        (&json!("/echo/a/b"), &json!("c"), &json!({"d": 1}))
    );
}

#[tokio::test]
async fn ends_when_told_even_with_an_open_stream() {
    use tokio::io::AsyncWriteExt as _;
    let support::Server { address, task, stop } = plain().await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let body =
        json!({"model": "fault:never-ending", "stream": true, "messages": ping()["messages"]}).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    socket.readable().await.unwrap();
    drop(stop);
    tokio::time::timeout(std::time::Duration::from_secs(10), task)
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
