//! One HTTP/2 connection, shared by many attempts; its own task moves the frames.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aigw_engine::Failure;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::failure::{classify, connect};
use super::http1::Broken;
use crate::transport::Transport;

/// Bytes that one answer may be ahead of its reader.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same for all answers of a connection together: clients that do not read must never stop the others'.
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
/// Silence after which a connection in use is asked whether it is alive, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));
/// Streams at one time, unless the peer allows less (RFC 9113 section 6.5.2 recommends 100 at least).
const STREAMS: u32 = 100;

/// The connection.
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    load: Arc<Load>,
    used: Instant,
}

/// How busy a connection is.
#[derive(Debug)]
struct Load {
    active: AtomicUsize,
    limit: AtomicUsize,
}

/// One stream's share of a connection; given back when dropped.
pub(super) struct Lease {
    sender: SendRequest<Full<Bytes>>,
    load: Arc<Load>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.load.active.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Http2 {
    /// Takes a fresh connection over and starts its task, which ends with the connection.
    pub async fn new(transport: Transport) -> Result<Self, Failure> {
        let (sender, driver) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .handshake(TokioIo::new(transport))
            .await
            .map_err(|error| connect(error.to_string()))?;
        let load = Arc::new(Load {
            active: AtomicUsize::new(0),
            limit: AtomicUsize::new(STREAMS as usize),
        });
        let watched = Arc::clone(&load);
        let mut driver = driver;
        tokio::spawn(async move {
            // Every stream that was on it has been told of the error.
            let _ = poll_fn(|cx| {
                let poll = Pin::new(&mut driver).poll(cx);
                let limit = driver.current_max_send_streams().min(STREAMS as usize);
                watched.limit.store(limit, Ordering::Release);
                poll
            })
            .await;
        });
        Ok(Self {
            sender,
            load,
            used: Instant::now(),
        })
    }

    /// A share for one more stream, if there is room.
    pub fn lease(&mut self) -> Option<Lease> {
        let limit = self.load.limit.load(Ordering::Acquire);
        // All leases are taken under the pool's lock.
        if self.sender.is_closed() || self.load.active.load(Ordering::Acquire) >= limit {
            return None;
        }
        self.load.active.fetch_add(1, Ordering::AcqRel);
        self.used = Instant::now();
        Some(Lease {
            sender: self.sender.clone(),
            load: Arc::clone(&self.load),
        })
    }

    /// Whether it can be forgotten: closed, or without streams since before `limit`.
    pub fn is_spent(&self, limit: Instant) -> bool {
        self.sender.is_closed() || (self.load.active.load(Ordering::Acquire) == 0 && self.used < limit)
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}

impl Lease {
    /// Sends a request and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>, Broken> {
        self.sender
            .try_send_request(request)
            .await
            .map_err(|mut error| match error.take_message() {
                Some(request) => Broken::Unsent(Box::new(request)),
                None => Broken::Failed(classify(error.error())),
            })
    }
}
