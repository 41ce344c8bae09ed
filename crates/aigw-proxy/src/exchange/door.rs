//! Takes a client's request and brings the engine to the point where it has a head to answer with.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aigw_engine::{Event, RequestHead, ResponseHead};
use aigw_runtime::{Drive, FAILED, Gateway};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::reply::Reply;
use super::session::Session;
use crate::upstream::Upstreams;

/// Request header in which a trusted proxy in front says the client's address.
pub const PEER_HEADER: &str = "x-aigw-peer";

/// What stands in [`PEER_HEADER`] when the proxy in front asks for itself whether anybody is here.
pub const WATCHDOG: &str = "watchdog";

/// What all exchanges of a listener share.
pub(crate) struct Context {
    pub gateway: Arc<Gateway>,
    pub upstreams: Arc<Upstreams>,
    pub listener: Arc<str>,
}

impl Context {
    pub fn new(gateway: Arc<Gateway>, upstreams: Arc<Upstreams>, listener: Arc<str>) -> Self {
        Self {
            gateway,
            upstreams,
            listener,
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Default)]
pub(crate) struct Client {
    /// Address.
    pub peer: Option<IpAddr>,
    /// It is the proxy in front, which says with each request who the client is.
    pub is_proxy: bool,
    /// Turns true when an answer goes out that leaves a part of its request unread.
    pub unread: Arc<AtomicBool>,
}

/// Serves one request. A panic is this request's alone: the others of the connection and of the process go on.
pub(crate) async fn serve(
    context: Arc<Context>,
    client: Client,
    mut request: Request<Incoming>,
) -> Result<Response<Reply>, Infallible> {
    let http1 = request.version() < Version::HTTP_2;
    let peer = if client.is_proxy {
        if is_watchdog(request.headers()) {
            return Ok(Response::new(Reply::fixed("")));
        }
        let named = request.headers_mut().remove(PEER_HEADER);
        named.and_then(|name| name.to_str().ok()?.parse().ok())
    } else {
        client.peer
    };
    let gateway = Arc::clone(&context.gateway);
    let answer = AssertUnwindSafe(answer(context, peer, request))
        .catch_unwind()
        .await;
    let (mut response, close) = answer.unwrap_or_else(|_| (failed(), true));
    // A proxy in front sends its clients away by itself.
    let sends_away = !client.is_proxy && gateway.is_draining();
    if http1 && (close || sends_away) {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if http1 && close {
        client.unread.store(true, Ordering::Release);
    }
    Ok(response)
}

/// The proxy in front asks for itself.
pub(super) fn is_watchdog(headers: &HeaderMap) -> bool {
    headers.get(PEER_HEADER).is_some_and(|name| name == WATCHDOG)
}

/// The answer to a request, and whether the connection should end with it.
async fn answer(
    context: Arc<Context>,
    peer: Option<IpAddr>,
    request: Request<Incoming>,
) -> (Response<Reply>, bool) {
    let (parts, mut body) = request.into_parts();
    let drive = Drive::new(Arc::clone(&context.gateway));
    let mut session = Session::new(drive, None, Arc::clone(&context.upstreams));
    let authority = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default(),
    };
    let head = RequestHead {
        authority: authority.to_owned(),
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        listener: Arc::clone(&context.listener),
        peer,
        no_body: body.is_end_stream(),
    };
    session.on(Event::Request(Box::new(head)));
    settle(session, Some(&mut body)).await
}

/// Brings a session to its head; `body` is the client's, unless it was read before.
pub(super) async fn settle(
    mut session: Box<Session>,
    mut body: Option<&mut Incoming>,
) -> (Response<Reply>, bool) {
    loop {
        if let Some(head) = session.head.take() {
            return respond(session, *head);
        }
        if let Some(attempt) = session.attempt.take() {
            session.run(*attempt).await;
        } else if let Some(body) = body.as_deref_mut().filter(|_| std::mem::take(&mut session.read)) {
            read(&mut session, body).await;
        } else if session.abort || session.end || !poll_fn(|cx| session.poll_next(cx)).await {
            return (failed(), true);
        }
    }
}

/// Tells the engine the next piece of the client's body.
async fn read(session: &mut Session, body: &mut Incoming) {
    match session.within(body.frame()).await {
        Some(Some(Ok(frame))) => match frame.into_data() {
            Ok(data) => {
                session.on(Event::Body(data));
                // Where the length was announced, HTTP does not ask for more after the last byte.
                if session.read && body.is_end_stream() {
                    session.read = false;
                    session.on(Event::BodyEnd);
                }
            }
            // Trailers: nothing in them is asked for.
            Err(_) => session.read = true,
        },
        Some(Some(Err(error))) if is_gone(&error) => session.on(Event::ClientGone),
        Some(Some(Err(error))) => session.on(Event::BodyFailed(error.to_string())),
        Some(None) => session.on(Event::BodyEnd),
        None => {
            session.read = true;
            session.on(Event::Deadline);
        }
    }
}

/// Whether the client went away within its body, rather than break a rule.
fn is_gone(error: &hyper::Error) -> bool {
    use std::error::Error;
    error.is_incomplete_message()
        || error.is_closed()
        || error
            .source()
            .is_some_and(|source| source.is::<h2::Error>() || source.downcast_ref().is_some_and(is_io_gone))
}

/// A broken chunk comes as such an error too, of a kind of its own.
fn is_io_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput)
}

fn respond(session: Box<Session>, head: ResponseHead) -> (Response<Reply>, bool) {
    let owed = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let mut response = Response::new(Reply::new(session, owed));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    (response, head.close)
}

/// The answer when the engine has none.
pub(super) fn failed() -> Response<Reply> {
    error(StatusCode::INTERNAL_SERVER_ERROR, "internal", FAILED)
}

/// An error that no engine made; `text` is its JSON.
pub(super) fn error(status: StatusCode, code: &'static str, text: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::fixed(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-aigw-error", HeaderValue::from_static(code));
    response
}
