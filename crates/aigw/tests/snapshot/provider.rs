//! A provider that takes every key and remembers the last one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;

const ANSWER: &str = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",
"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

type Last = Arc<Mutex<Option<String>>>;

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

    /// The credential of the last request.
    pub fn last_key(&self) -> Option<String> {
        self.last.lock().unwrap().clone()
    }
}

async fn answer(State(last): State<Last>, headers: HeaderMap) -> impl IntoResponse {
    let key = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().unwrap().to_owned());
    *last.lock().unwrap() = key;
    ([(header::CONTENT_TYPE, "application/json")], ANSWER)
}
