//! The messages between Envoy and the processor, in as much as the processor reads and writes them. Bytes are parts of the message that
//! they came in, and are sent as they are: a head is taken apart without a copy of its names and values.
//!
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/ext_proc/v3/external_processor.proto>

use bytes::{Buf as _, Bytes};
use envoy_types::pb::google::protobuf::Struct;
use prost::{Message, Oneof};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// `ProcessingRequest`: what Envoy says.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Word {
    #[prost(oneof = "Event", tags = "2, 3, 4, 5, 6, 7")]
    pub event: Option<Event>,
}

/// What has come of a message of HTTP.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Event {
    #[prost(message, tag = "2")]
    RequestHead(Head),
    #[prost(message, tag = "3")]
    ResponseHead(Head),
    #[prost(message, tag = "4")]
    RequestBody(Piece),
    #[prost(message, tag = "5")]
    ResponseBody(Piece),
    #[prost(message, tag = "6")]
    RequestTrailers(Trailers),
    #[prost(message, tag = "7")]
    ResponseTrailers(Trailers),
}

/// `HttpHeaders`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Head {
    #[prost(message, optional, tag = "1")]
    pub headers: Option<Headers>,
    #[prost(bool, tag = "3")]
    pub end_of_stream: bool,
}

/// `HttpTrailers`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Trailers {
    #[prost(message, optional, tag = "1")]
    pub trailers: Option<Headers>,
}

/// `HeaderMap`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Headers {
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<Header>,
}

/// `HeaderValue`: a header, its value in one of two members.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Header {
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    pub raw_value: Bytes,
}

/// `HttpBody`, and `StreamedBodyResponse` on the way back.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Piece {
    #[prost(bytes = "bytes", tag = "1")]
    pub body: Bytes,
    #[prost(bool, tag = "2")]
    pub end_of_stream: bool,
}

/// `ProcessingResponse`: what the processor says.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    #[prost(oneof = "Act", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub act: Option<Act>,
    #[prost(message, optional, tag = "8")]
    pub dynamic_metadata: Option<Struct>,
}

/// What goes on of a message of HTTP.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Act {
    #[prost(message, tag = "1")]
    RequestHead(Change),
    #[prost(message, tag = "2")]
    ResponseHead(Change),
    #[prost(message, tag = "3")]
    RequestBody(Change),
    #[prost(message, tag = "4")]
    ResponseBody(Change),
    #[prost(message, tag = "5")]
    RequestTrailers(TrailersChange),
    #[prost(message, tag = "6")]
    ResponseTrailers(TrailersChange),
    #[prost(message, tag = "7")]
    Immediate(Box<Immediate>),
}

/// `HeadersResponse` and `BodyResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Change {
    #[prost(message, optional, tag = "1")]
    pub response: Option<Common>,
}

/// `TrailersResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TrailersChange {
    #[prost(message, optional, tag = "1")]
    pub header_mutation: Option<HeaderMutation>,
}

/// `CommonResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Common {
    #[prost(message, optional, tag = "2")]
    pub header_mutation: Option<HeaderMutation>,
    #[prost(message, optional, tag = "3")]
    pub body_mutation: Option<BodyMutation>,
    #[prost(bool, tag = "5")]
    pub clear_route_cache: bool,
}

/// `BodyMutation`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct BodyMutation {
    #[prost(message, optional, tag = "3")]
    pub streamed_response: Option<Piece>,
}

/// `HeaderMutation`: the removals are done first.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct HeaderMutation {
    #[prost(message, repeated, tag = "1")]
    pub set_headers: Vec<SetHeader>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub remove_headers: Vec<Bytes>,
}

/// `HeaderValueOption`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct SetHeader {
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    #[prost(int32, tag = "3")]
    pub append_action: i32,
    #[prost(bool, tag = "4")]
    pub keep_empty_value: bool,
}

/// `ImmediateResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Immediate {
    #[prost(message, optional, tag = "1")]
    pub status: Option<HttpStatus>,
    #[prost(message, optional, tag = "2")]
    pub headers: Option<HeaderMutation>,
    #[prost(bytes = "bytes", tag = "3")]
    pub body: Bytes,
    #[prost(string, tag = "5")]
    pub details: String,
}

/// `HttpStatus`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
}

/// Writes answers and reads words.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wire;

