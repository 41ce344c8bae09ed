//! Asks a backend whether it is well, on the same way out as its requests.

use std::sync::Arc;

use aigw_config::{Backend, HealthCheck, Probe};
use aigw_engine::FailureKind;
use futures_util::future::{join_all, poll_fn};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::Full;

use super::answer::AnswerBody;
use super::connect;
use super::host::{AskedAs, Host, Outgoing};
use super::http1::Broken;
use super::pool::Upstreams;

/// Who asks.
const AGENT: HeaderValue = HeaderValue::from_static("aigw-health-check");

/// Bytes of an answer that are read so that its connection can be kept; they say nothing.
const MAX_BODY: usize = 64 * 1024;

impl Upstreams {
    /// Asks `backend`, or all places behind it at once, of which one is enough. `Err`: why it is not well. Takes as long as the
    /// check's timeout at most.
    pub(crate) async fn check(&self, backend: &Backend, check: &HealthCheck) -> Result<(), String> {
        let hosts = match &backend.places {
            None => self.host(&backend.endpoint, None).map(|host| vec![host]),
            Some(places) => self.hosts_at(&backend.endpoint, places),
        };
        let hosts = hosts.map_err(|failure| failure.message)?;
        let mut last = format!("no address of {} is ready", backend.endpoint.authority);
        for result in join_all(hosts.iter().map(|host| self.check_host(host, check))).await {
            match result {
                Ok(()) => return Ok(()),
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }

    async fn check_host(&self, host: &Arc<Host>, check: &HealthCheck) -> Result<(), String> {
        let name = &host.endpoint.authority;
        let asked = async {
            match &check.probe {
                Probe::Connection => self.connect(host).await,
                Probe::Http { .. } => self.ask(host, check).await,
            }
        };
        match tokio::time::timeout(check.timeout.duration(), asked).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => Err(format!("{name}: {problem}")),
            Err(_) => Err(format!("{name}: no answer within {} ms", check.timeout.0)),
        }
    }

    /// Opens a connection and closes it.
    async fn connect(&self, host: &Host) -> Result<(), String> {
        let config = self.tls(host).await.map_err(|failure| failure.message)?;
        connect::open(&host.endpoint, host.at.as_ref(), host.proxy.as_ref(), config)
            .await
            .map(drop)
    }

    /// Asks over a kept connection or a new one; a connection that the peer had closed says nothing of its health.
    async fn ask(&self, host: &Arc<Host>, check: &HealthCheck) -> Result<(), String> {
        if let Some(line) = host.kept_line() {
            match host.run(line, request(&check.probe)?).await {
                Ok(answer) => return judge(answer.head.status.as_u16(), answer.body, &check.probe).await,
                Err(Broken::Failed(failure)) if failure.kind != FailureKind::Stale => {
                    return Err(failure.message);
                }
                Err(_) => {}
            }
        }
        let line = self.fresh_line(host, check.timeout.duration()).await;
        let line = line.map_err(|failure| failure.message)?;
        match host.run(line, request(&check.probe)?).await {
            Ok(answer) => judge(answer.head.status.as_u16(), answer.body, &check.probe).await,
            Err(Broken::Failed(failure)) => Err(failure.message),
            Err(Broken::Unsent(_)) => Err("the connection was closed as soon as it stood".to_owned()),
        }
    }
}

/// The request of a check, with nothing of a client and no credential.
fn request(probe: &Probe) -> Result<Outgoing, String> {
    let mut request = Request::new(Full::default());
    if let Probe::Http {
        method, path, host, ..
    } = probe
    {
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse::<Uri>().map_err(|error| error.to_string())?;
        if let Some(host) = host {
            request.extensions_mut().insert(AskedAs(host.clone()));
        }
    }
    request.headers_mut().insert(header::USER_AGENT, AGENT);
    Ok(request)
}

/// Whether the status is that of a backend that is well; the rest of the answer is read for the sake of its connection.
async fn judge(status: u16, mut body: AnswerBody, probe: &Probe) -> Result<(), String> {
    let mut left = MAX_BODY;
    while let Some(Ok(piece)) = poll_fn(|cx| body.poll_chunk(cx)).await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => break,
        }
    }
    match probe.accepts(status) {
        true => Ok(()),
        false => Err(format!("answered {status}")),
    }
}
