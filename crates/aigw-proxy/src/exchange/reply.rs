//! The body of an answer: it owns the exchange and takes it on, one piece of the upstream at a time, whenever the client can
//! take more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;

use super::session::Session;

/// The body.
pub(crate) struct Reply {
    /// `None` once everything was handed over, or for the few answers that no engine made.
    session: Option<Box<Session>>,
    fixed: Bytes,
    /// Bytes still owed to the client, when the head says how many.
    owed: Option<u64>,
    /// The connection had its chance to send what was written before the answer breaks off.
    flushed: bool,
}

/// The answer broke off.
#[derive(Debug, Error)]
#[error("the answer broke off")]
pub(crate) struct BrokenOff;

impl Reply {
    /// What `session` will write.
    pub(super) fn new(session: Box<Session>, owed: Option<u64>) -> Self {
        Self {
            session: Some(session),
            fixed: Bytes::new(),
            owed,
            flushed: false,
        }
    }

    /// A body without an exchange.
    pub(super) fn fixed(text: &'static str) -> Self {
        Self {
            session: None,
            fixed: Bytes::from_static(text.as_bytes()),
            owed: None,
            flushed: false,
        }
    }

    fn poll_data(session: &mut Session, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        loop {
            if let Some(data) = session.writes.pop_front() {
                return Poll::Ready(Some(Ok(data)));
            }
            if session.end {
                return Poll::Ready(None);
            }
            if session.abort || !ready!(session.poll_next(cx)) {
                return Poll::Ready(Some(Err(BrokenOff)));
            }
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let Some(session) = &mut self.session else {
            let fixed = std::mem::take(&mut self.fixed);
            return Poll::Ready((!fixed.is_empty()).then(|| Ok(Frame::data(fixed))));
        };
        let polled = catch_unwind(AssertUnwindSafe(|| Self::poll_data(session, cx)));
        let item = match polled {
            Ok(poll) => ready!(poll),
            Err(_) => {
                session.abort = true;
                Some(Err(BrokenOff))
            }
        };
        match item {
            Some(Ok(data)) => {
                let length = data.len() as u64;
                self.owed = self.owed.map(|owed| owed.saturating_sub(length));
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(_)) if !self.flushed => {
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Err(error)) => {
                self.session = None;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                self.session = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.session {
            Some(session) => session.end && session.writes.is_empty(),
            None => self.fixed.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.session {
            // All of it is here: it can go out in one piece with the head.
            Some(session) if session.end => {
                SizeHint::with_exact(session.writes.iter().map(|data| data.len() as u64).sum())
            }
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(self.fixed.len() as u64),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // HTTP does not ask for more once all that the head announced was handed over.
        if self.owed == Some(0)
            && let Some(session) = &mut self.session
        {
            session.complete();
        }
    }
}
