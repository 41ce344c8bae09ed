//! The connections of the process, kept by endpoint and, where the places behind it are known, by place.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use aigw_config::{Endpoint, Place};
use aigw_engine::{Attempt, Failure};
use arc_swap::ArcSwap;
use foldhash::quality::RandomState;
use rustls::ClientConfig;

use super::answer::Answer;
use super::connect;
use super::failure;
use super::host::{Host, Line};
use super::http1::{Broken, Http1};
use super::http2::Http2;
use super::known::Known;
use super::proxies::Proxies;
use super::share::{self, Turn};
use super::tls::{self, SystemRoots};

/// How long a connection waits for its next request.
const KEEP: Duration = Duration::from_secs(90);
/// How often waiting connections are looked at.
const SWEEP: Duration = Duration::from_secs(10);

/// The way out of the process.
pub struct Upstreams {
    hosts: ArcSwap<HashMap<Endpoint, Known, RandomState>>,
    /// Requests so far to endpoints with several places.
    turns: AtomicUsize,
    proxies: Proxies,
    roots: SystemRoots,
}

impl Upstreams {
    /// No connections yet. Must be called within a runtime: a task of its own closes what has waited too long.
    pub fn new(proxies: Proxies) -> Arc<Self> {
        let upstreams = Arc::new(Self {
            hosts: ArcSwap::default(),
            turns: AtomicUsize::new(0),
            proxies,
            roots: SystemRoots::default(),
        });
        tokio::spawn(sweep(Arc::downgrade(&upstreams)));
        upstreams
    }

    /// Sends an attempt and waits for the head of its answer, without any limit of time but the one for connecting.
    pub async fn send(&self, attempt: Attempt) -> Result<Answer, Failure> {
        match attempt.backend.places.clone() {
            None => {
                let host = self.host(&attempt.backend.endpoint, None)?;
                self.send_to(&host, &[], attempt, None).await
            }
            Some(places) => self.share(&places, attempt).await,
        }
    }

    /// Sends an attempt to one of those places: where a connection cannot be opened, to the next.
    async fn share(&self, places: &[Place], attempt: Attempt) -> Result<Answer, Failure> {
        let endpoint = &attempt.backend.endpoint;
        let mut hosts = self.hosts_at(endpoint, places)?;
        share::order(&mut hosts, self.turns.fetch_add(1, Ordering::Relaxed));
        let Some((first, others)) = hosts.split_first() else {
            let message = format!("no address of {} is ready", endpoint.authority);
            return Err(failure::connect(message));
        };
        self.send_to(first, others, attempt, Some(Turn::at(first))).await
    }

    /// Sends an attempt to `host`, or to one of `others` where `host` cannot be reached: nothing was sent then.
    async fn send_to(
        &self,
        host: &Arc<Host>,
        others: &[Arc<Host>],
        attempt: Attempt,
        turn: Option<Turn>,
    ) -> Result<Answer, Failure> {
        let connecting = attempt.timeouts.connect.duration();
        let kept = match attempt.fresh {
            true => None,
            false => host.kept_line(),
        };
        let mut request = Host::request(attempt)?;
        if let Some(line) = kept {
            match host.run(line, request).await {
                Ok(answer) => return Ok(answer.within(turn)),
                Err(Broken::Failed(failure)) => return Err(failure),
                Err(Broken::Unsent(again)) => request = *again,
            }
        }
        let (host, line, turn) = Box::pin(self.reach(host, others, connecting, turn)).await?;
        match host.run(line, request).await {
            Ok(answer) => Ok(answer.within(turn)),
            Err(Broken::Failed(failure)) => Err(failure),
            Err(Broken::Unsent(_)) => Err(failure::connect("the connection was closed as soon as it stood")),
        }
    }

    /// A connection for a request: to the first of the hosts that can be reached within `limit`.
    async fn reach(
        &self,
        host: &Arc<Host>,
        others: &[Arc<Host>],
        limit: Duration,
        mut turn: Option<Turn>,
    ) -> Result<(Arc<Host>, Line, Option<Turn>), Failure> {
        let end = Instant::now() + limit;
        let count = 1 + others.len();
        let mut last = None;
        for (index, host) in std::iter::once(host).chain(others).enumerate() {
            if index > 0 {
                turn = Some(Turn::at(host));
                // A connection that waits there is as good as a new one.
                if let Some(line) = host.kept_line() {
                    return Ok((Arc::clone(host), line, turn));
                }
            }
            // One address that does not answer leaves time for those after it.
            let left = end.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(count - index).unwrap_or(u32::MAX);
            let result = self.fresh_line(host, share).await;
            if host.at.is_some() {
                host.load.note(result.is_ok());
            }
            match result {
                Ok(line) => return Ok((Arc::clone(host), line, turn)),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| failure::connect("there is no address")))
    }

    /// The hosts at those places; the endpoint is looked up once for all that are known.
    pub(super) fn hosts_at(&self, endpoint: &Endpoint, places: &[Place]) -> Result<Vec<Arc<Host>>, Failure> {
        let hosts = self.hosts.load();
        let known = hosts.get(endpoint);
        let at = |place: &Place| match known.and_then(|known| known.get(Some(place))) {
            Some(host) => Ok(Arc::clone(host)),
            None => self.host(endpoint, Some(place)),
        };
        places.iter().map(at).collect()
    }

    pub(super) fn host(&self, endpoint: &Endpoint, at: Option<&Place>) -> Result<Arc<Host>, Failure> {
        if let Some(host) = self.hosts.load().get(endpoint).and_then(|known| known.get(at)) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host::new(endpoint, at, &self.proxies).map_err(failure::connect)?);
        self.hosts.rcu(|hosts| {
            let mut hosts = HashMap::clone(hosts);
            hosts.entry(endpoint.clone()).or_default().put(&host);
            hosts
        });
        // Another request may have been first; its entry is the one that is kept.
        let hosts = self.hosts.load();
        let kept = hosts.get(endpoint).and_then(|known| known.get(at));
        Ok(kept.map_or(host, Arc::clone))
    }

    pub(super) async fn fresh_line(&self, host: &Arc<Host>, limit: Duration) -> Result<Line, Failure> {
        match tokio::time::timeout(limit, self.open_line(host)).await {
            Ok(result) => result,
            Err(_) => Err(failure::connect(format!(
                "{}: no connection within {} ms",
                host.endpoint.authority,
                limit.as_millis()
            ))),
        }
    }

    /// How TLS with the host begins; `None` in the clear.
    pub(super) async fn tls(&self, host: &Host) -> Result<Option<Arc<ClientConfig>>, Failure> {
        if !host.endpoint.https {
            return Ok(None);
        }
        let config = host
            .tls
            .get_or_try_init(|| tls::client_config(&host.endpoint, &self.roots));
        Ok(Some(Arc::clone(config.await.map_err(failure::connect)?)))
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
        let config = self.tls(host).await?;
        let (transport, http2) = connect::open(&host.endpoint, host.at.as_ref(), host.proxy.as_ref(), config)
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
        let all = hosts.values().flat_map(Known::hosts);
        let empty: Vec<*const Host> = all.filter(|host| host.sweep(limit)).map(Arc::as_ptr).collect();
        if !empty.is_empty() {
            // Answers that are still read hold their host, so nothing that could come back is lost.
            upstreams.hosts.rcu(|hosts| {
                let kept = hosts.iter().filter_map(|(endpoint, known)| {
                    known.without(&empty).map(|known| (endpoint.clone(), known))
                });
                kept.collect::<HashMap<_, _, RandomState>>()
            });
        }
    }
}
