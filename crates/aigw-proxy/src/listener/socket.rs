//! A client's socket that, where an answer went out before the request was read to its end, is closed in a way that lets the
//! answer arrive.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::transport::Transport;

/// How long a client may go on sending what nobody reads before the connection is cut.
const LINGER: Duration = Duration::from_secs(30);
/// The connection is cut earlier when nothing comes for this long.
const SILENCE: Duration = Duration::from_secs(2);

/// The socket.
pub(super) struct Socket {
    transport: Transport,
    unread: Arc<AtomicBool>,
    timer: Option<Pin<Box<Sleep>>>,
    /// When lingering ends whatever comes.
    until: Option<Instant>,
}

impl Socket {
    /// `unread` is set by whoever leaves a part of a request unread.
    pub fn new(transport: Transport, unread: Arc<AtomicBool>) -> Self {
        Self {
            transport,
            unread,
            timer: None,
            until: None,
        }
    }

    /// Closing a socket with unread bytes in it resets the connection, and the reset overtakes the answer at the client
    /// (RFC 9112 section 9.6): so read on for a while after our end is closed.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + LINGER);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(SILENCE)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut sink = [0; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut sink);
            let read = ready!(Pin::new(&mut self.transport).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(until.min(now + SILENCE));
                // Polled so that it wakes this task at its new time.
                let _ = timer.as_mut().poll(cx);
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.timer.is_none() {
            ready!(Pin::new(&mut self.transport).poll_shutdown(cx))?;
        }
        if self.unread.load(Ordering::Acquire) {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
