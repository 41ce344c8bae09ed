//! The external processor that does nothing: it answers each of Envoy's messages as a real one has to, and changes nothing,
//! or, where that is asked for, no more than what sends the request to its upstream.
//!
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/ext_proc/v3/external_processor.proto>

use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll, ready};

use aigw_bench::baseline::{listen_unix, run};
use aigw_bench::envoy_config::ROUTING_HEADER;
use aigw_bench::failure::Failure;
use clap::Parser;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Event;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, HttpBody, HttpHeaders,
    ProcessingRequest, ProcessingResponse, StreamedBodyResponse, TrailersResponse,
};
use futures_util::Stream;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, Streaming};

/// An external processor that changes nothing.
#[derive(Debug, Parser)]
struct Flags {
    /// Path of the Unix socket to listen on.
    #[arg(long)]
    socket: PathBuf,
    /// Ask, in a message of its own and for each request alone, for the modes that it is to have.
    #[arg(long, value_name = "MODES")]
    choose: Option<Choice>,
    /// Route each request by a header, and set the two headers with it that no gateway can do without: the upstream's name and
    /// its key.
    #[arg(long, value_name = "CLUSTER")]
    route: Option<String>,
}

/// Modes that are asked for: the request's body in full duplex, and
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    /// nothing of the response.
    Request,
    /// the response, whole if it is no stream.
    Observe,
}

/// The gateway's: bytes that one stream may be ahead of its reader, and all of a connection together.
const WINDOWS: (u32, u32) = (1 << 20, 16 << 20);

fn main() -> ExitCode {
    let flags = Flags::parse();
    run(async move {
        let incoming = UnixListenerStream::new(listen_unix(&flags.socket)?);
        let service = ExternalProcessorServer::new(NoOp {
            choose: flags.choose,
            route: flags.route,
        });
        let server = tonic::transport::Server::builder()
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .add_service(service);
        let served = server.serve_with_incoming(incoming).await;
        served.map_err(|error| Failure::system("serve")(std::io::Error::other(error)))
    })
}

struct NoOp {
    choose: Option<Choice>,
    route: Option<String>,
}

#[tonic::async_trait]
impl ExternalProcessor for NoOp {
    type ProcessStream = Answers;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Answers>, Status> {
        Ok(Response::new(Answers {
            events: request.into_inner(),
            exchange: Exchange::new(self.choose, self.route.clone()),
        }))
    }
}

/// One stream: polled by the connection, without a task or a channel of its own.
struct Answers {
    events: Streaming<ProcessingRequest>,
    exchange: Exchange,
}

