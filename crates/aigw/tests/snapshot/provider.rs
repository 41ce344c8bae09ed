//! A provider that takes every key and remembers the last one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;

const ANSWER: &str = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",
"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

/// The last key, and how many requests there were.
type Last = Arc<Mutex<(Option<String>, usize)>>;

pub struct Provider {
    address: SocketAddr,
    last: Last,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let last = Last::default();
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&last));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, last }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many requests it has had.
    pub fn requests(&self) -> usize {
        self.last.lock().unwrap().1
    }

    /// The credential of the last request.
    pub fn last_key(&self) -> Option<String> {
        self.last.lock().unwrap().0.clone()
    }
}

async fn answer(State(last): State<Last>, headers: HeaderMap) -> impl IntoResponse {
    let key = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().unwrap().to_owned());
    let mut last = last.lock().unwrap();
    *last = (key, last.1 + 1);
    drop(last);
    ([(header::CONTENT_TYPE, "application/json")], ANSWER)
}
