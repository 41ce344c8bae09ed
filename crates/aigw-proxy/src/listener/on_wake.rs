//! A future beside a busy one: it is asked when it has something to say, not each time the task wakes for the other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use aigw_runtime::Onward;
use pin_project_lite::pin_project;

pin_project! {
    /// The future.
    pub(super) struct OnWake<F> {
        #[pin]
        future: F,
        bell: Arc<Bell>,
        waker: Waker,
        // Whom the bell wakes.
        task: Option<Waker>,
    }
}

struct Bell {
    rung: AtomicBool,
    task: Onward,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<F: Future> OnWake<F> {
    pub(super) fn new(future: F) -> Self {
        let bell = Arc::new(Bell {
            // It has not been asked yet.
            rung: AtomicBool::new(true),
            task: Onward::default(),
        });
        Self {
            future,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            task: None,
        }
    }
}

impl<F: Future> Future for OnWake<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.bell.task.to(cx.waker(), this.task);
        // Looked at after the waker is in its place: whoever rings later wakes the task.
        if !this.bell.rung.load(Ordering::Acquire) || !this.bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        this.future.poll(&mut Context::from_waker(this.waker))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;

    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_asked_once_and_then_when_it_was_woken_whoever_polls() {
        let (send, receive) = oneshot::channel();
        let asked = Mutex::new(0);
        let mut receive = std::pin::pin!(receive);
        let future = std::future::poll_fn(|cx| {
            *asked.lock().unwrap() += 1;
            receive.as_mut().poll(cx)
        });
        let mut future = std::pin::pin!(OnWake::new(future));
        let wakers = [0, 1].map(|_| Arc::new(Counted(AtomicUsize::new(0))));
        for task in &wakers {
            let waker = Waker::from(Arc::clone(task));
            for _ in 0..3 {
                assert!(
                    future
                        .as_mut()
                        .poll(&mut Context::from_waker(&waker))
                        .is_pending()
                );
            }
        }
        assert_eq!(*asked.lock().unwrap(), 1);
        send.send(7).unwrap();
        assert_eq!(
            wakers.each_ref().map(|task| task.0.load(Ordering::Relaxed)),
            [0, 1]
        );
        let last = Waker::from(Arc::clone(&wakers[1]));
        assert_eq!(
            future.as_mut().poll(&mut Context::from_waker(&last)),
            Poll::Ready(Ok(7))
        );
        assert_eq!(*asked.lock().unwrap(), 2);
    }
}
