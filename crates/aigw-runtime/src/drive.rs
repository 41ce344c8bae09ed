//! An exchange with all that is the same for every host: its clock, its timer, and one record on every way out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aigw_config::Credentials;
use aigw_engine::{Effect, Effects, ErrorClass, Event, Exchange, Inputs, Outcome, UsageRecord};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::entropy;
use crate::live::Gateway;

/// What a client is told, with status 500 and code `internal`, when an exchange ended in a panic and no engine is left to say it.
pub const FAILED: &str = r#"{"error":{"message":"The gateway failed on this request; its log says why.","type":"server_error","code":"internal"}}"#;

/// The exchange. Whoever drops it before its end has, to the engine, gone away.
pub struct Drive {
    exchange: Exchange,
    gateway: Arc<Gateway>,
    alarm: Option<Alarm>,
    stage: Stage,
    /// Both clocks at the start; from there on only the monotonic one is read.
    began: (Instant, Duration),
}

/// Where the exchange itself is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Taking events.
    Open,
    /// Within an event: seen from outside only after a panic.
    Busy,
    /// The record is written.
    Done,
}

impl Drive {
    /// An exchange served by what is live now.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        let exchange = Exchange::new(Arc::clone(&gateway.load().snapshot), Arc::clone(&gateway.shared));
        Self {
            exchange,
            gateway,
            alarm: None,
            stage: Stage::Open,
            began: (
                Instant::now(),
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            ),
        }
    }

    fn inputs<'a>(&self, credentials: &'a Credentials) -> Inputs<'a> {
        let now = Instant::now();
        let (then, wall) = self.began;
        let wall = wall.saturating_add(now.saturating_duration_since(then));
        Inputs {
            now: now.into_std(),
            wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            entropy: entropy::next(),
            credentials,
        }
    }

    /// Tells the engine what happened and appends what the host must do. The record, which is the last of it, is written here
    /// and is not among the effects.
    pub fn on(&mut self, event: Event, effects: &mut Effects) {
        self.on_watched(event, effects, |_| {});
    }

    /// The same, and `seen` has a look at the record before it is handed on.
    pub fn on_watched(&mut self, event: Event, effects: &mut Effects, seen: impl FnOnce(&UsageRecord)) {
        if self.stage != Stage::Open {
            return;
        }
        self.stage = Stage::Busy;
        let live = self.gateway.load();
        let inputs = self.inputs(&live.credentials);
        if self.takes_long(&event) {
            // Whatever else waits for this thread, the connection that the event came from above all, goes on with another.
            tokio::task::block_in_place(|| self.exchange.on(event, inputs, effects));
        } else {
            self.exchange.on(event, inputs, effects);
        }
        drop(live);
        self.stage = Stage::Open;
        if let Some(Effect::Record(record)) = effects.pop_if(|effect| matches!(effect, Effect::Record(_))) {
            self.stage = Stage::Done;
            seen(&record);
            self.gateway.record(record);
        }
    }

    /// Whether a large body is read, translated or signed now.
    fn takes_long(&self, event: &Event) -> bool {
        let is_step = !matches!(event, Event::Body(_) | Event::UpstreamChunk { .. });
        is_step
            && self.exchange.is_large()
            && Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread)
    }

    /// The exchange.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// [`Exchange::commit`].
    pub fn commit(&mut self) {
        self.exchange.commit();
    }

    /// False once the record is written, and after a panic.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Ready when [`Event::Deadline`] is due.
    pub fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.exchange.deadline().map(Instant::from_std) else {
            return Poll::Pending;
        };
        // Deadlines move with each piece, mostly further away.
        self.alarm
            .get_or_insert_with(|| self.gateway.alarms.take())
            .poll(cx, deadline)
    }

    fn leave(&mut self) {
        if self.stage != Stage::Busy {
            return self.on(Event::ClientGone, &mut Vec::new());
        }
        // The engine panicked within an event. It may still be able to tell what it knows.
        let gateway = Arc::clone(&self.gateway);
        let live = gateway.load();
        let inputs = self.inputs(&live.credentials);
        let mut effects = Vec::new();
        self.exchange.on(Event::ClientGone, inputs, &mut effects);
        for effect in effects {
            if let Effect::Record(record) = effect {
                gateway.record(blame(record));
            }
        }
    }
}

/// Says in a record that the fault was ours.
fn blame(mut record: Box<UsageRecord>) -> Box<UsageRecord> {
    record.status = if record.status == 0 { 500 } else { record.status };
    record.outcome = Outcome::Error;
    record.error_class = Some(ErrorClass::Internal);
    record.error_code = Some("internal".to_owned());
    record
}

impl Drop for Drive {
    fn drop(&mut self) {
        if self.stage != Stage::Done && catch_unwind(AssertUnwindSafe(|| self.leave())).is_err() {
            tracing::error!("an exchange ended in a panic and left no record");
        }
        if let Some(alarm) = self.alarm.take() {
            self.gateway.alarms.put_back(alarm);
        }
    }
}

impl std::fmt::Debug for Drive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drive")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
