//! The reverse proxy that parses and writes: the request's model is changed, each answer and each event is parsed and
//! written again. It is the least that any gateway does which looks at bodies with a JSON library.

use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll, ready};

use aigw_bench::baseline::{Pool, ProxyFlags, Refusal, pool, redirect, run, serve_proxy};
use bytes::{Buf, Bytes, BytesMut};
use clap::Parser;
use http::uri::Authority;
use http::{HeaderMap, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use serde_json::Value;

type Answer = Either<Full<Bytes>, Rewritten<Incoming>>;

fn main() -> ExitCode {
    let flags = ProxyFlags::parse();
    run(async move {
        let pool: Pool<Full<Bytes>> = pool();
        let upstream = flags.upstream.clone();
        serve_proxy(&flags, move |request| {
            rewrite(pool.clone(), upstream.clone(), request)
        })
        .await
    })
}

async fn rewrite(
    pool: Pool<Full<Bytes>>,
    upstream: Authority,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Refusal> {
    let (mut head, body) = request.into_parts();
    let mut document: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
    if let Some(members) = document.as_object_mut() {
        members.insert("model".to_owned(), Value::from("rewritten"));
    }
    head.headers.remove(header::CONTENT_LENGTH);
    let mut request = Request::from_parts(head, Full::new(Bytes::from(serde_json::to_vec(&document)?)));
    redirect(&mut request, &upstream)?;

    let (mut head, body) = pool.request(request).await?.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    let body = if is_stream(&head.headers) {
        Either::Right(Rewritten {
            upstream: body,
            pending: BytesMut::new(),
        })
    } else {
        let document: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
        Either::Left(Full::new(Bytes::from(serde_json::to_vec(&document)?)))
    };
    Ok(Response::from_parts(head, body))
}

fn is_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

/// A stream whose events are parsed and written again; each chunk that completes events is passed on at once.
struct Rewritten<B> {
    upstream: B,
    pending: BytesMut,
}

impl<B> Body for Rewritten<B>
where
    B: Body<Data = Bytes, Error: Into<Refusal>> + Unpin,
{
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.upstream).poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            let Ok(data) = frame.map_err(Into::into)?.into_data() else {
                continue;
            };
            self.pending.extend_from_slice(&data);
            let events = complete_events(&mut self.pending)?;
            if !events.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from(events)))));
            }
        }
    }
}

/// Takes all complete events out of `pending` and writes them again.
fn complete_events(pending: &mut BytesMut) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(pending.len());
    while let Some(end) = memchr::memmem::find(pending, b"\n\n") {
        let event = pending.split_to(end);
        pending.advance(2);
        for line in event[..].split(|byte| *byte == b'\n') {
            match line.strip_prefix(b"data: ") {
                None | Some(b"[DONE]") => out.extend_from_slice(line),
                Some(data) => {
                    let document: Value = serde_json::from_slice(data)?;
                    out.extend_from_slice(b"data: ");
                    serde_json::to_writer(&mut out, &document)?;
                }
            }
            out.push(b'\n');
        }
        out.push(b'\n');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::complete_events;
    use aigw_bench::payload::{anthropic_events, joined, openai_events};
    use bytes::BytesMut;

    #[test]
    fn events_come_out_as_they_went_in_wherever_the_stream_is_cut() {
        for events in [openai_events(12, true), anthropic_events(12)] {
            let stream = joined(&events);
            for cut in 0..stream.len() {
                let mut pending = BytesMut::from(&stream[..cut]);
                let mut out = complete_events(&mut pending).unwrap();
                pending.extend_from_slice(&stream[cut..]);
                out.extend(complete_events(&mut pending).unwrap());
                assert_eq!(out, stream, "cut at {cut}");
            }
        }
    }
}