impl Stream for Answers {
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(answer) = self.exchange.answers.pop_front() {
                return Poll::Ready(Some(Ok(answer)));
            }
            match ready!(Pin::new(&mut self.events).poll_next(cx)) {
                Some(Ok(event)) => self.exchange.take(event),
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// What one stream has seen, and the answers that are due.
#[derive(Default)]
struct Exchange {
    choose: Option<Choice>,
    route: Option<String>,
    request_mode: BodySendMode,
    response_mode: BodySendMode,
    /// The request's body so far, where the answer to its headers is held until it is whole.
    held: Vec<u8>,
    answers: VecDeque<ProcessingResponse>,
}

impl Exchange {
    fn new(choose: Option<Choice>, route: Option<String>) -> Self {
        Self {
            choose,
            route,
            ..Self::default()
        }
    }

    fn take(&mut self, message: ProcessingRequest) {
        if let Some(config) = message.protocol_config {
            self.request_mode = config.request_body_mode();
            self.response_mode = config.response_body_mode();
        }
        match message.request {
            Some(Event::RequestHeaders(headers)) => self.request_headers(&headers),
            Some(Event::RequestBody(body)) => self.request_body(body),
            Some(Event::ResponseHeaders(headers)) => self.response_headers(&headers),
            Some(Event::ResponseBody(body)) => {
                let answer = answer_body(self.response_mode, body);
                self.answer(Answer::ResponseBody(answer));
            }
            Some(Event::RequestTrailers(_)) => {
                self.release();
                self.answer(Answer::RequestTrailers(TrailersResponse::default()));
            }
            Some(Event::ResponseTrailers(_)) => {
                self.answer(Answer::ResponseTrailers(TrailersResponse::default()));
            }
            None => {}
        }
    }

    fn request_headers(&mut self, headers: &HttpHeaders) {
        if let Some(choice) = self.choose {
            self.ask_for(choice);
        }
        // A processor that routes by the body cannot answer before it has read it.
        if headers.end_of_stream || self.request_mode != BodySendMode::FullDuplexStreamed {
            self.proceed();
        }
    }

    /// The request's head goes on.
    fn proceed(&mut self) {
        let answer = self.route.as_deref().map_or_else(proceed, routed);
        self.answer(Answer::RequestHeaders(answer));
    }

    fn request_body(&mut self, mut body: HttpBody) {
        if self.request_mode == BodySendMode::FullDuplexStreamed {
            if self.held.is_empty() {
                std::mem::swap(&mut self.held, &mut body.body);
            } else {
                self.held.append(&mut body.body);
            }
            if !body.end_of_stream {
                return;
            }
            self.proceed();
            body.body = std::mem::take(&mut self.held);
        }
        let answer = answer_body(self.request_mode, body);
        self.answer(Answer::RequestBody(answer));
    }

    /// A body that ends with trailers has no last chunk.
    fn release(&mut self) {
        if self.request_mode == BodySendMode::FullDuplexStreamed {
            self.proceed();
            let body = HttpBody {
                body: std::mem::take(&mut self.held),
                ..HttpBody::default()
            };
            let answer = answer_body(self.request_mode, body);
            self.answer(Answer::RequestBody(answer));
        }
    }

    fn response_headers(&mut self, headers: &HttpHeaders) {
        // A stream must not be collected.
        let collected = self.response_mode == BodySendMode::Buffered && is_stream(headers.headers.as_ref());
        self.answers.push_back(ProcessingResponse {
            response: Some(Answer::ResponseHeaders(proceed())),
            mode_override: collected.then(|| {
                let mut mode = ProcessingMode::default();
                mode.set_response_body_mode(BodySendMode::Streamed);
                mode
            }),
            ..ProcessingResponse::default()
        });
    }

    fn ask_for(&mut self, choice: Choice) {
        let mut mode = ProcessingMode::default();
        mode.set_request_body_mode(BodySendMode::FullDuplexStreamed);
        mode.set_request_trailer_mode(HeaderSendMode::Send);
        let response = match choice {
            Choice::Request => (HeaderSendMode::Skip, BodySendMode::None),
            Choice::Observe => (HeaderSendMode::Send, BodySendMode::Buffered),
        };
        mode.set_response_header_mode(response.0);
        mode.set_response_body_mode(response.1);
        (self.request_mode, self.response_mode) = (BodySendMode::FullDuplexStreamed, response.1);
        self.answers.push_back(ProcessingResponse {
            mode_override: Some(mode),
            ..ProcessingResponse::default()
        });
    }

    fn answer(&mut self, answer: Answer) {
        self.answers.push_back(ProcessingResponse {
            response: Some(answer),
            ..ProcessingResponse::default()
        });
    }
}

fn proceed() -> HeadersResponse {
    HeadersResponse {
        response: Some(CommonResponse::default()),
    }
}

/// The head goes on to a cluster, with that upstream's name and key.
fn routed(cluster: &str) -> HeadersResponse {
    let sets = [
        ("authorization", "Bearer bench-key"),
        (":authority", cluster),
        (ROUTING_HEADER, cluster),
    ];
    let set = |(name, value): (&str, &str)| HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    };
    HeadersResponse {
        response: Some(CommonResponse {
            header_mutation: Some(HeaderMutation {
                set_headers: sets.map(set).to_vec(),
                ..HeaderMutation::default()
            }),
            clear_route_cache: true,
            ..CommonResponse::default()
        }),
    }
}

/// In full duplex the chunk goes back as it came; else its answer says that nothing changes.
fn answer_body(mode: BodySendMode, body: HttpBody) -> BodyResponse {
    let mutation = (mode == BodySendMode::FullDuplexStreamed).then(|| BodyMutation {
        mutation: Some(Mutation::StreamedResponse(StreamedBodyResponse {
            body: body.body,
            end_of_stream: body.end_of_stream,
            ..StreamedBodyResponse::default()
        })),
    });
    BodyResponse {
        response: Some(CommonResponse {
            body_mutation: mutation,
            ..CommonResponse::default()
        }),
    }
}

fn is_stream(headers: Option<&HeaderMap>) -> bool {
    let mut headers = headers.iter().flat_map(|headers| &headers.headers);
    headers.any(|header| header.key == "content-type" && header.raw_value.starts_with(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::ext_proc::v3::ProtocolConfiguration;

    use super::*;

    fn send(exchange: &mut Exchange, event: Event) -> Vec<ProcessingResponse> {
        exchange.take(ProcessingRequest {
            request: Some(event),
            ..ProcessingRequest::default()
        });
        exchange.answers.drain(..).collect()
    }

    fn exchange(request: BodySendMode, response: BodySendMode) -> Exchange {
        let mut exchange = Exchange::new(None, None);
        exchange.take(ProcessingRequest {
            protocol_config: Some(ProtocolConfiguration {
                request_body_mode: request.into(),
                response_body_mode: response.into(),
                ..ProtocolConfiguration::default()
            }),
            ..ProcessingRequest::default()
        });
        exchange
    }

    fn chunk(body: &[u8], end_of_stream: bool) -> HttpBody {
        HttpBody {
            body: body.to_vec(),
            end_of_stream,
            ..HttpBody::default()
        }
    }

    fn echoed(answer: &ProcessingResponse) -> Option<(&[u8], bool)> {
        let (Answer::RequestBody(body) | Answer::ResponseBody(body)) = answer.response.as_ref()? else {
            return None;
        };
        match body
            .response
            .as_ref()?
            .body_mutation
            .as_ref()?
            .mutation
            .as_ref()?
        {
            Mutation::StreamedResponse(streamed) => Some((&streamed.body, streamed.end_of_stream)),
            _ => None,
        }
    }

    #[test]
    fn full_duplex_holds_the_headers_until_the_body_is_whole_and_gives_it_back() {
        let mut exchange = exchange(BodySendMode::FullDuplexStreamed, BodySendMode::FullDuplexStreamed);
        assert!(send(&mut exchange, Event::RequestHeaders(HttpHeaders::default())).is_empty());
        assert!(send(&mut exchange, Event::RequestBody(chunk(b"ab", false))).is_empty());
        let answers = send(&mut exchange, Event::RequestBody(chunk(b"c", true)));
        assert!(matches!(answers[0].response, Some(Answer::RequestHeaders(_))));
        assert_eq!(
            (answers.len(), echoed(&answers[1])),
            (2, Some((&b"abc"[..], true)))
        );

        let answers = send(&mut exchange, Event::ResponseHeaders(HttpHeaders::default()));
        assert!(matches!(answers[0].response, Some(Answer::ResponseHeaders(_))));
        let answers = send(&mut exchange, Event::ResponseBody(chunk(b"d", false)));
        assert_eq!(echoed(&answers[0]), Some((&b"d"[..], false)));
    }

    #[test]
    fn buffered_messages_are_answered_one_by_one_and_streams_are_not_collected() {
        let mut exchange = exchange(BodySendMode::Buffered, BodySendMode::Buffered);
        let answers = send(&mut exchange, Event::RequestHeaders(HttpHeaders::default()));
        assert!(matches!(answers[0].response, Some(Answer::RequestHeaders(_))));
        let answers = send(&mut exchange, Event::RequestBody(chunk(b"abc", true)));
        assert_eq!((answers.len(), echoed(&answers[0])), (1, None));

        let content_type = |value: &[u8]| HttpHeaders {
            headers: Some(HeaderMap {
                headers: vec![HeaderValue {
                    key: "content-type".to_owned(),
                    raw_value: value.to_vec(),
                    ..HeaderValue::default()
                }],
            }),
            ..HttpHeaders::default()
        };
        let json = send(
            &mut exchange,
            Event::ResponseHeaders(content_type(b"application/json")),
        );
        assert_eq!(json[0].mode_override, None);
        let stream = send(
            &mut exchange,
            Event::ResponseHeaders(content_type(b"text/event-stream")),
        );
        let mode = stream[0].mode_override.as_ref().unwrap().response_body_mode();
        assert_eq!(mode, BodySendMode::Streamed);
    }

    #[test]
    fn a_chosen_mode_is_asked_for_before_anything_is_answered() {
        let mut exchange = Exchange::new(Some(Choice::Request), None);
        let asked = send(&mut exchange, Event::RequestHeaders(HttpHeaders::default()));
        let mode = asked[0].mode_override.as_ref().unwrap();
        assert_eq!(
            (asked.len(), asked[0].response.is_none(), mode.request_body_mode()),
            (1, true, BodySendMode::FullDuplexStreamed)
        );
        let answers = send(&mut exchange, Event::RequestBody(chunk(b"a", true)));
        assert_eq!(echoed(&answers[1]), Some((&b"a"[..], true)));
    }

    #[test]
    fn a_routed_request_is_sent_where_it_was_told() {
        let mut exchange = Exchange::new(None, Some("target".to_owned()));
        exchange.request_mode = BodySendMode::FullDuplexStreamed;
        assert!(send(&mut exchange, Event::RequestHeaders(HttpHeaders::default())).is_empty());
        let answers = send(&mut exchange, Event::RequestBody(chunk(b"a", true)));
        let Some(Answer::RequestHeaders(head)) = &answers[0].response else {
            panic!("{answers:?}");
        };
        let common = head.response.as_ref().unwrap();
        let sets = &common.header_mutation.as_ref().unwrap().set_headers;
        let routing = sets
            .iter()
            .filter_map(|set| set.header.as_ref())
            .find(|set| set.key == ROUTING_HEADER);
        assert_eq!(routing.unwrap().raw_value, b"target");
        assert!(common.clear_route_cache);
    }
}
