//! Plays a [`Script`] as a response body, in constant memory and at the reader's speed.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::encode::Encoder;
use crate::fault::{Fault, Reset};
use crate::line::Line;
use crate::record::Watch;
use crate::script::{Script, Step};

/// Time for what was written to leave before the connection breaks.
const LINGER: Duration = Duration::from_millis(20);

/// A response body.
pub(crate) struct MockBody {
    script: Script,
    encoder: Option<Encoder>,
    pending: Bytes,
    split: Option<usize>,
    flush_next: bool,
    timer: Option<Pin<Box<Sleep>>>,
    sent: u64,
    /// Bytes after which the body breaks.
    limit: Option<u64>,
    breaking: bool,
    reset: Option<Arc<Line>>,
    watch: Option<Watch>,
}

impl MockBody {
    pub(crate) fn new(
        script: Script,
        fault: &Fault,
        line: &Arc<Line>,
        watch: Option<Watch>,
    ) -> io::Result<Self> {
        let reset_after = match fault.reset {
            Some(Reset::After(bytes)) => Some(bytes),
            _ => None,
        };
        Ok(Self {
            script,
            encoder: fault.encoding.map(Encoder::new).transpose()?,
            pending: Bytes::new(),
            split: fault.split,
            flush_next: false,
            timer: None,
            sent: 0,
            limit: fault.cut.or(reset_after),
            breaking: false,
            reset: reset_after.map(|_| Arc::clone(line)),
            watch,
        })
    }

    fn emit(&mut self) -> Bytes {
        let mut length = self.split.unwrap_or(usize::MAX).min(self.pending.len());
        if let Some(limit) = self.limit {
            length = length.min(usize::try_from(limit - self.sent).unwrap_or(usize::MAX));
        }
        let piece = self.pending.split_to(length);
        self.sent += length as u64;
        self.flush_next = self.split.is_some();
        if self.pending.is_empty()
            && self.encoder.is_none()
            && self.script.is_over()
            && self.limit != Some(self.sent)
        {
            self.end(Watch::done);
        }
        piece
    }

    fn end(&mut self, mark: fn(&Watch, u64)) {
        if let Some(watch) = self.watch.take() {
            mark(&watch, self.sent);
        }
    }

    fn broken(&mut self) -> io::Error {
        self.end(Watch::broken);
        if let Some(line) = &self.reset {
            line.reset();
        }
        io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the mock was told to break off here",
        )
    }

    /// Fills `pending` from the next step; `None` at the end of the body.
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<()>>> {
        match self.script.next() {
            Some(Step::Bytes(bytes)) => match &mut self.encoder {
                Some(encoder) => match encoder.push(&bytes) {
                    Ok(bytes) => self.pending = bytes,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                None => self.pending = bytes,
            },
            Some(Step::Wait(pause)) => self.timer = Some(Box::pin(sleep(pause))),
            Some(Step::Flush) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Hang) => {
                // Hangs again should it be polled again; only the other side can end this.
                self.script = Script::Steps([Step::Hang].into());
                return Poll::Pending;
            }
            Some(Step::Break) => self.limit = Some(self.sent),
            Some(Step::Repeat(..)) => {}
            None => match self.encoder.take().map(Encoder::finish) {
                Some(Ok(bytes)) => self.pending = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            },
        }
        Poll::Ready(Some(Ok(())))
    }
}

impl Body for MockBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        loop {
            if let Some(timer) = &mut this.timer {
                ready!(timer.as_mut().poll(context));
                this.timer = None;
            }
            if this.breaking {
                return Poll::Ready(Some(Err(this.broken())));
            }
            if this.limit == Some(this.sent) {
                this.breaking = true;
                this.timer = Some(Box::pin(sleep(LINGER)));
                continue;
            }
            if std::mem::take(&mut this.flush_next) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !this.pending.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(this.emit()))));
            }
            match ready!(this.advance(context)) {
                Some(Ok(())) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    this.end(Watch::done);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pending.is_empty() && self.encoder.is_none() && self.limit.is_none() && self.script.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        match self.script.length() {
            Some(length) if self.encoder.is_none() => {
                SizeHint::with_exact(length + self.pending.len() as u64)
            }
            _ => SizeHint::default(),
        }
    }
}

impl Drop for MockBody {
    fn drop(&mut self) {
        self.end(Watch::gone);
    }
}
