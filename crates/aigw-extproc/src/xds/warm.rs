//! Asks Envoy's administration whether anything that it has accepted is not in use yet
//! (<https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin>).

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest answer.
const MAX_ANSWER: u64 = 64 * 1024;
const QUESTION: &str = "GET /stats?filter=warming HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n";

/// Completes when all clusters and listeners are in use, or when nobody answers: an administration that is not there does not
/// hold up anything.
pub(super) async fn wait(admin: &Path) {
    while let Ok(true) = is_warming(admin).await {
        tokio::time::sleep(PAUSE).await;
    }
}

async fn is_warming(admin: &Path) -> io::Result<bool> {
    let mut stream = UnixStream::connect(admin).await?;
    stream.write_all(QUESTION.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer).await?;
    Ok(count(&answer) > 0)
}

fn count(answer: &str) -> u64 {
    answer
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            [
                "cluster_manager.warming_clusters",
                "listener_manager.total_listeners_warming",
            ]
            .contains(&name)
            .then(|| value.trim().parse::<u64>().ok())?
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_gauges_count() {
        let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n60\r\ncluster_manager.warming_clusters: 2\n\
            cluster_manager.x: 7\nlistener_manager.total_listeners_warming: 1\n\r\n0\r\n\r\n";
        assert_eq!(count(answer), 3);
        assert_eq!(
            count("HTTP/1.1 200 OK\r\n\r\ncluster_manager.warming_clusters: 0\n"),
            0
        );
    }
}
