//! A processor that sends a request to the cluster that the client names in `x-test-cluster`, once its body has come, and never
//! says a word to one with `x-test-stuck`.

use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Event;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Effect;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ProcessingRequest,
    ProcessingResponse, StreamedBodyResponse, TrailersResponse, body_mutation,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

pub fn service() -> ExternalProcessorServer<Stub> {
    ExternalProcessorServer::new(Stub)
}

#[derive(Debug)]
pub struct Stub;

type Out = mpsc::Sender<Result<ProcessingResponse, Status>>;

#[tonic::async_trait]
impl ExternalProcessor for Stub {
    type ProcessStream = ReceiverStream<Result<ProcessingResponse, Status>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let (out, answers) = mpsc::channel(64);
        tokio::spawn(async move {
            let _ = serve(request.into_inner(), &out).await;
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

async fn say(out: &Out, effect: Effect) -> Option<()> {
    let response = ProcessingResponse {
        response: Some(effect),
        ..ProcessingResponse::default()
    };
    out.send(Ok(response)).await.ok()
}

async fn serve(mut events: Streaming<ProcessingRequest>, out: &Out) -> Option<()> {
    let mut cluster = None;
    let mut about = String::new();
    let mut held = Vec::new();
    while let Some(message) = events.message().await.ok()? {
        match message.request? {
            Event::RequestHeaders(headers) => {
                let found = headers.headers?.headers;
                if found.iter().any(|header| header.key == "x-test-stuck") {
                    std::future::pending::<()>().await;
                }
                let of = |name: &str| {
                    let header = found.iter().find(|header| header.key == name)?;
                    Some(String::from_utf8(header.raw_value.clone()).unwrap())
                };
                let told = |name| of(name).unwrap_or_default();
                about = format!("{}|{}", told("x-aigw-listener"), told("x-aigw-peer"));
                cluster = of("x-test-cluster");
                if headers.end_of_stream {
                    say(out, Effect::RequestHeaders(route(cluster.take(), &about))).await?;
                }
            }
            Event::RequestBody(body) => {
                held.extend_from_slice(&body.body);
                if body.end_of_stream {
                    say(out, Effect::RequestHeaders(route(cluster.take(), &about))).await?;
                    let body = std::mem::take(&mut held);
                    say(out, Effect::RequestBody(piece(body, true))).await?;
                }
            }
            Event::ResponseHeaders(_) => {
                say(out, Effect::ResponseHeaders(HeadersResponse::default())).await?;
            }
            Event::ResponseBody(body) => {
                say(out, Effect::ResponseBody(piece(body.body, body.end_of_stream))).await?;
            }
            Event::RequestTrailers(_) => {
                say(out, Effect::RequestTrailers(TrailersResponse::default())).await?;
            }
            Event::ResponseTrailers(_) => {
                say(out, Effect::ResponseTrailers(TrailersResponse::default())).await?;
            }
        }
    }
    Some(())
}

fn set(name: &str, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            raw_value: value.into_bytes(),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

fn route(cluster: Option<String>, about: &str) -> HeadersResponse {
    let mut edits = vec![
        set(":path", "/edited".to_owned()),
        set(":authority", "upstream.test".to_owned()),
        set("x-about", about.to_owned()),
    ];
    edits.extend(cluster.map(|cluster| set("x-aigw-cluster", cluster)));
    HeadersResponse {
        response: Some(CommonResponse {
            header_mutation: Some(HeaderMutation {
                set_headers: edits,
                ..HeaderMutation::default()
            }),
            clear_route_cache: true,
            ..CommonResponse::default()
        }),
    }
}

fn piece(body: Vec<u8>, end_of_stream: bool) -> BodyResponse {
    BodyResponse {
        response: Some(CommonResponse {
            body_mutation: Some(BodyMutation {
                mutation: Some(body_mutation::Mutation::StreamedResponse(StreamedBodyResponse {
                    body,
                    end_of_stream,
                    ..StreamedBodyResponse::default()
                })),
            }),
            ..CommonResponse::default()
        }),
    }
}
