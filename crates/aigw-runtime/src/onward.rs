//! Wakers of one's own that pass on to a task.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The task that a waker of one's own wakes in the end.
#[derive(Debug, Default)]
pub struct Onward(Mutex<Option<Waker>>);

impl Onward {
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `task` is woken. `last` is what the caller keeps between polls: tasks seldom change wakers, so most polls see
    /// there that nothing is to be done.
    #[inline]
    pub fn to(&self, task: &Waker, last: &mut Option<Waker>) {
        if !last.as_ref().is_some_and(|last| last.will_wake(task)) {
            *self.task() = Some(task.clone());
            *last = Some(task.clone());
        }
    }

    /// Wakes the task.
    pub fn wake(&self) {
        if let Some(task) = &*self.task() {
            task.wake_by_ref();
        }
    }
}
