//! Telemetry: everything here reads the usage record, and nothing else does.
//!
//! The request's task only puts its record into a list; a task of the process's own turns the list into metrics and log lines
//! many times a second, so that no request waits for a lock, a format or a pipe.

mod access_log;
mod labels;
mod metrics;
mod series;

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aigw_engine::UsageRecord;

pub use access_log::LogFormat;
pub use metrics::Metrics;

use access_log::write_line;

/// How often records are taken up.
const PERIOD: Duration = Duration::from_millis(50);
/// With more records than this waiting, the next request takes them up itself: nothing is ever dropped.
const BACKLOG: usize = 16_384;

/// Where records go.
#[expect(
    clippy::vec_box,
    reason = "records arrive boxed, and moving one would copy half a kilobyte"
)]
pub struct Telemetry {
    pending: Mutex<Vec<Box<UsageRecord>>>,
    metrics: Metrics,
    log: Option<Mutex<Log>>,
}

struct Log {
    format: LogFormat,
    out: Box<dyn Write + Send>,
    buffer: Vec<u8>,
}

impl Telemetry {
    /// Telemetry with an access log in `format` to `out`; without a format there is none.
    pub fn new(format: Option<LogFormat>, out: Box<dyn Write + Send>) -> Arc<Self> {
        let log = format.map(|format| {
            Mutex::new(Log {
                format,
                out,
                buffer: Vec::with_capacity(64 << 10),
            })
        });
        Arc::new(Self {
            pending: Mutex::default(),
            metrics: Metrics::new(),
            log,
        })
    }

    /// Takes a finished exchange's record.
    pub fn record(&self, record: Box<UsageRecord>) {
        let waiting = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.push(record);
            pending.len()
        };
        if waiting > BACKLOG {
            self.flush();
        }
    }

    /// Takes up everything that waits.
    pub fn flush(&self) {
        let records = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if records.is_empty() {
            return;
        }
        for record in &records {
            self.metrics.observe(record);
        }
        let Some(log) = &self.log else { return };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let Log { format, out, buffer } = &mut *log;
        for record in &records {
            write_line(*format, record, buffer);
        }
        // A log that cannot be written (a closed pipe) must not stop the gateway; it shows in the metric.
        if out.write_all(buffer).and_then(|()| out.flush()).is_err() {
            self.metrics.log_failed(records.len() as u64);
        }
        buffer.clear();
        buffer.shrink_to(1 << 20);
    }

    /// The metrics, up to date.
    pub fn metrics(&self) -> &Metrics {
        self.flush();
        &self.metrics
    }

    /// Takes records up until the process ends.
    pub async fn run(self: Arc<Self>) {
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.flush();
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}
