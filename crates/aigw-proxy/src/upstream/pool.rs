//! The connections of the process, kept by endpoint.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use aigw_config::Endpoint;
use aigw_engine::{Attempt, AttemptBody, Failure, FailureKind};
use arc_swap::ArcSwap;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::Full;
use rustls::ClientConfig;
use tokio::sync::OnceCell;

use super::answer::{Answer, AnswerBody, Carrier};
use super::connect;
use super::failure;
use super::http1::{Broken, Http1};
use super::http2::{Http2, Lease};
use super::proxies::{Proxies, Proxy};
use super::tls::{self, SystemRoots};

/// How long a connection waits for its next request.
const KEEP: Duration = Duration::from_secs(90);
/// How often waiting connections are looked at.
const SWEEP: Duration = Duration::from_secs(10);
/// Waiting HTTP/1.1 connections of one endpoint.
const MAX_KEPT: usize = 1024;

type Outgoing = Request<Full<bytes::Bytes>>;

/// The way out of the process.
pub struct Upstreams {
    hosts: ArcSwap<HashMap<Endpoint, Arc<Host>>>,
    proxies: Proxies,
    roots: SystemRoots,
}

/// One endpoint and the connections to it.
pub(super) struct Host {
    endpoint: Endpoint,
    authority: Authority,
    host_header: HeaderValue,
    proxy: Option<Proxy>,
    tls: OnceCell<Arc<ClientConfig>>,
    kept: Mutex<Kept>,
    /// The peer has agreed on HTTP/2 before: one connection at a time is opened, and everybody shares it.
    speaks_http2: AtomicBool,
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    #[expect(
        clippy::vec_box,
        reason = "a connection goes to its holder and back for each request; the box moves, not the half KiB"
    )]
    http1: Vec<Box<Http1>>,
    http2: Vec<Http2>,
}

/// A connection for one request.
enum Line {
    Http1(Box<Http1>),
    Http2(Lease),
}

impl Upstreams {
    /// No connections yet. Must be called within a runtime: a task of its own closes what has waited too long.
    pub fn new(proxies: Proxies) -> Arc<Self> {
        let upstreams = Arc::new(Self {
            hosts: ArcSwap::default(),
            proxies,
            roots: SystemRoots::default(),
        });
        tokio::spawn(sweep(Arc::downgrade(&upstreams)));
        upstreams
    }

    /// Sends an attempt and waits for the head of its answer, without any limit of time but the one for connecting.
    pub async fn send(&self, attempt: Attempt) -> Result<Answer, Failure> {
        let host = self.host(&attempt.backend.endpoint)?;
        let connecting = attempt.timeouts.connect.duration();
        let kept = match attempt.fresh {
            true => None,
            false => host.kept_line(),
        };
        let mut request = host.request(attempt)?;
        if let Some(line) = kept {
            match host.run(line, request).await {
                Ok(answer) => return Ok(answer),
                Err(Broken::Failed(failure)) => return Err(failure),
                Err(Broken::Unsent(again)) => request = *again,
            }
        }
        let line = Box::pin(self.fresh_line(&host, connecting)).await?;
        host.run(line, request).await.map_err(|broken| match broken {
            Broken::Failed(failure) => failure,
            Broken::Unsent(_) => failure::connect("the connection was closed as soon as it stood"),
        })
    }

    fn host(&self, endpoint: &Endpoint) -> Result<Arc<Host>, Failure> {
        if let Some(host) = self.hosts.load().get(endpoint) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host::new(endpoint, &self.proxies).map_err(failure::connect)?);
        self.hosts.rcu(|hosts| {
            let mut hosts = HashMap::clone(hosts);
            hosts.entry(endpoint.clone()).or_insert_with(|| Arc::clone(&host));
            hosts
        });
        // Another request may have been first; its entry is the one that is kept.
        Ok(self.hosts.load().get(endpoint).map_or(host, Arc::clone))
    }

    async fn fresh_line(&self, host: &Arc<Host>, limit: Duration) -> Result<Line, Failure> {
        match tokio::time::timeout(limit, self.open_line(host)).await {
            Ok(result) => result,
            Err(_) => Err(failure::connect(format!(
                "{}: no connection within {} ms",
                host.endpoint.authority,
                limit.as_millis()
            ))),
        }
    }

    async fn open_line(&self, host: &Arc<Host>) -> Result<Line, Failure> {
        let _turn = match host.speaks_http2.load(Ordering::Acquire) {
            true => {
                let turn = host.opening.lock().await;
                // Whoever had the turn before may have opened one with room for us.
                if let Some(lease) = host.lock().lease() {
                    return Ok(Line::Http2(lease));
                }
                Some(turn)
            }
            false => None,
        };
        let endpoint = &host.endpoint;
        let config = match endpoint.https {
            true => Some(
                host.tls
                    .get_or_try_init(|| tls::client_config(endpoint, &self.roots))
                    .await
                    .map_err(failure::connect)?
                    .clone(),
            ),
            false => None,
        };
        let (transport, http2) = connect::open(endpoint, host.proxy.as_ref(), config)
            .await
            .map_err(failure::connect)?;
        host.speaks_http2.store(http2, Ordering::Release);
        if !http2 {
            return Ok(Line::Http1(Box::new(Http1::new(transport).await?)));
        }
        let mut connection = Http2::new(transport).await?;
        let lease = connection
            .lease()
            .ok_or_else(|| failure::connect("the connection was closed as soon as it stood"))?;
        host.lock().http2.push(connection);
        Ok(Line::Http2(lease))
    }
}

