//! An exchange with everything it needs to go on: its upstream, its timer, and what it has told us to do.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use aigw_engine::{
    Attempt, Effect, Effects, ErrorClass, Event, Exchange, Inputs, Outcome, ResponseHead, UsageRecord,
};
use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use super::door::Context;
use super::entropy;
use crate::upstream::{Answer, AnswerBody};

/// The exchange and its surroundings.
pub(super) struct Session {
    exchange: Exchange,
    context: Arc<Context>,
    effects: Effects,
    timer: Option<Pin<Box<Sleep>>>,
    upstream: Option<Upstream>,
    stage: Stage,
    /// The engine wants more of the client's body.
    pub read: bool,
    /// The engine wants this sent.
    pub attempt: Option<Box<Attempt>>,
    /// The engine's head for the client.
    pub head: Option<Box<ResponseHead>>,
    /// What goes to the client next.
    pub writes: VecDeque<Bytes>,
    /// Nothing follows `writes`.
    pub end: bool,
    /// Break off after `writes`.
    pub abort: bool,
}

/// An attempt under way.
enum Upstream {
    /// Its request is being sent; the future is held elsewhere.
    Sending(u32),
    /// Its answer is coming in.
    Answering(u32, AnswerBody),
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

impl Session {
    /// An exchange served by what is live now.
    pub fn new(context: Arc<Context>) -> Box<Self> {
        let gateway = &context.gateway;
        let exchange = Exchange::new(Arc::clone(&gateway.load().snapshot), Arc::clone(&gateway.shared));
        Box::new(Self {
            exchange,
            context,
            effects: Vec::new(),
            timer: None,
            upstream: None,
            stage: Stage::Open,
            read: false,
            attempt: None,
            head: None,
            writes: VecDeque::new(),
            end: false,
            abort: false,
        })
    }

    /// Tells the engine what happened and takes down what it wants.
    pub fn on(&mut self, event: Event) {
        if self.stage != Stage::Open {
            return;
        }
        self.stage = Stage::Busy;
        let live = self.context.gateway.load();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let inputs = Inputs {
            now: Instant::now().into_std(),
            wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            entropy: entropy::next(),
            credentials: &live.credentials,
        };
        self.exchange.on(event, inputs, &mut self.effects);
        drop(live);
        self.stage = Stage::Open;
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.take(effect);
        }
        self.effects = effects;
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::ReadBody => self.read = true,
            Effect::Attempt(attempt) => self.attempt = Some(attempt),
            Effect::Cancel { attempt } => {
                if self.current() == Some(attempt) {
                    self.upstream = None;
                }
                self.attempt.take_if(|waiting| waiting.attempt == attempt);
            }
            Effect::Head(head) => self.head = Some(head),
            Effect::Write(data) => self.writes.push_back(data),
            Effect::End => self.end = true,
            Effect::Abort => self.abort = true,
            Effect::Record(record) => {
                self.stage = Stage::Done;
                self.context.gateway.record(record);
            }
        }
    }

    /// Number of the attempt under way.
    fn current(&self) -> Option<u32> {
        match &self.upstream {
            Some(Upstream::Sending(attempt) | Upstream::Answering(attempt, _)) => Some(*attempt),
            None => None,
        }
    }

    /// Sends an attempt and tells the engine what came of it, unless the engine loses interest before.
    pub async fn run(&mut self, attempt: Attempt) {
        let number = attempt.attempt;
        let context = Arc::clone(&self.context);
        self.upstream = Some(Upstream::Sending(number));
        let mut sending = pin!(context.upstreams.send(attempt));
        while self.is_sending(number) && self.head.is_none() {
            match self.within(sending.as_mut()).await {
                Some(Ok(Answer { head, body })) => {
                    self.upstream = Some(Upstream::Answering(number, body));
                    self.on(Event::UpstreamHead {
                        attempt: number,
                        status: head.status,
                        headers: head.headers,
                    });
                    self.look_ahead();
                }
                Some(Err(failure)) => {
                    self.upstream = None;
                    self.on(Event::UpstreamFailed {
                        attempt: number,
                        failure,
                    });
                }
                None => self.on(Event::Deadline),
            }
        }
        if self.is_sending(number) {
            // The client's answer does without it.
            self.upstream = None;
        }
    }

    fn is_sending(&self, number: u32) -> bool {
        matches!(self.upstream, Some(Upstream::Sending(current)) if current == number)
    }

    /// Waits for whatever the upstream or the clock says next and tells the engine; false when nothing ever will.
    pub fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        if let Some(Upstream::Answering(attempt, body)) = &mut self.upstream {
            let attempt = *attempt;
            if let Poll::Ready(piece) = body.poll_chunk(cx) {
                match piece {
                    Some(Ok(data)) => {
                        self.on(Event::UpstreamChunk { attempt, data });
                        self.look_ahead();
                    }
                    Some(Err(failure)) => {
                        self.upstream = None;
                        self.on(Event::UpstreamFailed { attempt, failure });
                    }
                    None => {
                        self.upstream = None;
                        self.on(Event::UpstreamEnd { attempt });
                    }
                }
                return Poll::Ready(true);
            }
        } else if self.stage != Stage::Open || self.exchange.deadline().is_none() {
            return Poll::Ready(false);
        }
        ready!(self.poll_deadline(cx));
        self.on(Event::Deadline);
        Poll::Ready(true)
    }

    /// Says at once that an answer is complete: where its length was announced, HTTP does not ask for more after its last
    /// byte.
    fn look_ahead(&mut self) {
        if let Some(Upstream::Answering(attempt, body)) = &self.upstream
            && body.is_end()
        {
            let attempt = *attempt;
            self.upstream = None;
            self.on(Event::UpstreamEnd { attempt });
        }
    }

    /// The output of `future`, or `None` when the engine's deadline passes before.
    pub async fn within<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_deadline(cx).map(|()| None),
        })
        .await
    }

    fn poll_deadline(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(deadline) = self.exchange.deadline().map(Instant::from_std) else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        // Deadlines move with each piece, mostly further away: the timer is left as it is until it goes off.
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }

    /// The upstream has sent all that it promised the client, though nobody looked for its end.
    pub fn complete(&mut self) {
        if let Some(attempt) = self.current() {
            self.on(Event::UpstreamEnd { attempt });
        }
    }

    fn leave(&mut self) {
        if self.stage != Stage::Busy {
            return self.on(Event::ClientGone);
        }
        // The engine panicked within an event. It may still be able to tell what it knows.
        self.stage = Stage::Open;
        self.effects.clear();
        let context = Arc::clone(&self.context);
        let live = context.gateway.load();
        let inputs = Inputs {
            now: Instant::now().into_std(),
            wall: 0,
            entropy: 0,
            credentials: &live.credentials,
        };
        self.exchange.on(Event::ClientGone, inputs, &mut self.effects);
        for effect in self.effects.drain(..) {
            if let Effect::Record(record) = effect {
                context.gateway.record(blame(record));
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

impl Drop for Session {
    fn drop(&mut self) {
        if self.stage != Stage::Done && catch_unwind(AssertUnwindSafe(|| self.leave())).is_err() {
            tracing::error!("an exchange ended in a panic and left no record");
        }
    }
}
