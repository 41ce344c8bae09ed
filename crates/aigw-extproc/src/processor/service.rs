//! The gRPC services of the external processor and the server they need.

use std::sync::Arc;
use std::time::Duration;

use aigw_proxy::Parking;
use aigw_runtime::{Drive, Gateway};
use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingRequest;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

use super::call::Call;
use super::stream::Answers;
use crate::names;

/// Largest message of Envoy's: as much of a body as its buffers hold.
const MAX_MESSAGE: usize = 64 << 20;
/// Bytes that one exchange may be ahead of us.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for all exchanges of a connection together.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Silence after which Envoy is asked whether it is alive, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// The external processor.
#[derive(Clone, Debug)]
pub struct Processor {
    gateway: Arc<Gateway>,
    parking: Arc<Parking>,
}

impl Processor {
    /// A processor for this gateway. What it parks, [`aigw_proxy::serve_parked`] goes on with.
    pub fn new(gateway: Arc<Gateway>, parking: Arc<Parking>) -> Self {
        Self { gateway, parking }
    }

    /// As a service for a [`server`].
    pub fn service(self) -> ExternalProcessorServer<Self> {
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
        let listener = request.metadata().get(names::LISTENER_METADATA);
        let listener = listener.and_then(|name| name.to_str().ok()).unwrap_or_default();
        let call = Call::new(
            Drive::new(Arc::clone(&self.gateway)),
            Arc::from(listener),
            Arc::clone(&self.parking),
        );
        Ok(Response::new(Answers::new(request.into_inner(), call)))
    }
}

/// `grpc.health.v1`, which says that the processor serves until the reporter is told otherwise.
pub async fn health() -> (HealthReporter, HealthServer<impl Health>) {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_serving::<ExternalProcessorServer<Processor>>().await;
    (reporter, service)
}

/// A server for Envoy: as many calls on a connection as there are requests, and windows that large bodies go through quickly.
pub fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(u32::MAX)
        .http2_keepalive_interval(Some(PING.0))
        .http2_keepalive_timeout(Some(PING.1))
}
