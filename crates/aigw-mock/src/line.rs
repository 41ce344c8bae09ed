//! A connection whose answers can be dribbled and which can be reset.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A head is dribbled in so many writes of so many bytes.
const DRIBBLES: u64 = 16;
const DRIBBLE_BYTES: usize = 16;

/// The controls of one connection, held by its requests.
#[derive(Debug, Default)]
pub(crate) struct Line {
    reset: AtomicBool,
    dribble_micros: AtomicU64,
}

impl Line {
    /// Makes the connection end with a TCP reset at its next write.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// Spreads the next bytes, a response head, over that time.
    pub(crate) fn dribble(&self, over: Duration) {
        self.dribble_micros.store(
            u64::try_from(over.as_micros()).unwrap_or(u64::MAX),
            Ordering::Release,
        );
    }
}

/// The socket under those controls.
pub(crate) struct LineIo {
    socket: TcpStream,
    line: Arc<Line>,
    dribbles_left: u64,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl LineIo {
    pub(crate) fn new(socket: TcpStream, line: Arc<Line>) -> Self {
        Self {
            socket,
            line,
            dribbles_left: 0,
            pause: Duration::ZERO,
            timer: None,
        }
    }

    fn check_reset(&self) -> io::Result<()> {
        if self.line.reset.load(Ordering::Acquire) {
            return Err(io::Error::from(io::ErrorKind::ConnectionReset));
        }
        Ok(())
    }

    /// How many bytes may be written now.
    fn allowance(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        let micros = self.line.dribble_micros.swap(0, Ordering::AcqRel);
        if micros > 0 {
            self.dribbles_left = DRIBBLES;
            self.pause = Duration::from_micros(micros / DRIBBLES);
        }
        if let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(context));
            self.timer = None;
        }
        if self.dribbles_left == 0 {
            return Poll::Ready(usize::MAX);
        }
        self.dribbles_left -= 1;
        self.timer = Some(Box::pin(sleep(self.pause)));
        Poll::Ready(DRIBBLE_BYTES)
    }

    fn is_plain(&self) -> bool {
        self.dribbles_left == 0
            && self.timer.is_none()
            && self.line.dribble_micros.load(Ordering::Acquire) == 0
    }
}

impl AsyncRead for LineIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for LineIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_reset()?;
        if self.is_plain() {
            return Pin::new(&mut self.socket).poll_write(context, buffer);
        }
        let allowance = ready!(self.allowance(context)).min(buffer.len());
        Pin::new(&mut self.socket).poll_write(context, buffer.get(..allowance).unwrap_or_default())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_reset()?;
        if self.is_plain() {
            return Pin::new(&mut self.socket).poll_write_vectored(context, buffers);
        }
        let first = buffers.iter().find(|buffer| !buffer.is_empty());
        self.poll_write(context, first.map(|buffer| &**buffer).unwrap_or_default())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_reset()?;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_reset()?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl Drop for LineIo {
    fn drop(&mut self) {
        if self.line.reset.load(Ordering::Acquire) {
            // A zero linger time turns the close that follows into a reset; failing that, it is a close.
            let _ = self.socket.set_zero_linger();
        }
    }
}
