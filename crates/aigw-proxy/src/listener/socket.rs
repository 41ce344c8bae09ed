//! A client's socket. Where an answer went out before the request was read to its end, it is closed in a way that lets the answer
//! arrive; and a client that takes nothing for too long is cut, since nobody would ask its exchange for its deadlines then.

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
const SILENCE: Duration = Duration::from_secs(15);

/// The socket.
pub(super) struct Socket {
    transport: Transport,
    unread: Arc<AtomicBool>,
    timer: Option<Pin<Box<Sleep>>>,
    /// When lingering ends whatever comes.
    until: Option<Instant>,
    /// How long a client may take nothing of what is for it.
    patience: Duration,
    /// Runs while it takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// `unread` is set by whoever leaves a part of a request unread.
    pub fn new(transport: Transport, unread: Arc<AtomicBool>, patience: Duration) -> Self {
        Self {
            transport,
            unread,
            timer: None,
            until: None,
            patience,
            stalled: None,
        }
    }

    /// What became of a write, unless the client takes nothing for too long.
    fn bound<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let timer = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(timer.as_mut().poll(cx));
        let text = "the client takes nothing of its answer";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
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
        let written = Pin::new(&mut self.transport).poll_write(cx, buf);
        self.bound(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.transport).poll_write_vectored(cx, bufs);
        self.bound(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.transport).poll_flush(cx);
        self.bound(cx, flushed)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_cut_and_a_slow_one_is_not() {
        const PATIENCE: Duration = Duration::from_secs(2);
        let (ours, mut client) = UnixStream::pair().unwrap();
        let mut socket = Socket::new(Transport::Unix(ours), Arc::default(), PATIENCE);
        let data = vec![0; 4 << 20];
        let slow = async {
            let mut room = vec![0; 1 << 20];
            let mut left = data.len();
            while left > 0 {
                tokio::time::sleep(PATIENCE / 10).await;
                left -= client.read(&mut room).await.unwrap();
            }
        };
        let began = Instant::now();
        let (written, ()) = tokio::join!(socket.write_all(&data), slow);
        written.unwrap();
        assert!(began.elapsed() > PATIENCE, "longer than a pause may be");
        let began = Instant::now();
        let error = socket.write_all(&data).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= PATIENCE);
    }
}
