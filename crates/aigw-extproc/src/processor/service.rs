//! The gRPC services of the external processor.

use std::net::IpAddr;
use std::sync::Arc;

use aigw_config::Endpoint;
use aigw_proxy::Parking;
use aigw_runtime::Gateway;
use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingRequest;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::health_server::{Health, HealthServer};

use super::call::Call;
use super::stream::Answers;
use crate::{names, xds};

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
}

impl Settings {
    /// The cluster in which Envoy has an endpoint; `None` where it cannot send to it.
    pub fn cluster(&self, endpoint: &Endpoint) -> Option<String> {
        match &self.reach {
            Some(xds) => xds.cluster(endpoint),
            None => Some(names::cluster(endpoint)),
        }
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

    /// As a gRPC service.
    pub(crate) fn service(self) -> ExternalProcessorServer<Self> {
        ExternalProcessorServer::new(self).max_decoding_message_size(MAX_MESSAGE)
    }
}

#[tonic::async_trait]
impl ExternalProcessor for Processor {
    type ProcessStream = Answers;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let said = |name| request.metadata().get(name)?.to_str().ok();
        let listener = said(names::LISTENER_METADATA).unwrap_or_default();
        let peer = said(names::PEER_HEADER).and_then(|peer| peer.parse::<IpAddr>().ok());
        let peer = peer.map(|peer| peer.to_canonical());
        let call = Call::new(Arc::clone(&self.settings), Arc::from(listener), peer);
        Ok(Response::new(Answers::new(request.into_inner(), call)))
    }
}

/// `grpc.health.v1`, which says that the processor serves.
pub(crate) async fn health() -> HealthServer<impl Health> {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_serving::<ExternalProcessorServer<Processor>>().await;
    service
}
