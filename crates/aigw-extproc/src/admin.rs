//! Questions to Envoy's administration on its Unix socket
//! (<https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin>).

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest answer.
const MAX_ANSWER: usize = 1 << 20;

/// Whether it has its configuration and serves.
pub(crate) async fn is_ready(socket: &Path) -> bool {
    let asked = ask(socket, Method::GET, "/ready").await;
    asked.is_ok_and(|(status, _)| status == StatusCode::OK)
}

/// Has clients go elsewhere: Envoy goes on accepting, and every answer closes its connection (HTTP/2: the connection takes no
/// further requests).
pub async fn send_away(socket: &Path) -> io::Result<()> {
    ask(socket, Method::POST, "/healthcheck/fail").await.map(|_| ())
}

/// Accepts no connection any more, and closes those that are open after their next answer.
pub(crate) async fn begin_drain(socket: &Path) -> io::Result<()> {
    send_away(socket).await?;
    ask(socket, Method::POST, "/drain_listeners").await?;
    Ok(())
}

/// Requests that are under way at an Envoy whose administration is on `socket`.
pub async fn requests_under_way(socket: &Path) -> io::Result<u64> {
    statistics(socket, "downstream_rq_active")
        .await
        .map(|text| sum(&text))
}

/// What it counts under names like `filter`: see [`values`].
pub(crate) async fn statistics(socket: &Path, filter: &str) -> io::Result<String> {
    let (_, text) = ask(socket, Method::GET, &format!("/stats?filter={filter}")).await?;
    Ok(text)
}

/// Names and values in the text of statistics.
pub(crate) fn values(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.rsplit_once(": ")?;
        Some((name, value.trim().parse().ok()?))
    })
}

/// Ends it.
pub(crate) async fn quit(socket: &Path) -> io::Result<()> {
    ask(socket, Method::POST, "/quitquitquit").await.map(|_| ())
}

/// The sum of the values, less the request that asked for them.
fn sum(text: &str) -> u64 {
    let own = values(text)
        .filter(|(name, _)| name.starts_with("http.admin."))
        .count();
    let all: u64 = values(text).map(|(_, value)| value).sum();
    all.saturating_sub(own.min(1) as u64)
}

async fn ask(socket: &Path, method: Method, path: &str) -> io::Result<(StatusCode, String)> {
    let asking = async {
        let stream = UnixStream::connect(socket).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "envoy")
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let answering = async {
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await
                .map_err(io::Error::other)?;
            Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
        };
        tokio::pin!(answering);
        tokio::select! {
            answered = &mut answering => answered,
            // The answer's end may be the connection's.
            ended = connection => match ended {
                Ok(()) => answering.await,
                Err(error) => Err(io::Error::other(error)),
            },
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "Envoy does not answer")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn administration_does_not_count_itself() {
        let text = "http.admin.downstream_rq_active: 1\nhttp.aigw.downstream_rq_active: 2\nhttp.b.downstream_rq_active: 3\n";
        assert_eq!(sum(text), 5);
    }
}
