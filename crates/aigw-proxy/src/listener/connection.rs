//! One client connection: TLS, the HTTP version, and its requests until it ends or is told to.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aigw_config::Millis;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::on_wake::OnWake;
use super::place::Arrived;
use super::server::told;
use super::socket::Socket;
use super::timer::HeadTimer;
use crate::exchange::{self, Client, Context};
use crate::transport::{Transport, tune};

/// How long a client may take for a request's head, or leave a connection idle, where the limits do not say.
const HEAD: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Largest HTTP/1.1 head, and most that is read or written ahead.
const MAX_BUFFER: usize = 128 * 1024;
/// Largest decoded HTTP/2 head.
const MAX_HEADER_LIST: u32 = 64 * 1024;
/// Bytes that one HTTP/2 request may be ahead of its reader.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for all requests of a connection together.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Requests at one time on an HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Bytes of one answer that wait for an HTTP/2 client's window.
const MAX_SEND_BUFFER: usize = 128 * 1024;
/// Silence after which an HTTP/2 client is asked whether it is alive, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// What an HTTP/2 connection begins with (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves a connection to its end; when `stop` turns true, only to the end of what it has begun.
pub(super) async fn serve(
    arrived: Arrived,
    tls: Option<Arc<ServerConfig>>,
    context: Arc<Context>,
    mut stop: watch::Receiver<bool>,
) {
    let mut client = Client::default();
    let (transport, http2) = match arrived {
        Arrived::Tcp(stream, peer) => {
            client.peer = Some(peer);
            tune(&stream);
            let Some(greeted) = greet(stream, tls, stop.clone()).await else {
                return;
            };
            greeted
        }
        // HTTP/1.1 costs both sides less than HTTP/2 here, where a connection more costs nothing.
        Arrived::Unix(stream) => {
            client.is_proxy = true;
            (Transport::Unix(stream), false)
        }
    };
    // The proxy in front closes what it does not need; we would do it just when it sends the next request.
    let limits = &context.gateway.load().snapshot.limits;
    let head = (!client.is_proxy).then(|| limits.client_idle.map_or(HEAD, Millis::duration));
    let idle = limits.timeouts.idle.duration();
    let io = TokioIo::new(Socket::new(transport, Arc::clone(&client.unread), idle));
    let gateway = Arc::clone(&context.gateway);
    let service = service_fn(move |request| exchange::serve(Arc::clone(&context), client.clone(), request));
    // How a connection ended is of no interest: each exchange on it has told its own story.
    if http2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .max_send_buf_size(MAX_SEND_BUFFER)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .serve_connection(io, service);
        // What HTTP/1.1 says with an answer's `connection: close`, HTTP/2 says to the connection, and loses no request by it.
        let ends = async {
            tokio::select! {
                () = told(&mut stop) => {}
                () = gateway.drained() => {}
            }
        };
        until(ends, connection, |connection| connection.graceful_shutdown()).await;
    } else {
        serve_http1(io, head, service, stop).await;
    }
}

/// Serves an HTTP/1.1 connection; each of its heads may take `head`.
pub(super) async fn serve_http1<I, S, B>(
    io: TokioIo<I>,
    head: Option<Duration>,
    service: S,
    mut stop: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body + 'static,
    B::Error: Error + Send + Sync,
{
    let connection = http1::Builder::new()
        .timer(HeadTimer::default())
        .header_read_timeout(head)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(io, service);
    let ends = told(&mut stop);
    until(ends, connection, |connection| connection.graceful_shutdown()).await;
}

async fn until<C: Future>(
    ends: impl Future<Output = ()>,
    connection: C,
    end: impl FnOnce(std::pin::Pin<&mut C>),
) {
    let mut connection = pin!(connection);
    let mut ends = pin!(OnWake::new(ends));
    let ended = poll_fn(|cx| match connection.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending => ends.as_mut().poll(cx).map(|()| false),
    });
    if !ended.await {
        end(connection.as_mut());
        connection.await;
    }
}

/// The stream that requests come over, and whether they come as HTTP/2.
async fn greet(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    mut stop: watch::Receiver<bool>,
) -> Option<(Transport, bool)> {
    let greeting = async {
        let Some(config) = tls else {
            let http2 = tokio::time::timeout(HEAD, has_preface(&stream))
                .await
                .ok()?
                .ok()?;
            return Some((Transport::Plain(stream), http2));
        };
        let accepted = tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream))
            .await
            .ok()?;
        let stream = accepted
            .inspect_err(|error| tracing::debug!(%error, "TLS handshake failed"))
            .ok()?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Some((Transport::Tls(Box::new(stream.into())), http2))
    };
    tokio::select! {
        biased;
        greeted = greeting => greeted,
        // Nothing has been asked yet.
        () = told(&mut stop) => None,
    }
}

/// Whether the client begins with HTTP/2's preface; takes nothing out of the stream.
async fn has_preface(stream: &TcpStream) -> std::io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        let seen = seen.get(..length).unwrap_or_default();
        if length == PREFACE.len() || seen.is_empty() || !PREFACE.starts_with(seen) {
            return Ok(seen == PREFACE);
        }
        // A part of the preface (or the `P` of `POST`) came alone, and peeking cannot wait for more.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
