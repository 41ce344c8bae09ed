//! The scripted host: plays events in any order and at any cut, with a clock of its own.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test binary uses a part of it, and a script may stop a test"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use aigw_config::{Credentials, Document, Secret, Snapshot, compile};
use aigw_engine::{
    Attempt, AttemptBody, Effect, Event, Exchange, Failure, FailureKind, Inputs, RequestHead, Shared,
    UsageRecord,
};
use aigw_translate::host::Registry;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

/// Compiles a document written as JSON.
pub fn snapshot(document: Value) -> Arc<Snapshot> {
    let document: Document = serde_json::from_value(document).expect("a document");
    match compile(document, &Registry) {
        Ok((snapshot, _)) => Arc::new(snapshot),
        Err(found) => panic!("{found}"),
    }
}

/// Two backends of two dialects, tried in this order for the model `m`; `only-a` and `only-b` go to one of them.
pub fn two_backends() -> Value {
    json!({
        "backends": [
            {"name": "a", "schema": {"name": "OpenAI"}, "url": "http://a.test", "apiKey": "key-a"},
            {"name": "b", "schema": {"name": "Anthropic"}, "url": "http://b.test", "apiKey": "key-b"}
        ],
        "routes": [{"name": "r", "rules": [
            {"models": ["m"], "backends": [{"name": "a"}, {"name": "b", "priority": 1, "modelNameOverride": "claude"}]},
            {"models": ["only-a"], "backends": [{"name": "a"}]},
            {"models": ["only-b"], "backends": [{"name": "b"}]}
        ]}]
    })
}

/// A request body of one user turn.
pub fn chat(model: &str, stream: bool) -> String {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}).to_string()
}

/// An OpenAI answer.
pub fn openai_answer(text: &str) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    })
    .to_string()
}

/// An Anthropic answer.
pub fn anthropic_answer(text: &str) -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-2026",
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 5, "output_tokens": 7}
    })
    .to_string()
}

/// What the client has got so far.
#[derive(Debug, Default)]
pub struct Client {
    pub status: Option<StatusCode>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub ended: bool,
    pub aborted: bool,
    pub close: bool,
}

impl Client {
    /// Nothing more may come.
    pub fn is_over(&self) -> bool {
        self.ended || self.aborted
    }
}

/// A host without sockets.
pub struct Script {
    pub exchange: Exchange,
    pub client: Client,
    pub attempts: Vec<Attempt>,
    pub cancelled: Vec<u32>,
    pub record: Option<Box<UsageRecord>>,
    pub wants_body: bool,
    now: Instant,
    wall: u64,
    credentials: Credentials,
}

impl Script {
    pub fn new(snapshot: &Arc<Snapshot>) -> Self {
        Self::sharing(snapshot, &Arc::default())
    }

    pub fn sharing(snapshot: &Arc<Snapshot>, shared: &Arc<Shared>) -> Self {
        let mut credentials = Credentials::default();
        credentials.insert("backend/a", Secret::new("key-a"));
        credentials.insert("backend/b", Secret::new("key-b"));
        credentials.insert("client/alice", Secret::new("alice-key"));
        Self {
            exchange: Exchange::new(Arc::clone(snapshot), Arc::clone(shared)),
            client: Client::default(),
            attempts: Vec::new(),
            cancelled: Vec::new(),
            record: None,
            wants_body: false,
            now: Instant::now(),
            wall: 1_795_000_000_000,
            credentials,
        }
    }

    /// Plays one event and carries out its effects.
    pub fn play(&mut self, event: Event) -> &mut Self {
        let mut effects = Vec::new();
        let inputs = Inputs {
            now: self.now,
            wall: self.wall,
            entropy: 7,
            credentials: &self.credentials,
        };
        self.exchange.on(event, inputs, &mut effects);
        for effect in effects {
            assert!(self.record.is_none(), "an effect after the record: {effect:?}");
            match effect {
                Effect::ReadBody => self.wants_body = true,
                Effect::Attempt(attempt) => {
                    assert!(self.client.status.is_none(), "an attempt after the head");
                    assert_eq!(
                        attempt.attempt as usize,
                        self.attempts.len(),
                        "attempts are numbered"
                    );
                    self.attempts.push(*attempt);
                }
                Effect::Cancel { attempt } => self.cancelled.push(attempt),
                Effect::Head(head) => {
                    assert!(self.client.status.is_none(), "two heads");
                    self.client.status = Some(head.status);
                    self.client.headers = head.headers;
                    self.client.close = head.close;
                }
                Effect::Write(data) => {
                    assert!(self.client.status.is_some(), "a body before its head");
                    assert!(!self.client.is_over(), "a body after its end");
                    assert!(!data.is_empty(), "a piece of nothing");
                    self.client.body.extend_from_slice(&data);
                }
                Effect::End | Effect::Abort => {
                    assert!(self.client.status.is_some(), "an end before the head");
                    assert!(!self.client.is_over(), "two ends");
                    self.client.ended = matches!(effect, Effect::End);
                    self.client.aborted = !self.client.ended;
                }
                Effect::Record(record) => self.record = Some(record),
            }
        }
        self
    }

