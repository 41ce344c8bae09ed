//! The gRPC services of the external processor.

use std::sync::Arc;

use aigw_config::Endpoint;
use aigw_proxy::Parking;
use aigw_runtime::Gateway;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::SERVICE_NAME;
use futures_util::future::{Ready, ready};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::health_server::{Health, HealthServer};

use super::call::Call;
use super::clusters::ClusterNames;
use super::stream::Answers;
use super::wire::{Answer, Wire, Word};
use crate::{names, xds};

/// Its path.
const PROCESS: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
/// Largest message of Envoy's: as much of a body as its buffers hold.
const MAX_MESSAGE: usize = 64 << 20;

/// The external processor.
#[derive(Clone, Debug)]
pub struct Processor {
    settings: Arc<Settings>,
}

/// What all calls share.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub gateway: Arc<Gateway>,
    pub parking: Arc<Parking>,
    /// What Envoy can send to; everything, if it is not said.
    pub reach: Option<xds::Server>,
    /// Envoy is told of every record, not only of costs.
    pub tells: bool,
    pub clusters: Arc<ClusterNames>,
}

impl Settings {
    /// The cluster in which Envoy has an endpoint; `None` where it cannot send to it.
    pub fn cluster(&self, endpoint: &Endpoint) -> Option<Arc<str>> {
        let name = self.clusters.of(endpoint);
        let reaches = self.reach.as_ref().is_none_or(|xds| xds.has_cluster(&name));
        reaches.then_some(name)
    }
}

impl Processor {
    /// A processor for this gateway. What it parks, [`aigw_proxy::serve_parked`] goes on with.
    pub fn new(gateway: Arc<Gateway>, parking: Arc<Parking>) -> Self {
        Self {
            settings: Arc::new(Settings {
                gateway,
                parking,
                reach: None,
                tells: false,
                clusters: Arc::default(),
            }),
        }
    }

    /// Has Envoy send to those endpoints only that `xds` has made known to it; all others are parked.
    #[must_use]
    pub fn reaching(mut self, xds: xds::Server) -> Self {
        Arc::make_mut(&mut self.settings).reach = Some(xds);
        self
    }

    /// Has Envoy told of every record as dynamic metadata, for its access log. Without it only of those that have costs: each
    /// field is paid for with every request.
    #[must_use]
    pub fn telling(mut self, tells: bool) -> Self {
        Arc::make_mut(&mut self.settings).tells = tells;
        self
    }
}

impl NamedService for Processor {
    const NAME: &'static str = SERVICE_NAME;
}

impl Processor {
    /// Whether a request is for the only method of the service.
    pub(crate) fn is_meant<B>(request: &http::Request<B>) -> bool {
        request.uri().path() == PROCESS
    }

    /// Answers such a request.
    pub(crate) async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let mut grpc = Grpc::new(Wire).apply_max_message_size_config(Some(MAX_MESSAGE), None);
        grpc.streaming(self, request).await
    }
}

impl StreamingService<Word> for Processor {
    type Response = Answer;
    type ResponseStream = Answers;
    type Future = Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Word>>) -> Self::Future {
        let said = |name| request.metadata().get(name)?.to_str().ok();
        let call = match self.settings.reach {
            // An Envoy of this process's tells both with the request itself.
            Some(_) => Call::new(Arc::clone(&self.settings), "", None),
            None => {
                let listener = said(names::LISTENER_HEADER).unwrap_or_default();
                Call::new(Arc::clone(&self.settings), listener, said(names::PEER_HEADER))
            }
        };
        ready(Ok(Response::new(Answers::new(request.into_inner(), call))))
    }
}

/// `grpc.health.v1`, which says that the processor serves.
pub(crate) async fn health() -> HealthServer<impl Health> {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_serving::<Processor>().await;
    service
}
