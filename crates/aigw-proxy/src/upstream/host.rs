//! One endpoint, or one of its places: the connections that are kept to it, and requests put on them.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aigw_config::{Address, Endpoint, Place};
use aigw_engine::{Attempt, AttemptBody, Failure, FailureKind};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::Full;
use rustls::ClientConfig;
use tokio::sync::OnceCell;

use super::answer::{Answer, AnswerBody, Carrier};
use super::http1::{Broken, Http1};
use super::http2::{Http2, Lease};
use super::proxies::{Proxies, Proxy};
use super::share::Load;

/// Waiting HTTP/1.1 connections of one host.
const MAX_KEPT: usize = 1024;

/// Under which name a request asks, in place of its host's; an extension of the request.
#[derive(Clone, Debug)]
pub(super) struct AskedAs(pub(super) Authority);

pub(super) type Outgoing = Request<Full<bytes::Bytes>>;

/// One endpoint, or one of its places, and the connections to it.
pub(super) struct Host {
    /// Under the place's own name, where it has one.
    pub(super) endpoint: Endpoint,
    pub(super) at: Option<Place>,
    pub(super) load: Load,
    pub(super) authority: Authority,
    pub(super) host_header: HeaderValue,
    pub(super) proxy: Option<Proxy>,
    pub(super) tls: OnceCell<Arc<ClientConfig>>,
    kept: Mutex<Kept>,
    /// The peer has agreed on HTTP/2 before: one connection at a time is opened, and everybody shares it.
    pub(super) speaks_http2: AtomicBool,
    pub(super) opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
pub(super) struct Kept {
    #[expect(
        clippy::vec_box,
        reason = "a connection goes to its holder and back for each request; the box moves, not the half KiB"
    )]
    pub(super) http1: Vec<Box<Http1>>,
    pub(super) http2: Vec<Http2>,
}

/// A connection for one request.
pub(super) enum Line {
    Http1(Box<Http1>),
    Http2(Lease),
}

impl Kept {
    pub(super) fn lease(&mut self) -> Option<Lease> {
        self.http2.retain(Http2::is_open);
        self.http2.iter_mut().find_map(Http2::lease)
    }
}

impl Host {
    pub(super) fn new(endpoint: &Endpoint, at: Option<&Place>, proxies: &Proxies) -> Result<Self, String> {
        let endpoint = at.map_or_else(|| endpoint.clone(), |place| place.endpoint(endpoint));
        let text = &endpoint.authority;
        let is_unix = at.is_some_and(|place| matches!(place.at, Address::Unix(_)));
        Ok(Self {
            authority: text.parse().map_err(|_| format!("`{text}` is not a host"))?,
            host_header: text.parse().map_err(|_| format!("`{text}` is not a host"))?,
            // A Unix socket is on this machine.
            proxy: match is_unix {
                true => None,
                false => proxies.find(&endpoint)?,
            },
            endpoint,
            at: at.cloned(),
            load: Load::default(),
            tls: OnceCell::new(),
            kept: Mutex::default(),
            speaks_http2: AtomicBool::new(false),
            opening: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request of an attempt without its host, which is that of the place that it is put on in the end.
    pub(super) fn request(attempt: Attempt) -> Result<Outgoing, Failure> {
        let target =
            PathAndQuery::from_maybe_shared(bytes::Bytes::from(attempt.path)).map_err(|error| Failure {
                kind: FailureKind::Protocol,
                message: format!("the path cannot be asked for: {error}"),
            })?;
        let body = match attempt.body {
            AttemptBody::None => Full::default(),
            AttemptBody::Whole(bytes) => Full::new(bytes),
        };
        let mut request = Request::new(body);
        *request.method_mut() = attempt.method;
        *request.uri_mut() = Uri::from(target);
        *request.headers_mut() = attempt.headers;
        Ok(request)
    }

    /// A connection that is ready for another request, the warmest first.
    pub(super) fn kept_line(&self) -> Option<Line> {
        loop {
            let mut connection = {
                let mut kept = self.lock();
                if let Some(lease) = kept.lease() {
                    return Some(Line::Http2(lease));
                }
                kept.http1.pop()?
            };
            if connection.is_reusable() {
                return Some(Line::Http1(connection));
            }
        }
    }

    /// Takes a connection back whose answer was read to its end.
    pub(super) fn put_back(&self, mut connection: Box<Http1>) {
        // Whoever takes it next looks at the peer once more.
        if connection.is_ready() || connection.is_reusable() {
            connection.keep(Instant::now());
            let mut kept = self.lock();
            if kept.http1.len() < MAX_KEPT {
                kept.http1.push(connection);
            }
        }
    }

    pub(super) async fn run(self: &Arc<Self>, line: Line, mut request: Outgoing) -> Result<Answer, Broken> {
        match line {
            Line::Http1(mut connection) => {
                let named = request.extensions().get::<AskedAs>();
                // What a URI names may stand in a header.
                let named = named.and_then(|AskedAs(name)| name.as_str().parse().ok());
                let host = named.unwrap_or_else(|| self.host_header.clone());
                request.headers_mut().insert(header::HOST, host);
                if let Some(proxy) = self.proxy.as_ref().filter(|_| !self.endpoint.https) {
                    self.address_proxy(&mut request, proxy);
                }
                let (head, incoming) = connection.send(request).await?.into_parts();
                let carrier = Carrier::Http1(Some(connection), Arc::clone(self));
                Ok(Answer {
                    head,
                    body: AnswerBody::new(incoming, carrier),
                })
            }
            Line::Http2(mut lease) => {
                self.address_http2(&mut request);
                let (head, incoming) = lease.send(request).await?.into_parts();
                Ok(Answer {
                    head,
                    body: AnswerBody::new(incoming, Carrier::Http2(lease)),
                })
            }
        }
    }

    /// In the clear, a forward proxy is given the whole URI (RFC 9112 section 3.2.2).
    fn address_proxy(&self, request: &mut Outgoing, proxy: &Proxy) {
        Self::absolute(request, Scheme::HTTP, self.authority.clone());
        if let Some(value) = &proxy.authorization {
            request
                .headers_mut()
                .insert(header::PROXY_AUTHORIZATION, value.clone());
        }
    }

    /// HTTP/2 has the host in `:authority` (RFC 9113 section 8.3.1).
    fn address_http2(&self, request: &mut Outgoing) {
        request.headers_mut().remove(header::HOST);
        let named = request.extensions().get::<AskedAs>();
        let authority = named.map_or(&self.authority, |AskedAs(name)| name).clone();
        Self::absolute(request, Scheme::HTTPS, authority);
    }

    fn absolute(request: &mut Outgoing, scheme: Scheme, authority: Authority) {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(scheme);
        parts.authority = Some(authority);
        // All three parts are there, so this cannot fail.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }

    /// Closes what has waited too long or was closed by the peer; true when nothing is left.
    pub(super) fn sweep(&self, limit: Instant) -> bool {
        let waiting = {
            let mut kept = self.lock();
            kept.http2.retain(|connection| !connection.is_spent(limit));
            std::mem::take(&mut kept.http1)
        };
        let alive: Vec<_> = waiting
            .into_iter()
            .filter_map(|mut connection| {
                (!connection.kept_before(limit) && connection.is_reusable()).then_some(connection)
            })
            .collect();
        let mut kept = self.lock();
        // What came back in between is warmer.
        let warmer = std::mem::replace(&mut kept.http1, alive);
        kept.http1.extend(warmer);
        kept.http1.is_empty() && kept.http2.is_empty()
    }
}
