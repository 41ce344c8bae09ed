//! The upstream: fixed answers, made once, so that it is never what limits a measurement.
//!
//! The path says which vendor answers, the request's size how large the answer is, the request's text whether it
//! streams and how. Nothing is parsed and nothing is checked here: the load generator checks every answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aigw_bench::baseline::{Refusal, run, serve};
use aigw_bench::payload::{
    ANTHROPIC_DELTAS, LARGE, OPENAI_DELTAS, Pace, SMALL, anthropic_answer, anthropic_events, first_then_rest,
    joined, openai_answer, openai_events,
};
use bytes::Bytes;
use clap::Parser;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use memchr::memmem;
use tokio::time::Sleep;

/// A fixed-answer upstream for benchmarks.
#[derive(Debug, Parser)]
struct Flags {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    run(async move {
        let answers = Arc::new(Answers::new());
        serve(flags.listen, move |request| answer(Arc::clone(&answers), request)).await
    })
}

/// The frames of one stream, for each pace.
struct Stream {
    events: Arc<[Bytes]>,
    burst: Arc<[Bytes]>,
    word: Arc<[Bytes]>,
}

impl Stream {
    fn of(events: Vec<Bytes>, one_word: &[Bytes]) -> Self {
        Self {
            burst: Arc::from([joined(&events)]),
            word: Arc::from(first_then_rest(one_word)),
            events: Arc::from(events),
        }
    }
}

struct Answers {
    openai_small: Bytes,
    openai_large: Bytes,
    openai_stream: Stream,
    openai_stream_with_usage: Stream,
    anthropic: Bytes,
    anthropic_stream: Stream,
    json: HeaderMap,
    event_stream: HeaderMap,
}

impl Answers {
    fn new() -> Self {
        Self {
            openai_small: openai_answer(SMALL).body,
            openai_large: openai_answer(LARGE).body,
            openai_stream: Stream::of(openai_events(OPENAI_DELTAS, false), &openai_events(1, false)),
            openai_stream_with_usage: Stream::of(openai_events(OPENAI_DELTAS, true), &openai_events(1, true)),
            anthropic: anthropic_answer(SMALL).body,
            anthropic_stream: Stream::of(anthropic_events(ANTHROPIC_DELTAS), &anthropic_events(1)),
            json: headers("application/json"),
            event_stream: headers("text/event-stream; charset=utf-8"),
        }
    }
}

/// Headers such as the vendors send.
fn headers(content_type: &'static str) -> HeaderMap {
    let header = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        header("x-request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"),
        header("x-ratelimit-limit-requests", "10000"),
        header("x-ratelimit-remaining-requests", "9999"),
    ])
}

async fn answer(
    answers: Arc<Answers>,
    request: Request<Incoming>,
) -> Result<Response<Either<Full<Bytes>, Events>>, Refusal> {
    let anthropic = request.uri().path() == "/v1/messages";
    let body = request.into_body().collect().await?.to_bytes();
    let holds = |needle: &str| memmem::find(&body, needle.as_bytes()).is_some();

    let (headers, body) = if holds(r#""stream":true"#) {
        let stream = match (anthropic, holds("include_usage")) {
            (true, _) => &answers.anthropic_stream,
            (false, true) => &answers.openai_stream_with_usage,
            (false, false) => &answers.openai_stream,
        };
        let (frames, rest) = if holds(Pace::Burst.phrase()) {
            (&stream.burst, Rest::None)
        } else if holds(Pace::Word.phrase()) {
            (&stream.word, Rest::Yield { done: false })
        } else if holds(Pace::WordAndPause.phrase()) {
            (&stream.word, Rest::Pause(Box::pin(tokio::time::sleep(PAUSE))))
        } else {
            (&stream.events, Rest::Yield { done: false })
        };
        let events = Events {
            frames: Arc::clone(frames),
            next: 0,
            rest,
        };
        (&answers.event_stream, Either::Right(events))
    } else {
        let document = match (anthropic, body.len() > LARGE / 2) {
            (true, _) => &answers.anthropic,
            (false, true) => &answers.openai_large,
            (false, false) => &answers.openai_small,
        };
        (&answers.json, Either::Left(Full::new(document.clone())))
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers.clone();
    Ok(response)
}

/// From the request to what follows the first token; more than a subject needs to pass that one on.
const PAUSE: Duration = Duration::from_millis(1);

/// What comes between two frames.
enum Rest {
    /// Nothing: they are written together.
    None,
    /// The body is pending once, so that each frame is written to the socket on its own.
    Yield {
        /// It has been, since the last frame.
        done: bool,
    },
    /// A pause after the first one.
    Pause(Pin<Box<Sleep>>),
}

/// A stream's frames at their pace.
struct Events {
    frames: Arc<[Bytes]>,
    next: usize,
    rest: Rest,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let later = self.next > 0;
        match &mut self.rest {
            Rest::Yield { done } if later && !*done => {
                *done = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Rest::Yield { done } => *done = false,
            Rest::Pause(pause) if later => {
                ready!(pause.as_mut().poll(cx));
                self.rest = Rest::None;
            }
            Rest::Pause(_) | Rest::None => {}
        }
        let frame = self.frames.get(self.next).cloned();
        self.next += 1;
        Poll::Ready(frame.map(|bytes| Ok(Frame::data(bytes))))
    }
}
