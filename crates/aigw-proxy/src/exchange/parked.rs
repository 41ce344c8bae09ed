//! Exchanges that another host of this process began, waiting to be gone on with here under an id that nobody can guess.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aigw_engine::Attempt;
use aigw_runtime::Drive;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use rustls::crypto::SecureRandom;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::door;
use super::reply::Reply;
use super::session::Session;
use crate::upstream::Upstreams;

/// Request header with the id of a parked exchange.
pub const EXCHANGE_HEADER: &str = "x-aigw-exchange";

/// How long an exchange waits: the proxy in front comes for it within milliseconds, or its client has gone.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked for exchanges that nobody came for.
const SWEEP: Duration = Duration::from_secs(5);

/// The exchanges that wait. One that nobody comes for ends as that of a client who has gone.
pub struct Parking {
    waiting: Mutex<HashMap<u128, Parked>>,
    random: &'static dyn SecureRandom,
}

struct Parked {
    drive: Drive,
    attempt: Box<Attempt>,
    since: Instant,
    taken: oneshot::Sender<()>,
    released: oneshot::Receiver<()>,
}

/// A parked exchange in the hands of whoever parked it. Dropped before anybody came for the exchange, it ends it. From then on,
/// while it is there, the exchange is gone on with but not answered: whoever parked it still has the client's answer in its way.
#[derive(Debug)]
pub struct Hold {
    /// `None` when the exchange is here no longer.
    waiting: Option<Waiting>,
    _released: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Waiting {
    id: u128,
    parking: Weak<Parking>,
    taken: oneshot::Receiver<()>,
}

impl Hold {
    /// Ready when somebody has come for the exchange, or nobody can any more.
    pub fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(waiting) = &mut self.waiting {
            let _ = ready!(Pin::new(&mut waiting.taken).poll(cx));
            self.waiting = None;
        }
        Poll::Ready(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(Waiting { id, parking, .. }) = self.waiting.take()
            && let Some(parking) = parking.upgrade()
        {
            // Its record is written when it is dropped: not under the lock.
            let parked = parking.lock().remove(&id);
            drop(parked);
        }
    }
}

impl Parking {
    /// Nothing waits yet. Must be called within a runtime: a task of its own ends what nobody comes for.
    pub fn new() -> Arc<Self> {
        let parking = Arc::new(Self {
            waiting: Mutex::default(),
            random: rustls::crypto::ring::default_provider().secure_random,
        });
        tokio::spawn(sweep(Arc::downgrade(&parking)));
        parking
    }

    /// Puts an exchange by whose engine wants `attempt` sent, and says the id it can be had for, once. `None` when the system
    /// has no randomness: the exchange is ended.
    pub fn park(self: &Arc<Self>, drive: Drive, attempt: Box<Attempt>) -> Option<(String, Hold)> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).ok()?;
        let id = u128::from_ne_bytes(bytes);
        let (release, released) = oneshot::channel();
        let (take, taken) = oneshot::channel();
        let parked = Parked {
            drive,
            attempt,
            since: Instant::now(),
            taken: take,
            released,
        };
        self.lock().insert(id, parked);
        let waiting = Waiting {
            id,
            parking: Arc::downgrade(self),
            taken,
        };
        let hold = Hold {
            waiting: Some(waiting),
            _released: release,
        };
        Some((format!("{id:032x}"), hold))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn take(&self, id: &str) -> Option<Parked> {
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u128::from_str_radix(id, 16).ok().filter(|_| is_id)?;
        self.lock().remove(&id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u128, Parked>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Parking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parking")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

async fn sweep(parking: Weak<Parking>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(parking) = parking.upgrade() else { return };
        let now = Instant::now();
        // Records are written when the exchanges are dropped: not under the lock.
        let left: Vec<Parked> = parking
            .lock()
            .extract_if(|_, parked| now.duration_since(parked.since) >= PATIENCE)
            .map(|(_, parked)| parked)
            .collect();
        if !left.is_empty() {
            tracing::debug!(exchanges = left.len(), "nobody came for parked exchanges");
        }
    }
}

/// Goes on with the exchange that `request` has the id of; whoever has none gets nothing here.
pub(crate) async fn resume(
    parking: Arc<Parking>,
    upstreams: Arc<Upstreams>,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Infallible> {
    let headers = request.headers();
    if door::is_watchdog(headers) {
        return Ok(Response::new(Reply::fixed("")));
    }
    let id = headers.get(EXCHANGE_HEADER);
    let parked = id.and_then(|id| parking.take(id.to_str().ok()?));
    let Some(parked) = parked else {
        return Ok(unknown());
    };
    let Parked {
        drive,
        attempt,
        taken,
        released,
        ..
    } = parked;
    let _ = taken.send(());
    let answer = AssertUnwindSafe(async {
        let session = Session::new(drive, Some(attempt), upstreams);
        let settled = door::settle(session, None).await;
        // Nothing is ever sent: it ends when the hold does.
        let _ = released.await;
        settled
    })
    .catch_unwind()
    .await;
    Ok(answer.map_or_else(|_| door::failed(), |(response, _)| response))
}

fn unknown() -> Response<Reply> {
    const TEXT: &str = r#"{"error":{"message":"This exchange is over or never was.","type":"server_error","code":"unknown_exchange"}}"#;
    door::error(StatusCode::SERVICE_UNAVAILABLE, "unknown_exchange", TEXT)
}
