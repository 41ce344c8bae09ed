//! A mock on a free port and a client that sees exactly what came back.

use std::net::SocketAddr;

use aigw_mock::{Options, serve};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[allow(
    dead_code,
    reason = "not every test file uses every part of the support module"
)]
/// A running mock, stopped when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub stop: oneshot::Sender<()>,
    pub task: JoinHandle<()>,
}

#[allow(
    dead_code,
    reason = "not every test file uses every part of the support module"
)]
/// What came back; `broken` when the body did not end as it should.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub broken: bool,
}

pub async fn start(options: Options) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        serve(listener, options, stopped).await.unwrap();
    });
    Server { address, stop, task }
}

#[allow(
    dead_code,
    reason = "not every test file uses every part of the support module"
)]
pub async fn plain() -> Server {
    start(Options::default()).await
}

#[allow(
    dead_code,
    reason = "not every test file uses every part of the support module"
)]
impl Server {
    /// Sends one request on a connection of its own; an error when no head comes back.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, hyper::Error> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "provider.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender
            .send_request(request.body(Full::new(body.into())).unwrap())
            .await?;
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut broken) = (Vec::new(), false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        drop(sender);
        connection.abort();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: bytes.into(),
            broken,
        })
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, body.to_string()).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await.unwrap()
    }

    pub async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", &[], body).await
    }

    pub async fn messages(&self, body: &Value) -> Answer {
        self.post("/v1/messages", &[("anthropic-version", "2023-06-01")], body)
            .await
    }

    /// The recorded requests.
    pub async fn requests(&self) -> Vec<Value> {
        let answer = self.get("/__mock/requests").await;
        answer.json()["requests"].as_array().unwrap().clone()
    }
}

#[allow(
    dead_code,
    reason = "not every test file uses every part of the support module"
)]
impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The answer of a request that has to succeed.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.body);
        self.json()
    }

    /// The `data` of every event but `[DONE]`.
    pub fn events(&self) -> Vec<Value> {
        let text = self.text();
        let data = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]");
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    pub fn message(&self) -> String {
        self.json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}
