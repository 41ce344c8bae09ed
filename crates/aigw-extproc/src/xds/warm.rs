//! Asks Envoy's administration whether anything that it has accepted is not in use yet.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::admin;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);
const GAUGES: [&str; 2] = [
    "cluster_manager.warming_clusters",
    "listener_manager.total_listeners_warming",
];

/// Completes when all clusters and listeners are in use, or when nobody answers: an administration that is not there does not
/// hold up anything.
pub(super) async fn wait(socket: &Path) {
    while let Ok(true) = is_warming(socket).await {
        tokio::time::sleep(PAUSE).await;
    }
}

async fn is_warming(socket: &Path) -> io::Result<bool> {
    match admin::statistics(socket, "warming").await {
        Ok(answer) => Ok(count(&answer) > 0),
        // It is there, and busy.
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(true),
        Err(error) => Err(error),
    }
}

fn count(answer: &str) -> u64 {
    admin::values(answer)
        .filter(|(name, _)| GAUGES.contains(name))
        .map(|(_, value)| value)
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
