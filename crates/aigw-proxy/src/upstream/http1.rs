//! One HTTP/1.1 connection, driven by whoever holds it: no task of its own, so an answer crosses no thread on its way, and
//! dropping the holder closes the connection.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use aigw_engine::{Failure, FailureKind};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::failure::{classify, connect};
use crate::transport::Transport;

/// Largest response head, and most that is read ahead.
const MAX_BUFFER: usize = 256 * 1024;

/// A kept connection that breaks this soon after a request was put on it was closed by the peer at the same moment.
const CROSSING: Duration = Duration::from_secs(1);

/// The connection.
pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    driver: Option<Connection<TokioIo<Transport>, Full<Bytes>>>,
    /// When it was last put away; `None` until then.
    kept: Option<Instant>,
}

/// Why a request came to nothing.
pub(super) enum Broken {
    /// The peer never saw it: here it is again.
    Unsent(Box<Request<Full<Bytes>>>),
    /// The attempt failed.
    Failed(Failure),
}

impl Http1 {
    /// Takes a fresh connection over.
    pub async fn new(transport: Transport) -> Result<Self, Failure> {
        let (sender, driver) = Builder::new()
            .max_buf_size(MAX_BUFFER)
            .handshake(TokioIo::new(transport))
            .await
            .map_err(|error| connect(error.to_string()))?;
        Ok(Self {
            sender,
            driver: Some(driver),
            kept: None,
        })
    }

    /// Moves bytes in both directions as far as they go.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(cx).is_ready()
        {
            // An error also reaches the response or its body.
            self.driver = None;
        }
    }

    /// Whether another request could be put on it when it was last driven.
    pub fn is_ready(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Whether another request can be put on it now.
    pub fn is_reusable(&mut self) -> bool {
        // Nobody is woken: whoever takes it next drives it again.
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.is_ready()
    }

    /// Marks it as put away.
    pub fn keep(&mut self, now: Instant) {
        self.kept = Some(now);
    }

    /// Whether it was put away before `limit`.
    pub fn kept_before(&self, limit: Instant) -> bool {
        self.kept.is_some_and(|since| since < limit)
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>, Broken> {
        let sent = self.kept.map(|_| Instant::now());
        let mut response = pin!(self.sender.try_send_request(request));
        let result = poll_fn(|cx| {
            self.drive(cx);
            match response.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        result.map_err(|mut error| match (error.take_message(), sent) {
            (Some(request), _) => Broken::Unsent(Box::new(request)),
            (None, Some(sent)) if is_cut(error.error()) && sent.elapsed() < CROSSING => {
                Broken::Failed(Failure {
                    kind: FailureKind::Stale,
                    message: "the peer had closed the connection".to_owned(),
                })
            }
            (None, _) => Broken::Failed(classify(error.error())),
        })
    }
}

/// Whether the connection ended before any byte of an answer.
fn is_cut(error: &hyper::Error) -> bool {
    use std::error::Error;
    use std::io::ErrorKind;
    error.is_incomplete_message()
        || error
            .source()
            .and_then(|source| source.downcast_ref::<std::io::Error>())
            .is_some_and(|io| {
                matches!(
                    io.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
                )
            })
}