    pub fn head(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        no_body: bool,
    ) -> &mut Self {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        let head = RequestHead {
            method,
            uri: path.parse().unwrap(),
            headers,
            authority: "gateway.test:1975".to_owned(),
            listener: "http".into(),
            peer: None,
            no_body,
        };
        self.play(Event::Request(Box::new(head)))
    }

    /// A whole POST with a JSON body.
    pub fn post(&mut self, path: &str, body: &str) -> &mut Self {
        self.post_with(path, &[], body)
    }

    pub fn post_with(&mut self, path: &str, headers: &[(&'static str, &str)], body: &str) -> &mut Self {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.head(Method::POST, path, &all, false);
        if self.record.is_none() {
            self.play(Event::Body(Bytes::copy_from_slice(body.as_bytes())));
            self.play(Event::BodyEnd);
        }
        self
    }

    pub fn get(&mut self, path: &str) -> &mut Self {
        self.head(Method::GET, path, &[], true)
    }

    /// The number of the last attempt.
    pub fn attempt(&self) -> u32 {
        self.attempts.last().expect("an attempt").attempt
    }

    pub fn upstream_head(&mut self, status: u16, headers: &[(&'static str, &str)]) -> &mut Self {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        let attempt = self.attempt();
        self.play(Event::UpstreamHead {
            attempt,
            status: StatusCode::from_u16(status).unwrap(),
            headers,
        })
    }

    pub fn chunk(&mut self, data: &[u8]) -> &mut Self {
        let attempt = self.attempt();
        self.play(Event::UpstreamChunk {
            attempt,
            data: Bytes::copy_from_slice(data),
        })
    }

    pub fn end(&mut self) -> &mut Self {
        let attempt = self.attempt();
        self.play(Event::UpstreamEnd { attempt })
    }

    pub fn fail(&mut self, kind: FailureKind) -> &mut Self {
        let attempt = self.attempt();
        self.play(Event::UpstreamFailed {
            attempt,
            failure: Failure {
                kind,
                message: "scripted".to_owned(),
            },
        })
    }

    /// A whole JSON answer.
    pub fn answer(&mut self, status: u16, body: &str) -> &mut Self {
        self.upstream_head(status, &[("content-type", "application/json")])
            .chunk(body.as_bytes())
            .end()
    }

    /// A whole event stream in pieces.
    pub fn stream<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> &mut Self {
        self.upstream_head(200, &[("content-type", "text/event-stream")]);
        for piece in pieces {
            self.chunk(piece);
        }
        self.end()
    }

    /// Lets time pass up to the exchange's deadline.
    pub fn sleep_to_deadline(&mut self) -> Duration {
        let deadline = self.exchange.deadline().expect("a deadline");
        let slept = deadline.saturating_duration_since(self.now);
        self.now = deadline;
        self.play(Event::Deadline);
        slept
    }

    /// Lets time pass without an event.
    pub fn pass(&mut self, span: Duration) -> &mut Self {
        self.now += span;
        self
    }

    pub fn body_of(&self, attempt: usize) -> Value {
        match &self.attempts[attempt].body {
            AttemptBody::Whole(body) => serde_json::from_slice(body).expect("JSON"),
            AttemptBody::None => Value::Null,
        }
    }

    pub fn header_of(&self, attempt: usize, name: &str) -> Option<&str> {
        self.attempts[attempt]
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.client.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.client.body).into_owned()
    }

    pub fn status(&self) -> u16 {
        self.client.status.map_or(0, |status| status.as_u16())
    }

    pub fn error_code(&self) -> &str {
        self.client
            .headers
            .get("x-aigw-error")
            .map_or("", |value| value.to_str().unwrap())
    }

    pub fn record(&self) -> &UsageRecord {
        self.record.as_deref().expect("a record")
    }
}
