//! What goes on from Envoy, in either direction, as changes to what came.

use aigw_engine::{Attempt, AttemptBody, RequestHead, ResponseHead};
use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::HeaderMutation;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderMap};

use super::headers::{difference, set};
use crate::names;

/// Without it Envoy finds no route; the route takes it away.
const ROUTED_BY: &str = "x-forwarded-proto";

/// The client's request becomes the attempt that Envoy sends to the upstream's own `cluster`. `is_bare`: it has no body.
pub(super) fn direct(
    client: &RequestHead,
    attempt: &Attempt,
    cluster: &str,
    is_bare: bool,
) -> HeaderMutation {
    let mut mutation = difference(&client.headers, &attempt.headers);
    mutation.remove_headers.retain(|name| name != ROUTED_BY);
    if attempt.method != client.method {
        set(&mut mutation, ":method", attempt.method.as_str().as_bytes());
    }
    if client.uri.path_and_query().map(|path| path.as_str()) != Some(&attempt.path) {
        set(&mut mutation, ":path", attempt.path.as_bytes());
    }
    let authority = &attempt.backend.endpoint.authority;
    if *authority != client.authority {
        set(&mut mutation, ":authority", authority.as_bytes());
    }
    if !is_bare {
        let length = match &attempt.body {
            AttemptBody::None => 0,
            AttemptBody::Whole(body) => body.len(),
        };
        set_length(&mut mutation, &client.headers, &length.to_string());
    }
    set(&mut mutation, names::CLUSTER_HEADER, cluster.as_bytes());
    mutation
}

/// The bytes of an attempt's body.
pub(super) fn body(body: AttemptBody) -> Bytes {
    match body {
        AttemptBody::None => Bytes::new(),
        AttemptBody::Whole(bytes) => bytes,
    }
}

/// The client's request becomes one that has nothing but the id of its exchange.
pub(super) fn parked(id: &str) -> HeaderMutation {
    let mut mutation = HeaderMutation::default();
    mutation.remove_headers.push("transfer-encoding".to_owned());
    set(&mut mutation, CONTENT_LENGTH.as_str(), b"0");
    set(&mut mutation, names::EXCHANGE_HEADER, id.as_bytes());
    set(
        &mut mutation,
        names::CLUSTER_HEADER,
        names::LOCAL_CLUSTER.as_bytes(),
    );
    mutation
}

/// The upstream's head becomes the client's.
pub(super) fn response((status, upstream): &(StatusCode, HeaderMap), head: &ResponseHead) -> HeaderMutation {
    let mut mutation = difference(upstream, &head.headers);
    match head.headers.get(CONTENT_LENGTH) {
        Some(length) => set_length(&mut mutation, upstream, length.to_str().unwrap_or_default()),
        None if upstream.contains_key(CONTENT_LENGTH) => {
            mutation.remove_headers.push(CONTENT_LENGTH.as_str().to_owned());
        }
        None => {}
    }
    if head.status != *status {
        set(&mut mutation, ":status", head.status.as_str().as_bytes());
    }
    mutation
}

fn set_length(mutation: &mut HeaderMutation, from: &HeaderMap, length: &str) {
    if from.get(CONTENT_LENGTH).is_none_or(|old| old != length) {
        set(mutation, CONTENT_LENGTH.as_str(), length.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(mutation: &HeaderMutation) -> Vec<(&str, &[u8])> {
        let headers = mutation
            .set_headers
            .iter()
            .filter_map(|option| option.header.as_ref());
        headers
            .map(|header| (header.key.as_str(), header.raw_value.as_slice()))
            .collect()
    }

    #[test]
    fn a_parked_request_names_its_exchange_and_has_no_body() {
        let mutation = parked("ab");
        assert_eq!(
            sets(&mutation),
            [
                ("content-length", &b"0"[..]),
                ("x-aigw-exchange", b"ab"),
                ("x-aigw-cluster", b"aigw-local"),
            ]
        );
    }

    #[test]
    fn lengths_follow_the_engines_head() {
        let upstream = HeaderMap::from_iter([(CONTENT_LENGTH, http::HeaderValue::from_static("11"))]);
        let upstream = (StatusCode::OK, upstream);
        let head = |length: Option<&'static str>| ResponseHead {
            status: StatusCode::OK,
            headers: length
                .map(|length| (CONTENT_LENGTH, http::HeaderValue::from_static(length)))
                .into_iter()
                .collect(),
            close: false,
        };
        assert_eq!(
            response(&upstream, &head(None)).remove_headers,
            ["content-length"]
        );
        assert_eq!(response(&upstream, &head(Some("11"))), HeaderMutation::default());
        let longer = response(&upstream, &head(Some("13")));
        assert_eq!(sets(&longer), [("content-length", &b"13"[..])]);
    }
}
