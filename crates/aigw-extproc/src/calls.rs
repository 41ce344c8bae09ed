//! The calls of one connection of Envoy's, run by the connection's own task: a message crosses no thread on its way to its call,
//! and what several calls answer at one time goes out together.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::rt::Executor;
use tokio::io::AsyncWrite;

use crate::outbox::Outbox;

/// A call.
type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    /// The call that is polled on this thread asks for a task of its own.
    static APART: Cell<bool> = const { Cell::new(false) };
}

/// Has the call that is being polled go on in a task of its own, where it may take long: the others of its connection, and what
/// keeps that alive, do not wait for it. The call must say that it is pending next.
pub(crate) fn go_apart() {
    APART.set(true);
}

/// Calls that have just come in.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Calls {
    fn execute(&self, call: F) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(Box::pin(call));
    }
}

impl Calls {
    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a connection over `stream` that hands its calls to these, and the calls, until the connection ends.
    pub async fn run<C: Future, S: AsyncWrite + Unpin>(&self, connection: C, stream: Outbox<S>) -> C::Output {
        let mut connection = pin!(connection);
        let mut running = FuturesUnordered::new();
        poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            // Where it fails the connection will fail, too.
            let _ = stream.poll_send(cx);
            if polled.is_ready() {
                return polled;
            }
            running.extend(self.take().into_iter().map(Running));
            // What they answer wakes the connection, and with it this task.
            while let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {}
            Poll::Pending
        })
        .await
    }
}

/// A call in the connection's task.
struct Running(Call);

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx)));
        if APART.take() && matches!(polled, Ok(Poll::Pending)) {
            let call: Call = std::mem::replace(&mut self.0, Box::pin(std::future::ready(())));
            tokio::spawn(call);
            return Poll::Ready(());
        }
        // The panic of one call is not the others'.
        polled.unwrap_or(Poll::Ready(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::{Notify, oneshot};

    use super::*;

    /// Runs a connection that makes these calls and ends once `ended` of them have said so.
    async fn run(calls: Vec<Call>, counted: Arc<AtomicUsize>, ended: usize, bell: Arc<Notify>) {
        let executor = Calls::default();
        let connection = async {
            for call in calls {
                executor.execute(call);
            }
            while counted.load(Ordering::Acquire) < ended {
                bell.notified().await;
            }
        };
        let (stream, _other) = tokio::io::duplex(64);
        executor.run(connection, Outbox::new(stream)).await;
    }

    #[tokio::test]
    async fn a_call_that_panics_ends_alone() {
        let (counted, bell) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let count = |counted: Arc<AtomicUsize>, bell: Arc<Notify>| async move {
            tokio::task::yield_now().await;
            counted.fetch_add(1, Ordering::Release);
            bell.notify_one();
        };
        let calls: Vec<Call> = vec![
            Box::pin(count(Arc::clone(&counted), Arc::clone(&bell))),
            Box::pin(async { panic!("of this call alone") }),
            Box::pin(count(Arc::clone(&counted), Arc::clone(&bell))),
        ];
        run(calls, counted, 2, bell).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_call_that_takes_long_is_not_waited_for() {
        let (counted, bell) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (go_on, blocked) = std::sync::mpsc::channel::<()>();
        let (done, ends) = oneshot::channel();
        let mut asked = false;
        let home = tokio::task::try_id();
        let long = async move {
            poll_fn(|_| match std::mem::replace(&mut asked, true) {
                true => Poll::Ready(()),
                false => {
                    go_apart();
                    Poll::Pending
                }
            })
            .await;
            assert_ne!(tokio::task::try_id(), home);
            // The connection goes on meanwhile, or this would never end.
            tokio::task::block_in_place(|| blocked.recv().unwrap());
            done.send(()).unwrap();
        };
        let short = {
            let (counted, bell) = (Arc::clone(&counted), Arc::clone(&bell));
            async move {
                go_on.send(()).unwrap();
                counted.fetch_add(1, Ordering::Release);
                bell.notify_one();
            }
        };
        run(vec![Box::pin(long), Box::pin(short)], counted, 1, bell).await;
        ends.await.unwrap();
    }
}
