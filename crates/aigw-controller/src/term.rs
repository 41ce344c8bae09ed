//! The right to write, which ends with the Lease.

use kube::Error;
use thiserror::Error as ThisError;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::lease::{Term, expiry};

/// How long one request may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// A request that did not succeed.
#[derive(Debug, ThisError)]
pub(crate) enum Refused {
    /// Another operator may write by now; nothing was changed, or this was the last change.
    #[error("this operator does not lead")]
    NotLeading,
    /// No answer in time.
    #[error("the API server did not answer within 10 s")]
    Slow,
    /// The API server refused it, or could not be reached.
    #[error(transparent)]
    Api(#[from] Error),
}

impl Refused {
    /// HTTP status of the API server's answer.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Api(Error::Api(status)) => Some(status.code),
            _ => None,
        }
    }
}

/// Lets writes through while this process leads.
#[derive(Clone, Debug)]
pub(crate) struct Right {
    term: watch::Receiver<Term>,
}

impl Right {
    pub(crate) fn new(term: watch::Receiver<Term>) -> Self {
        Self { term }
    }

    /// Whether this process leads.
    pub(crate) fn held(&self) -> bool {
        self.term.borrow().is_some_and(|end| Instant::now() < end)
    }

    /// Does `work` for one term: once this process leads, and until it does not any more.
    pub(crate) async fn term(&mut self, work: impl Future<Output = ()>) {
        self.gained().await;
        tokio::select! {
            () = work => {}
            () = self.lost() => {}
        }
    }

    /// Waits until this process leads.
    async fn gained(&mut self) {
        while !self.held() {
            if self.term.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Completes when this process does not lead any more.
    async fn lost(&self) {
        let mut term = self.term.clone();
        loop {
            let now = *term.borrow_and_update();
            if now.is_none_or(|end| end <= Instant::now()) {
                return;
            }
            tokio::select! {
                changed = term.changed() => if changed.is_err() { return },
                () = expiry(now) => {}
            }
        }
    }

    /// Makes a request that writes. It is not begun without the right, and is let go of when the right is lost.
    pub(crate) async fn write<T>(
        &self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Refused> {
        if !self.held() {
            return Err(Refused::NotLeading);
        }
        tokio::select! {
            biased;
            () = self.lost() => Err(Refused::NotLeading),
            done = timeout(PATIENCE, request) => match done {
                Ok(answer) => answer.map_err(Refused::Api),
                Err(_) => Err(Refused::Slow),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_ends_with_the_term_and_none_begins_after_it() {
        let (term, receiver) = watch::channel(None);
        let right = Right::new(receiver);
        let refused = right.write(async { Ok(()) }).await.unwrap_err();
        assert!(matches!(refused, Refused::NotLeading));
        term.send_replace(Some(Instant::now() + Duration::from_secs(3)));
        right.write(async { Ok(()) }).await.unwrap();
        let began = Instant::now();
        let hanging = right.write(std::future::pending::<Result<(), Error>>()).await;
        assert!(matches!(hanging.unwrap_err(), Refused::NotLeading));
        assert_eq!(began.elapsed().as_secs(), 3);
        assert!(!right.held());
    }
}
