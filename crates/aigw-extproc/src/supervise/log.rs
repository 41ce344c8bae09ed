//! Envoy's log, line by line into ours.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// How Envoy is told to write its lines: level, logger, message.
pub(super) const FORMAT: &str = "%l|%n|%v";
/// Lines that are kept, to say why it would not start.
const KEPT: usize = 12;
/// Longest line that is kept whole.
const LONGEST: usize = 4096;

/// The last lines.
#[derive(Debug, Default)]
pub(super) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(LONGEST).collect());
    }

    /// The lines, one below the other.
    pub fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Passes lines on until the stream ends; what it says while it `ends` is of no interest.
pub(super) async fn follow(stream: impl AsyncRead + Unpin, tail: &Tail, ends: &(dyn Fn() -> bool + Sync)) {
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .await
        .is_ok_and(|length| length > 0)
    {
        let text = String::from_utf8_lossy(&line);
        pass_on(text.trim_end(), tail, ends());
        line.clear();
    }
}

fn pass_on(line: &str, tail: &Tail, ends: bool) {
    let mut parts = line.splitn(3, '|');
    let (level, logger, message) = match (parts.next(), parts.next(), parts.next()) {
        (Some(level), Some(logger), Some(message)) => (level, logger, message),
        // A crash's trace, or the second line of a message.
        _ => ("error", "", line),
    };
    tail.push(message);
    match level {
        _ if ends => tracing::debug!("envoy {logger}: {message}"),
        "trace" | "debug" => tracing::debug!("envoy {logger}: {message}"),
        "info" => tracing::info!("envoy {logger}: {message}"),
        "warning" => tracing::warn!("envoy {logger}: {message}"),
        _ => tracing::error!("envoy {logger}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn last_lines_are_kept_without_their_prefix() {
        let tail = Tail::default();
        let mut text = String::from("warning|main|first\n");
        for number in 0..KEPT {
            text.push_str(&format!("info|upstream|a|b {number}\n"));
        }
        text.push_str("no prefix");
        follow(text.as_bytes(), &tail, &|| false).await;
        let kept = tail.text();
        assert!(
            kept.starts_with("a|b 1\n") && kept.ends_with("\nno prefix"),
            "{kept}"
        );
        assert_eq!(kept.lines().count(), KEPT);
    }
}
