//! The timer of an HTTP/1.1 connection's heads. One is asked for with each request and seldom passes, so one alarm serves them
//! all.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use aigw_runtime::Alarm;
use hyper::rt::{Sleep, Timer};

/// The timer of one connection, which waits for one thing at a time.
#[derive(Debug, Default)]
pub(super) struct HeadTimer(Arc<Mutex<Alarm>>);

struct Wait {
    alarm: Arc<Mutex<Alarm>>,
    deadline: Instant,
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait {
            alarm: Arc::clone(&self.0),
            deadline,
        })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        alarm.poll(cx, self.deadline.into())
    }
}

impl Sleep for Wait {}