impl Codec for Wire {
    type Encode = Answer;
    type Decode = Word;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Wire {
    type Item = Answer;
    type Error = Status;

    fn encode(&mut self, answer: Answer, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        answer
            .encode(to)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Wire {
    type Item = Word;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Word>, Status> {
        // Cut out as a whole, its parts are had by counting.
        let message = from.copy_to_bytes(from.remaining());
        let word = Word::decode(message).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(word))
    }
}

#[cfg(test)]
mod tests {
    //! Against the types that are made of Envoy's own definitions.

    use envoy_types::pb::envoy::config::core::v3 as core;
    use envoy_types::pb::envoy::service::ext_proc::v3 as ext_proc;
    use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
    use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
    use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
    use envoy_types::pb::google::protobuf::Value;
    use envoy_types::pb::google::protobuf::value::Kind;

    use super::*;

    fn header() -> core::HeaderValue {
        core::HeaderValue {
            key: "k".to_owned(),
            value: "text".to_owned(),
            raw_value: b"raw".to_vec(),
        }
    }

    fn headers() -> Option<core::HeaderMap> {
        Some(core::HeaderMap {
            headers: vec![header(), header()],
        })
    }

    fn own_headers() -> Option<Headers> {
        let header = Header {
            key: Bytes::from_static(b"k"),
            value: Bytes::from_static(b"text"),
            raw_value: Bytes::from_static(b"raw"),
        };
        Some(Headers {
            headers: vec![header.clone(), header],
        })
    }

    #[test]
    fn every_word_is_read() {
        let head = || ext_proc::HttpHeaders {
            headers: headers(),
            end_of_stream: true,
            ..Default::default()
        };
        let body = || ext_proc::HttpBody {
            body: b"data".to_vec(),
            end_of_stream: true,
            ..Default::default()
        };
        let trailers = || ext_proc::HttpTrailers { trailers: headers() };
        let own_head = || Head {
            headers: own_headers(),
            end_of_stream: true,
        };
        let own_body = || Piece {
            body: Bytes::from_static(b"data"),
            end_of_stream: true,
        };
        let own_trailers = || Trailers {
            trailers: own_headers(),
        };
        for (theirs, own) in [
            (Request::RequestHeaders(head()), Event::RequestHead(own_head())),
            (Request::ResponseHeaders(head()), Event::ResponseHead(own_head())),
            (Request::RequestBody(body()), Event::RequestBody(own_body())),
            (Request::ResponseBody(body()), Event::ResponseBody(own_body())),
            (
                Request::RequestTrailers(trailers()),
                Event::RequestTrailers(own_trailers()),
            ),
            (
                Request::ResponseTrailers(trailers()),
                Event::ResponseTrailers(own_trailers()),
            ),
        ] {
            let message = ext_proc::ProcessingRequest {
                request: Some(theirs),
                // What is not read is passed over.
                observability_mode: true,
                ..Default::default()
            };
            let read = Word::decode(message.encode_to_vec().as_slice()).unwrap();
            assert_eq!(read, Word { event: Some(own) });
        }
    }

    fn change(mutation: &HeaderMutation) -> Change {
        let piece = Piece {
            body: Bytes::from_static(b"data"),
            end_of_stream: true,
        };
        Change {
            response: Some(Common {
                header_mutation: Some(mutation.clone()),
                body_mutation: Some(BodyMutation {
                    streamed_response: Some(piece),
                }),
                clear_route_cache: true,
            }),
        }
    }

    #[test]
    fn every_answer_is_understood() {
        let set = core::HeaderValueOption {
            header: Some(header()),
            append_action: 2,
            keep_empty_value: true,
            ..Default::default()
        };
        let mutation = ext_proc::HeaderMutation {
            set_headers: vec![set],
            remove_headers: vec!["a".to_owned(), "b".to_owned()],
        };
        let own_mutation = HeaderMutation {
            set_headers: vec![SetHeader {
                header: own_headers().unwrap().headers.pop(),
                append_action: 2,
                keep_empty_value: true,
            }],
            remove_headers: vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")],
        };
        let common = ext_proc::CommonResponse {
            header_mutation: Some(mutation.clone()),
            body_mutation: Some(ext_proc::BodyMutation {
                mutation: Some(Mutation::StreamedResponse(ext_proc::StreamedBodyResponse {
                    body: b"data".to_vec(),
                    end_of_stream: true,
                    ..Default::default()
                })),
            }),
            clear_route_cache: true,
            ..Default::default()
        };
        let change = || change(&own_mutation);
        let headers = ext_proc::HeadersResponse {
            response: Some(common.clone()),
        };
        let body = ext_proc::BodyResponse {
            response: Some(common),
        };
        let trailers = ext_proc::TrailersResponse {
            header_mutation: Some(mutation.clone()),
        };
        let own_trailers = || TrailersChange {
            header_mutation: Some(own_mutation.clone()),
        };
        let immediate = ext_proc::ImmediateResponse {
            status: Some(envoy_types::pb::envoy::r#type::v3::HttpStatus { code: 503 }),
            headers: Some(mutation),
            body: b"data".to_vec(),
            details: "why".to_owned(),
            ..Default::default()
        };
        let own_immediate = Immediate {
            status: Some(HttpStatus { code: 503 }),
            headers: Some(own_mutation.clone()),
            body: Bytes::from_static(b"data"),
            details: "why".to_owned(),
        };
        let mut metadata = Struct::default();
        let number = Value {
            kind: Some(Kind::NumberValue(1.0)),
        };
        metadata.fields.insert("n".to_owned(), number);
        for (theirs, own) in [
            (
                Response::RequestHeaders(headers.clone()),
                Act::RequestHead(change()),
            ),
            (Response::ResponseHeaders(headers), Act::ResponseHead(change())),
            (Response::RequestBody(body.clone()), Act::RequestBody(change())),
            (Response::ResponseBody(body), Act::ResponseBody(change())),
            (
                Response::RequestTrailers(trailers.clone()),
                Act::RequestTrailers(own_trailers()),
            ),
            (
                Response::ResponseTrailers(trailers),
                Act::ResponseTrailers(own_trailers()),
            ),
            (
                Response::ImmediateResponse(immediate),
                Act::Immediate(Box::new(own_immediate)),
            ),
        ] {
            let answer = Answer {
                act: Some(own),
                dynamic_metadata: Some(metadata.clone()),
            };
            let read = ext_proc::ProcessingResponse::decode(answer.encode_to_vec().as_slice()).unwrap();
            let expected = ext_proc::ProcessingResponse {
                response: Some(theirs),
                dynamic_metadata: Some(metadata.clone()),
                ..Default::default()
            };
            assert_eq!(read, expected);
        }
    }
}