impl Kept {
    fn lease(&mut self) -> Option<Lease> {
        self.http2.retain(Http2::is_open);
        self.http2.iter_mut().find_map(Http2::lease)
    }
}

impl Host {
    fn new(endpoint: &Endpoint, proxies: &Proxies) -> Result<Self, String> {
        let text = &endpoint.authority;
        Ok(Self {
            authority: text.parse().map_err(|_| format!("`{text}` is not a host"))?,
            host_header: text.parse().map_err(|_| format!("`{text}` is not a host"))?,
            proxy: proxies.find(endpoint)?,
            endpoint: endpoint.clone(),
            tls: OnceCell::new(),
            kept: Mutex::default(),
            speaks_http2: AtomicBool::new(false),
            opening: tokio::sync::Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request of an attempt in the form that HTTP/1.1 straight to the endpoint has.
    fn request(&self, attempt: Attempt) -> Result<Outgoing, Failure> {
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
        request
            .headers_mut()
            .insert(header::HOST, self.host_header.clone());
        Ok(request)
    }

    /// A connection that is ready for another request, the warmest first.
    fn kept_line(&self) -> Option<Line> {
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
    pub fn put_back(&self, mut connection: Box<Http1>) {
        if connection.is_reusable() {
            connection.keep(Instant::now());
            let mut kept = self.lock();
            if kept.http1.len() < MAX_KEPT {
                kept.http1.push(connection);
            }
        }
    }

    async fn run(self: &Arc<Self>, line: Line, mut request: Outgoing) -> Result<Answer, Broken> {
        match line {
            Line::Http1(mut connection) => {
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
        self.absolute(request, Scheme::HTTP);
        if let Some(value) = &proxy.authorization {
            request
                .headers_mut()
                .insert(header::PROXY_AUTHORIZATION, value.clone());
        }
    }

    /// HTTP/2 has the host in `:authority` (RFC 9113 section 8.3.1).
    fn address_http2(&self, request: &mut Outgoing) {
        request.headers_mut().remove(header::HOST);
        self.absolute(request, Scheme::HTTPS);
    }

    fn absolute(&self, request: &mut Outgoing, scheme: Scheme) {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(scheme);
        parts.authority = Some(self.authority.clone());
        // All three parts are there, so this cannot fail.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }

    /// Closes what has waited too long or was closed by the peer; true when nothing is left.
    fn sweep(&self, limit: Instant) -> bool {
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

impl std::fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstreams")
            .field("hosts", &self.hosts.load().len())
            .finish_non_exhaustive()
    }
}

async fn sweep(upstreams: Weak<Upstreams>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(upstreams) = upstreams.upgrade() else {
            return;
        };
        let Some(limit) = Instant::now().checked_sub(KEEP) else {
            continue;
        };
        let hosts = upstreams.hosts.load_full();
        let empty: Vec<&Endpoint> = hosts
            .iter()
            .filter(|(_, host)| host.sweep(limit))
            .map(|(endpoint, _)| endpoint)
            .collect();
        if !empty.is_empty() {
            // Answers that are still read hold their host, so nothing that could come back is lost.
            upstreams.hosts.rcu(|hosts| {
                let mut hosts = HashMap::clone(hosts);
                hosts.retain(|endpoint, _| !empty.contains(&endpoint));
                hosts
            });
        }
    }
}
