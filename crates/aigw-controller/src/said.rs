//! Asks a pod what it serves: `GET /version` of its status port.

use std::collections::BTreeMap;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes that an answer may have: room for the hashes of ten thousand objects.
const LONGEST: usize = 4 << 20;

/// What a pod says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Said {
    /// Uid of its Gateway.
    pub(crate) gateway_uid: String,
    /// Version of the snapshot that it serves.
    pub(crate) snapshot: Option<String>,
    /// The newest format that it reads.
    pub(crate) format: u32,
    /// Hashes of the objects that it serves.
    pub(crate) hashes: BTreeMap<String, String>,
    /// What it does not serve although it came later.
    pub(crate) refused: Option<Refused>,
}

/// A snapshot that is not served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Refused {
    /// Why.
    pub(crate) detail: String,
}

/// The answer; `None` when there is none that makes sense.
pub(crate) async fn ask(address: &(String, u16)) -> Option<Said> {
    let bytes = timeout(PATIENCE, get(address)).await.ok()??;
    serde_json::from_slice(&bytes).ok()
}

async fn get((host, port): &(String, u16)) -> Option<Bytes> {
    let stream = TcpStream::connect((host.as_str(), *port)).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let asking = async {
        let request = hyper::Request::get("/version")
            .header("host", "aigw")
            .body(Empty::<Bytes>::new())
            .ok()?;
        let response = sender.send_request(request).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let body = Limited::new(response.into_body(), LONGEST).collect().await.ok()?;
        Some(body.to_bytes())
    };
    tokio::pin!(asking);
    tokio::select! {
        answer = &mut asking => answer,
        // The connection may end when the answer is complete.
        _ = connection => asking.await,
    }
}
