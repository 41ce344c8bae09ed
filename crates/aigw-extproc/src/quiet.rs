//! A connection that wakes itself while it is polled is polled again there and then.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use aigw_runtime::Onward;

/// How often a future is polled before other tasks have their turn.
const TURNS: usize = 4;

/// The future is being polled.
const POLLED: u8 = 1;
/// Somebody has woken it since that began.
const RUNG: u8 = 2;

/// A future whose parts wake each other. To the runtime a task that wakes itself is one more that waits, so another thread is
/// woken to look after it, and finds nothing: that costs more than the poll, and takes a processor from whoever the task has
/// just written to. Here such a future is polled again at once, a few times at most.
pub(crate) struct Quiet<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    waker: Waker,
    /// Whom the bell wakes.
    task: Option<Waker>,
}

struct Bell {
    state: AtomicU8,
    task: Onward,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever polls looks for it; whoever rang before has woken the task.
        if self.state.fetch_or(RUNG, Ordering::AcqRel) == 0 {
            self.task.wake();
        }
    }
}

impl<F> Quiet<F> {
    /// The future, made quiet.
    pub fn new(future: F) -> Self {
        let bell = Arc::new(Bell {
            state: AtomicU8::new(0),
            task: Onward::default(),
        });
        Self {
            future: Box::pin(future),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            task: None,
        }
    }
}

impl<F: Future> Future for Quiet<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.bell.task.to(cx.waker(), &mut this.task);
        let state = &this.bell.state;
        for _ in 0..TURNS {
            // Acquires what was done before it was woken.
            state.swap(POLLED, Ordering::AcqRel);
            let polled = this.future.as_mut().poll(&mut Context::from_waker(&this.waker));
            if polled.is_ready() {
                return polled;
            }
            let is_quiet = state.compare_exchange(POLLED, 0, Ordering::AcqRel, Ordering::Acquire);
            if is_quiet.is_ok() {
                return Poll::Pending;
            }
        }
        state.store(RUNG, Ordering::Release);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A future that wakes itself `times` in a row and is ready at the poll after the one that stayed quiet; its wakers.
    fn restless(mut times: usize, wakers: Arc<Mutex<Vec<Waker>>>) -> impl Future<Output = ()> {
        let mut is_over = false;
        std::future::poll_fn(move |cx| {
            wakers.lock().unwrap().push(cx.waker().clone());
            if times > 0 {
                times -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match std::mem::replace(&mut is_over, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
    }

    #[test]
    fn it_is_polled_again_at_once_and_the_task_is_woken_from_outside_alone() {
        let wakers = Arc::new(Mutex::new(Vec::new()));
        let mut future = std::pin::pin!(Quiet::new(restless(2, Arc::clone(&wakers))));
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut cx = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert_eq!(
            (wakers.lock().unwrap().len(), task.0.load(Ordering::Relaxed)),
            (3, 0)
        );
        for waker in &*wakers.lock().unwrap() {
            waker.wake_by_ref();
        }
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        assert!(future.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn one_that_never_rests_leaves_others_their_turn() {
        let wakers = Arc::new(Mutex::new(Vec::new()));
        let mut future = std::pin::pin!(Quiet::new(restless(TURNS + 1, Arc::clone(&wakers))));
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        assert!(
            future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(
            (wakers.lock().unwrap().len(), task.0.load(Ordering::Relaxed)),
            (TURNS, 1)
        );
        // It is woken already.
        wakers.lock().unwrap().first().unwrap().wake_by_ref();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        // Another task takes it over and goes by its own waker.
        let other = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&other));
        assert!(
            future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        wakers.lock().unwrap().first().unwrap().wake_by_ref();
        assert_eq!(other.0.load(Ordering::Relaxed), 1);
    }
}
