//! An exchange with everything it needs to go on: its upstream, its timer, and what it has told us to do.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use aigw_engine::{Attempt, Effect, Effects, Event, ResponseHead};
use aigw_runtime::Drive;
use bytes::Bytes;

use crate::upstream::{Answer, AnswerBody, Upstreams};

/// The exchange and its surroundings.
pub(super) struct Session {
    drive: Drive,
    upstreams: Arc<Upstreams>,
    effects: Effects,
    upstream: Option<Upstream>,
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

impl Session {
    /// An exchange, and what its engine wants sent already.
    pub fn new(drive: Drive, attempt: Option<Box<Attempt>>, upstreams: Arc<Upstreams>) -> Box<Self> {
        Box::new(Self {
            drive,
            upstreams,
            effects: Vec::new(),
            upstream: None,
            read: false,
            attempt,
            head: None,
            writes: VecDeque::new(),
            end: false,
            abort: false,
        })
    }

    /// Tells the engine what happened and takes down what it wants.
    pub fn on(&mut self, event: Event) {
        let mut effects = std::mem::take(&mut self.effects);
        self.drive.on(event, &mut effects);
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
            // Already written.
            Effect::Record(_) => {}
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
        let upstreams = Arc::clone(&self.upstreams);
        self.upstream = Some(Upstream::Sending(number));
        let mut sending = pin!(upstreams.send(attempt));
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
        } else if !self.drive.is_open() || self.drive.exchange().deadline().is_none() {
            return Poll::Ready(false);
        }
        ready!(self.drive.poll_deadline(cx));
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
            Poll::Pending => self.drive.poll_deadline(cx).map(|()| None),
        })
        .await
    }

    /// The upstream has sent all that it promised the client, though nobody looked for its end.
    pub fn complete(&mut self) {
        if let Some(attempt) = self.current() {
            self.on(Event::UpstreamEnd { attempt });
        }
    }
}
