//! Telemetry: everything here reads the usage record, and nothing else does.
//!
//! The request's task only puts its record into a list; a task of the process's own turns the list into metrics and log lines
//! while the records are still in the processor's caches, so that no request waits for a lock, a format or a pipe.

mod access_log;
mod envoy;
mod labels;
mod metrics;
mod series;

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aigw_engine::UsageRecord;
use tokio::sync::Notify;

pub use access_log::LogFormat;
pub use envoy::EnvoyMetrics;
pub use metrics::Metrics;

use access_log::write_line;

/// How many records are taken up at once. Many more would have left the caches by then, as would the memory they are given back
/// to.
const BATCH: usize = 32;
/// How often fewer are taken up, and lines are written.
const PERIOD: Duration = Duration::from_millis(50);
/// With more records than this waiting, the next request takes them up itself.
const BACKLOG: usize = 16_384;
/// Bytes of log lines that wait for whoever reads the log; lines beyond are left out and counted.
const UNWRITTEN: usize = 32 << 20;

/// Where records go.
#[expect(
    clippy::vec_box,
    reason = "records arrive boxed, and moving one would copy half a kilobyte"
)]
pub struct Telemetry {
    pending: Mutex<Vec<Box<UsageRecord>>>,
    /// A batch waits.
    batch: Notify,
    metrics: Metrics,
    log: Option<Log>,
}

struct Log {
    format: LogFormat,
    lines: Mutex<Lines>,
    out: Mutex<Out>,
}

#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    count: u64,
}

struct Out {
    sink: Box<dyn Write + Send>,
    /// Takes turns with the lines that wait.
    spare: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Telemetry {
    /// Telemetry with an access log in `format` to `out`; without a format there is none.
    pub fn new(format: Option<LogFormat>, out: Box<dyn Write + Send>) -> Arc<Self> {
        let log = format.map(|format| Log {
            format,
            lines: Mutex::default(),
            out: Mutex::new(Out {
                sink: out,
                spare: Vec::new(),
            }),
        });
        Arc::new(Self {
            pending: Mutex::default(),
            batch: Notify::new(),
            metrics: Metrics::new(),
            log,
        })
    }

    /// Takes a finished exchange's record. Never waits for the log's reader.
    pub fn record(&self, record: Box<UsageRecord>) {
        let waiting = {
            let mut pending = lock(&self.pending);
            pending.push(record);
            pending.len()
        };
        if waiting == BATCH {
            self.batch.notify_one();
        } else if waiting > BACKLOG {
            self.take_up();
        }
    }

    /// Turns what waits into metrics and lines.
    fn take_up(&self) {
        let records = std::mem::take(&mut *lock(&self.pending));
        if records.is_empty() {
            return;
        }
        for record in &records {
            self.metrics.observe(record);
        }
        let Some(log) = &self.log else { return };
        let mut lines = lock(&log.lines);
        let mut left_out = 0;
        for record in &records {
            if lines.text.len() < UNWRITTEN {
                write_line(log.format, record, &mut lines.text);
                lines.count += 1;
            } else {
                left_out += 1;
            }
        }
        self.metrics.log_failed(left_out);
    }

    /// Writes the lines that wait. Takes as long as the log's reader does.
    fn write(&self) {
        let Some(log) = &self.log else { return };
        let mut out = lock(&log.out);
        let Out { sink, spare } = &mut *out;
        let count = {
            let mut lines = lock(&log.lines);
            std::mem::swap(&mut lines.text, spare);
            std::mem::take(&mut lines.count)
        };
        if count == 0 {
            return;
        }
        // A log that cannot be written (a closed pipe) must not stop the gateway; it shows in the metric.
        if sink.write_all(spare).and_then(|()| sink.flush()).is_err() {
            self.metrics.log_failed(count);
        }
        spare.clear();
        spare.shrink_to(1 << 20);
    }

    /// Takes up and writes everything that waits. Takes as long as the log's reader does.
    pub fn flush(&self) {
        self.take_up();
        self.write();
    }

    /// The metrics, up to date.
    pub fn metrics(&self) -> &Metrics {
        self.take_up();
        &self.metrics
    }

    /// Takes records up until the process ends.
    pub async fn run(self: Arc<Self>) {
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.batch.notified() => {
                    self.take_up();
                    continue;
                }
                _ = tick.tick() => self.take_up(),
            }
            let waits = self.log.as_ref().is_some_and(|log| lock(&log.lines).count > 0);
            if waits {
                // A reader that stalls holds up this thread alone.
                let this = Arc::clone(&self);
                let _ = tokio::task::spawn_blocking(move || this.write()).await;
            }
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A reader that takes nothing until it is told to go on.
    struct Stalled(mpsc::Receiver<()>, mpsc::Sender<usize>);

    impl Write for Stalled {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(data.len());
            Ok(data.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn record() -> Box<UsageRecord> {
        use aigw_engine::{Effect, Event, Exchange, Inputs, RequestHead};
        let document = serde_json::from_value(serde_json::json!({})).unwrap();
        let (snapshot, _) = aigw_config::compile(document, &aigw_translate::host::Registry).unwrap();
        let mut exchange = Exchange::new(Arc::new(snapshot), Arc::default());
        let head = RequestHead {
            method: "GET".parse().unwrap(),
            uri: "/v1/models".parse().unwrap(),
            headers: Default::default(),
            authority: String::new(),
            listener: "http".into(),
            peer: None,
            no_body: true,
        };
        let inputs = Inputs {
            now: std::time::Instant::now(),
            wall: 0,
            entropy: 0,
            credentials: &Default::default(),
        };
        let mut effects = Vec::new();
        exchange.on(Event::Request(Box::new(head)), inputs, &mut effects);
        match effects.pop() {
            Some(Effect::Record(record)) => record,
            other => panic!("no record but {other:?}"),
        }
    }

    #[test]
    fn a_reader_of_the_log_that_stalls_holds_up_no_request_and_no_metric() {
        let (go, wait) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let telemetry = Telemetry::new(Some(LogFormat::Text), Box::new(Stalled(wait, tell)));
        telemetry.record(record());
        let writer = Arc::clone(&telemetry);
        let writing = std::thread::spawn(move || writer.flush());
        for _ in 0..BACKLOG + 2 {
            telemetry.record(record());
        }
        let text = telemetry.metrics().text(&Arc::default());
        assert!(
            text.contains(&format!(
                "aigw_requests_total{{operation=\"models\",status=\"200\",outcome=\"success\"}} {}",
                BACKLOG + 3
            )),
            "{text}"
        );
        drop(go);
        writing.join().unwrap();
        telemetry.flush();
        assert!(told.try_iter().sum::<usize>() > 0);
    }
}
