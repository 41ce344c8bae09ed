//! The processor's messages to Envoy.
//!
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/ext_proc/v3/external_processor.proto>

use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ImmediateResponse,
    ProcessingResponse, StreamedBodyResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use http::StatusCode;

use super::headers;
use crate::names;

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// The head goes on with these changes; a request is routed by them.
pub(super) fn head(side: Side, mutation: HeaderMutation) -> ProcessingResponse {
    let answer = HeadersResponse {
        response: Some(CommonResponse {
            header_mutation: Some(mutation),
            clear_route_cache: side == Side::Request,
            ..CommonResponse::default()
        }),
    };
    message(match side {
        Side::Request => Response::RequestHeaders(answer),
        Side::Response => Response::ResponseHeaders(answer),
    })
}

/// A piece of the body that goes on.
pub(super) fn body(side: Side, data: Vec<u8>, end_of_stream: bool) -> ProcessingResponse {
    let streamed = StreamedBodyResponse {
        body: data,
        end_of_stream,
        ..StreamedBodyResponse::default()
    };
    let answer = BodyResponse {
        response: Some(CommonResponse {
            body_mutation: Some(BodyMutation {
                mutation: Some(Mutation::StreamedResponse(streamed)),
            }),
            ..CommonResponse::default()
        }),
    };
    message(match side {
        Side::Request => Response::RequestBody(answer),
        Side::Response => Response::ResponseBody(answer),
    })
}

/// Trailers, none of which go on.
pub(super) fn trailers(side: Side, names: Vec<String>) -> ProcessingResponse {
    let answer = TrailersResponse {
        header_mutation: Some(HeaderMutation {
            remove_headers: names,
            ..HeaderMutation::default()
        }),
    };
    message(match side {
        Side::Request => Response::RequestTrailers(answer),
        Side::Response => Response::ResponseTrailers(answer),
    })
}

/// A whole answer to the client in place of any other. Envoy adds its length.
pub(super) fn immediate(
    status: StatusCode,
    client: &http::HeaderMap,
    pieces: Vec<Bytes>,
) -> ProcessingResponse {
    message(Response::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus {
            code: i32::from(status.as_u16()),
        }),
        headers: Some(headers::all(client)),
        body: joined(pieces),
        details: names::ANSWERED.to_owned(),
        ..ImmediateResponse::default()
    }))
}

/// Pieces as one; a single piece that nobody else holds is not copied.
pub(super) fn joined(mut pieces: Vec<Bytes>) -> Vec<u8> {
    match pieces.pop() {
        None => Vec::new(),
        Some(only) if pieces.is_empty() => Vec::from(only),
        Some(last) => {
            pieces.push(last);
            pieces.concat()
        }
    }
}

fn message(response: Response) -> ProcessingResponse {
    ProcessingResponse {
        response: Some(response),
        ..ProcessingResponse::default()
    }
}
