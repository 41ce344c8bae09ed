//! The processor's messages to Envoy.
//!
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/service/ext_proc/v3/external_processor.proto>

use bytes::Bytes;
use http::StatusCode;

use super::headers;
use super::wire::{
    Act, Answer, BodyMutation, Change, Common, HeaderMutation, HttpStatus, Immediate, Piece, TrailersChange,
};
use crate::names;

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// The head goes on with these changes; a request is routed by them.
pub(super) fn head(side: Side, mutation: HeaderMutation) -> Answer {
    let is_request = side == Side::Request;
    let change = Change {
        response: Some(Common {
            header_mutation: (mutation != HeaderMutation::default()).then_some(mutation),
            clear_route_cache: is_request,
            ..Common::default()
        }),
    };
    message(match side {
        Side::Request => Act::RequestHead(change),
        Side::Response => Act::ResponseHead(change),
    })
}

/// A piece of the body that goes on.
pub(super) fn body(side: Side, data: Bytes, end_of_stream: bool) -> Answer {
    let piece = Piece {
        body: data,
        end_of_stream,
    };
    let change = Change {
        response: Some(Common {
            body_mutation: Some(BodyMutation {
                streamed_response: Some(piece),
            }),
            ..Common::default()
        }),
    };
    message(match side {
        Side::Request => Act::RequestBody(change),
        Side::Response => Act::ResponseBody(change),
    })
}

/// Trailers, none of which go on.
pub(super) fn trailers(side: Side, names: Vec<Bytes>) -> Answer {
    let change = TrailersChange {
        header_mutation: Some(HeaderMutation {
            remove_headers: names,
            ..HeaderMutation::default()
        }),
    };
    message(match side {
        Side::Request => Act::RequestTrailers(change),
        Side::Response => Act::ResponseTrailers(change),
    })
}

/// A whole answer to the client in place of any other. Envoy adds its length.
pub(super) fn immediate(status: StatusCode, client: &http::HeaderMap, pieces: Vec<Bytes>) -> Answer {
    message(Act::Immediate(Box::new(Immediate {
        status: Some(HttpStatus {
            code: i32::from(status.as_u16()),
        }),
        headers: Some(headers::all(client)),
        body: joined(pieces),
        details: names::ANSWERED.to_owned(),
    })))
}

/// Pieces as one; a single piece is not copied.
fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.pop() {
        None => Bytes::new(),
        Some(only) if pieces.is_empty() => only,
        Some(last) => {
            pieces.push(last);
            Bytes::from(pieces.concat())
        }
    }
}

fn message(act: Act) -> Answer {
    Answer {
        act: Some(act),
        dynamic_metadata: None,
    }
}
