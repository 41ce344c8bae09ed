//! The gRPC service: one task a stream, which carries between Envoy and the session.

use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryService;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use futures_util::stream::Pending;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::session::Session;
use super::shared::Shared;

/// Responses that may wait for a stream; one of each kind is the most there can be.
const WAITING: usize = 8;

/// Aggregated discovery, state of the world.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
}

impl Service {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Service {
    type StreamAggregatedResourcesStream = ReceiverStream<Result<DiscoveryResponse, Status>>;
    type DeltaAggregatedResourcesStream = Pending<Result<DeltaDiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let (out, responses) = mpsc::channel(WAITING);
        tokio::spawn(serve(Arc::clone(&self.shared), request.into_inner(), out));
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn delta_aggregated_resources(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented(
            "use GRPC, state of the world, as the printed bootstrap does",
        ))
    }
}

/// A stream that is in the list of open ones as long as this lives.
struct Open {
    shared: Arc<Shared>,
    stream: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.close(self.stream);
    }
}

async fn serve(
    shared: Arc<Shared>,
    mut requests: Streaming<DiscoveryRequest>,
    out: mpsc::Sender<Result<DiscoveryResponse, Status>>,
) {
    let open = Open {
        stream: shared.open(),
        shared: Arc::clone(&shared),
    };
    let mut goals = shared.goals();
    let mut session = Session::default();
    loop {
        let goal = goals.borrow_and_update().clone();
        let expiry = goal.as_ref().and_then(|goal| goal.expiry());
        if let Some(goal) = goal {
            session.aim(goal);
        }
        while let Some(response) = session.next() {
            if out.send(Ok(response)).await.is_err() {
                return;
            }
        }
        if let Some(sequence) = session.completed() {
            shared.complete(open.stream, sequence);
        }
        let expired = async {
            match expiry {
                Some(expiry) => tokio::time::sleep_until(expiry).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            request = requests.message() => match request {
                Ok(Some(request)) => {
                    if let Some(verdict) = session.request(request) {
                        shared.judge(verdict);
                    }
                }
                // Whoever comes back gets everything again.
                Ok(None) | Err(_) => return,
            },
            changed = goals.changed() => if changed.is_err() { return },
            () = expired => shared.expire(),
        }
    }
}
