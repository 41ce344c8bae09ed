//! The answers of one call as a stream, polled by the connection: no task and no channel of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aigw_proxy::Hold;
use futures_util::Stream;
use tonic::{Status, Streaming};

use super::call::Call;
use super::wire::{Answer, Word};
use crate::calls::go_apart;

/// The stream.
pub(super) struct Answers {
    /// `None` when somebody else waits for their end.
    messages: Option<Streaming<Word>>,
    call: Box<Call>,
    /// The last item was an error.
    is_closed: bool,
    /// The call has a task of its own.
    is_apart: bool,
}

impl Answers {
    pub(super) fn new(messages: Streaming<Word>, call: Call) -> Self {
        Self {
            messages: Some(messages),
            call: Box::new(call),
            is_closed: false,
            is_apart: false,
        }
    }

    /// A panic is this call's alone: the others of the connection and of the process go on.
    fn guard(&mut self, run: impl FnOnce(&mut Call)) {
        if catch_unwind(AssertUnwindSafe(|| run(&mut self.call))).is_err() {
            self.call.fail();
        }
    }
}

impl Stream for Answers {
    type Item = Result<Answer, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(answer) = self.call.next_answer() {
                return Poll::Ready(Some(Ok(answer)));
            }
            if self.call.is_broken() && !self.is_closed {
                self.is_closed = true;
                return Poll::Ready(Some(Err(Status::aborted("the answer breaks off"))));
            }
            if self.call.is_over() {
                if let (Some(hold), Some(messages)) = (self.call.take_hold(), self.messages.take()) {
                    tokio::spawn(until_left(messages, hold));
                }
                return Poll::Ready(None);
            }
            if !self.is_apart && self.call.is_large() {
                self.is_apart = true;
                go_apart();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(messages) = self.messages.as_mut() else {
                return Poll::Ready(None);
            };
            match Pin::new(messages).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => self.guard(|call| call.take(message)),
                Poll::Ready(Some(Err(_)) | None) => self.guard(Call::take_leave),
                Poll::Pending => {
                    ready!(self.call.poll_turn(cx));
                    self.guard(Call::take_turn);
                }
            }
        }
    }
}

/// Holds until Envoy, too, has ended the call.
async fn until_left(mut messages: Streaming<Word>, hold: Hold) {
    while let Ok(Some(_)) = messages.message().await {}
    drop(hold);
}

impl Drop for Answers {
    fn drop(&mut self) {
        // Envoy may have reset the stream, and then nobody looks for its end.
        self.guard(Call::take_leave);
    }
}
