//! A stream whose writes wait until its task has nothing more to write: HTTP/2 flushes after each frame with data, and each write is a
//! system call here and one more time that the other side wakes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that wait; what does not fit goes out without being copied.
const ROOM: usize = 64 * 1024;

/// The stream. Its writes go out by [`Outbox::poll_send`] only, or when there are too many.
pub(crate) struct Outbox<S>(Arc<Mutex<Held<S>>>);

struct Held<S> {
    stream: S,
    waiting: Vec<u8>,
    /// So much of `waiting` has gone.
    sent: usize,
}

impl<S> Outbox<S> {
    pub fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(Held {
            stream,
            waiting: Vec::new(),
            sent: 0,
        })))
    }

    /// The same stream once more.
    pub fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn lock(&self) -> MutexGuard<'_, Held<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Outbox<S> {
    /// Sends what waits; ready when that is nothing any more.
    pub fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_send(cx)
    }
}

impl<S: AsyncWrite + Unpin> Held<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left @ [_, ..]) = self.waiting.get(self.sent..) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        self.waiting.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Outbox<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Outbox<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let held = &mut *self.lock();
        let length = data.iter().map(|slice| slice.len()).sum::<usize>();
        if held.waiting.len() + length > ROOM {
            ready!(held.poll_send(cx))?;
            if length > ROOM {
                return Pin::new(&mut held.stream).poll_write_vectored(cx, data);
            }
        }
        for slice in data {
            held.waiting.extend_from_slice(slice);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let held = &mut *self.lock();
        ready!(held.poll_send(cx))?;
        Pin::new(&mut held.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    fn send<S: AsyncWrite + Unpin>(outbox: &Outbox<S>) -> Poll<io::Result<()>> {
        outbox.poll_send(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn writes_go_out_together_when_they_are_sent() {
        let (near, mut far) = duplex(1 << 20);
        let outbox = Outbox::new(near);
        let mut writer = outbox.share();
        for piece in [&b"one "[..], b"two ", b"three"] {
            writer.write_all(piece).await.unwrap();
            writer.flush().await.unwrap();
        }
        let mut seen = [0; 32];
        let mut early = ReadBuf::new(&mut seen);
        let polled = Pin::new(&mut far).poll_read(&mut Context::from_waker(Waker::noop()), &mut early);
        assert!(polled.is_pending());
        assert!(send(&outbox).is_ready());
        let count = far.read(&mut seen).await.unwrap();
        assert_eq!(&seen[..count], b"one two three");
    }

    #[tokio::test]
    async fn nothing_is_lost_or_moved_whatever_the_other_side_takes() {
        let (near, mut far) = duplex(1_000);
        let outbox = Outbox::new(near);
        let mut writer = outbox.share();
        let sizes = [
            1,
            500,
            ROOM - 1,
            ROOM,
            3,
            ROOM + 1,
            3 * ROOM,
            7,
            ROOM / 2,
            ROOM / 2 + 1,
            9,
        ];
        let bytes = |size: usize| (0..size).map(move |at| (size + at) as u8);
        let expected: Vec<u8> = sizes.iter().flat_map(|size| bytes(*size)).collect();
        let writing = async move {
            for size in sizes {
                writer.write_all(&bytes(size).collect::<Vec<_>>()).await.unwrap();
            }
            writer.shutdown().await.unwrap();
        };
        let mut seen = Vec::new();
        let (_, read) = tokio::join!(writing, far.read_to_end(&mut seen));
        read.unwrap();
        assert!(seen == expected, "{} of {} bytes", seen.len(), expected.len());
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let (near, far) = duplex(10);
        let outbox = Outbox::new(near);
        let mut writer = outbox.share();
        let mut taken = 0;
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(count) = Pin::new(&mut writer).poll_write(&mut cx, &[0; 1_000]) {
            taken += count.unwrap();
            assert!(taken <= ROOM + 10);
        }
        assert!(send(&outbox).is_pending());
        drop(far);
        assert!(matches!(send(&outbox), Poll::Ready(Err(_))));
    }
}
