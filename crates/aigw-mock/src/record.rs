//! Everything the mock received: a ring in memory and, if wanted, a file of JSON lines.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;

/// Requests kept in memory.
const RING_ENTRIES: usize = 10_000;
/// Bytes kept in memory; the oldest go first.
const RING_BYTES: usize = 64 << 20;

/// Keeps what was received.
pub(crate) struct Recorder {
    file: Option<Mutex<File>>,
    ring: Mutex<Ring>,
    most_entries: usize,
    most_bytes: usize,
}

#[derive(Default)]
struct Ring {
    serial: u64,
    bytes: usize,
    entries: VecDeque<Arc<Entry>>,
}

struct Entry {
    serial: u64,
    line: String,
    outcome: AtomicU8,
    sent: AtomicU64,
}

const OUTCOMES: [&str; 4] = ["open", "done", "broken", "gone"];

/// Follows one answer to its end.
pub(crate) struct Watch(Arc<Entry>);

impl Watch {
    /// The whole answer was handed to the connection.
    pub(crate) fn done(&self, sent: u64) {
        self.end(1, sent);
    }

    /// The mock broke off, as told.
    pub(crate) fn broken(&self, sent: u64) {
        self.end(2, sent);
    }

    /// The other side went away first.
    pub(crate) fn gone(&self, sent: u64) {
        self.end(3, sent);
    }

    fn end(&self, outcome: u8, sent: u64) {
        self.0.sent.store(sent, Ordering::Release);
        self.0.outcome.store(outcome, Ordering::Release);
    }
}

impl Recorder {
    pub(crate) fn new(path: Option<&Path>) -> io::Result<Self> {
        let file = match path {
            Some(path) => Some(Mutex::new(
                OpenOptions::new().create(true).append(true).open(path)?,
            )),
            None => None,
        };
        Ok(Self {
            file,
            ring: Mutex::default(),
            most_entries: RING_ENTRIES,
            most_bytes: RING_BYTES,
        })
    }

    /// Records one request, an object without `serial`, `outcome` and `sent`.
    pub(crate) fn add(&self, record: &Value) -> io::Result<Watch> {
        let mut line = record.to_string();
        if let Some(file) = &self.file {
            line.push('\n');
            file.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(line.as_bytes())?;
            line.pop();
        }
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.serial += 1;
        ring.bytes += line.len();
        let entry = Arc::new(Entry {
            serial: ring.serial,
            line,
            outcome: AtomicU8::new(0),
            sent: AtomicU64::new(0),
        });
        ring.entries.push_back(Arc::clone(&entry));
        while ring.entries.len() > self.most_entries
            || (ring.bytes > self.most_bytes && ring.entries.len() > 1)
        {
            let oldest = ring.entries.pop_front().map_or(0, |entry| entry.line.len());
            ring.bytes -= oldest;
        }
        Ok(Watch(entry))
    }

    /// The requests with a serial above `since`, as JSON.
    pub(crate) fn list(&self, since: u64) -> Bytes {
        let (last, entries) = {
            let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            let entries: Vec<_> = ring
                .entries
                .iter()
                .filter(|entry| entry.serial > since)
                .cloned()
                .collect();
            (ring.serial, entries)
        };
        let mut json = format!("{{\"last\":{last},\"requests\":[");
        for (at, entry) in entries.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            let outcome = OUTCOMES
                .get(usize::from(entry.outcome.load(Ordering::Acquire)))
                .unwrap_or(&"open");
            let sent = entry.sent.load(Ordering::Acquire);
            json.push_str(&format!(
                "{{\"serial\":{},\"outcome\":\"{outcome}\",\"sent\":{sent},",
                entry.serial
            ));
            json.push_str(entry.line.get(1..).unwrap_or_default());
        }
        json.push_str("]}");
        Bytes::from(json)
    }

    /// Forgets the requests; serials go on.
    pub(crate) fn clear(&self) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.entries.clear();
        ring.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn small(most_entries: usize, most_bytes: usize) -> Recorder {
        Recorder {
            most_entries,
            most_bytes,
            ..Recorder::new(None).unwrap()
        }
    }

    fn list(recorder: &Recorder, since: u64) -> Vec<Value> {
        let all: Value = serde_json::from_slice(&recorder.list(since)).unwrap();
        all["requests"].as_array().unwrap().clone()
    }

    #[test]
    fn the_ring_drops_the_oldest() {
        let recorder = small(3, 1000);
        for at in 0..5 {
            recorder.add(&json!({"at": at})).unwrap();
        }
        assert_eq!(
            list(&recorder, 0)
                .iter()
                .map(|one| one["at"].as_u64().unwrap())
                .collect::<Vec<_>>(),
            [2, 3, 4]
        );
        assert_eq!(list(&recorder, 4).len(), 1);
    }

    #[test]
    fn the_ring_is_bounded_in_bytes() {
        let recorder = small(100, 300);
        for _ in 0..5 {
            recorder.add(&json!({"body": "x".repeat(100)})).unwrap();
        }
        assert_eq!(list(&recorder, 0).len(), 2);
        recorder.add(&json!({"body": "x".repeat(1000)})).unwrap();
        assert_eq!(
            list(&recorder, 0).len(),
            1,
            "the newest is kept, whatever its size"
        );
    }

    #[test]
    fn the_file_has_one_line_a_request() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let recorder = Recorder::new(Some(file.path())).unwrap();
        recorder.add(&json!({"path": "/a"})).unwrap().done(7);
        recorder.add(&json!({"path": "/b\n"})).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "{\"path\":\"/a\"}\n{\"path\":\"/b\\n\"}\n");
        let all: Value = serde_json::from_slice(&recorder.list(0)).unwrap();
        assert_eq!(all["requests"][0]["outcome"], "done");
        assert_eq!(all["requests"][0]["sent"], 7);
        assert_eq!(all["requests"][1]["outcome"], "open");
    }
}
