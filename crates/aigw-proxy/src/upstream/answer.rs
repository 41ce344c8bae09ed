//! An answer as it comes in: its head, then its body piece by piece, at the reader's pace.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aigw_engine::Failure;
use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;

use super::failure::classify;
use super::host::Host;
use super::http1::Http1;
use super::http2::Lease;
use super::share::Turn;

/// An answer.
pub struct Answer {
    /// Status and headers.
    pub head: http::response::Parts,
    /// The rest.
    pub body: AnswerBody,
}

/// An answer's body. Dropping it before its end cancels the attempt at once.
pub struct AnswerBody {
    incoming: Incoming,
    carrier: Carrier,
    ended: bool,
    /// Held for its drop: its address has one request less.
    turn: Option<Turn>,
}

/// What the body comes over.
pub(super) enum Carrier {
    Http1(Option<Box<Http1>>, Arc<Host>),
    Http2(#[expect(dead_code, reason = "held for its drop: it frees the stream's place")] Lease),
}

impl Answer {
    /// The same, as a request that an address is counted with until it has been read.
    pub(super) fn within(mut self, turn: Option<Turn>) -> Self {
        self.body.turn = turn;
        self
    }
}

impl AnswerBody {
    pub(super) fn new(incoming: Incoming, carrier: Carrier) -> Self {
        Self {
            incoming,
            carrier,
            ended: false,
            turn: None,
        }
    }

    /// Whether everything was read.
    pub fn is_end(&self) -> bool {
        self.ended || self.incoming.is_end_stream()
    }

    /// The next piece; `None` after the last.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            let mut polled = Pin::new(&mut self.incoming).poll_frame(cx);
            if polled.is_pending()
                && let Carrier::Http1(Some(connection), _) = &mut self.carrier
            {
                connection.drive(cx);
                polled = Pin::new(&mut self.incoming).poll_frame(cx);
            }
            return match polled {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Poll::Ready(Some(Ok(data))),
                    // Trailers say nothing that a client of an LLM API reads.
                    Err(_) => continue,
                },
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(classify(&error)))),
                Poll::Ready(None) => {
                    self.ended = true;
                    Poll::Ready(None)
                }
            };
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // A connection whose answer was read to its end serves the next request; another one ends here.
        let ended = self.is_end();
        if let Carrier::Http1(connection, host) = &mut self.carrier
            && let Some(connection) = connection.take()
            && ended
        {
            host.put_back(connection);
        }
    }
}
