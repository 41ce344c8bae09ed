//! What goes on from Envoy, in either direction, as changes to what came.

use aigw_engine::{Attempt, AttemptBody, RequestHead, ResponseHead};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderValue};

use super::headers::{Listed, difference, set};
use super::wire::HeaderMutation;
use crate::names;

/// Without it Envoy finds no route; the route takes it away.
const ROUTED_BY: &str = "x-forwarded-proto";
const LENGTH: &str = "content-length";
/// How often Envoy's router goes on to another place of the cluster where one cannot be reached; the route says once.
///
/// <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/router_filter#x-envoy-max-retries>
const RETRIES: &str = "x-envoy-max-retries";
/// More are of no use: places that cannot be reached are passed over by then.
const MOST_RETRIES: usize = 5;

/// The client's request, with the headers `listed`, becomes the attempt that Envoy sends to the upstream's own `cluster`. `is_bare`:
/// it has no body.
pub(super) fn direct(
    client: &RequestHead,
    listed: Listed,
    attempt: &Attempt,
    cluster: &str,
    is_bare: bool,
) -> HeaderMutation {
    let mut mutation = difference(listed, &attempt.headers);
    mutation.remove_headers.retain(|name| name != ROUTED_BY);
    if attempt.method != client.method {
        set(&mut mutation, ":method", attempt.method.to_string());
    }
    if client.uri.path_and_query().map(|path| path.as_str()) != Some(&attempt.path) {
        set(&mut mutation, ":path", attempt.path.clone());
    }
    let authority = &attempt.backend.endpoint.authority;
    if *authority != client.authority {
        set(
            &mut mutation,
            ":authority",
            Bytes::copy_from_slice(authority.as_bytes()),
        );
    }
    if !is_bare {
        let length = match &attempt.body {
            AttemptBody::None => 0,
            AttemptBody::Whole(body) => body.len(),
        };
        let old = client.headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
        set_length(&mut mutation, old, length.to_string().into());
    }
    set(
        &mut mutation,
        names::CLUSTER_HEADER,
        Bytes::copy_from_slice(cluster.as_bytes()),
    );
    let others = attempt
        .backend
        .places
        .as_ref()
        .map_or(0, |places| places.len().saturating_sub(1));
    if others > 1 {
        // As many as there are places to go on to.
        set(&mut mutation, RETRIES, others.min(MOST_RETRIES).to_string());
    }
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
    mutation
        .remove_headers
        .push(Bytes::from_static(b"transfer-encoding"));
    set(&mut mutation, LENGTH, "0");
    set(&mut mutation, names::EXCHANGE_HEADER, id.to_owned());
    set(&mut mutation, names::CLUSTER_HEADER, names::LOCAL_CLUSTER);
    mutation
}

/// The upstream's head, with the headers `listed`, becomes the client's.
pub(super) fn response(status: StatusCode, listed: Listed, head: &ResponseHead) -> HeaderMutation {
    let old = listed.get(&CONTENT_LENGTH);
    let mut mutation = difference(listed, &head.headers);
    match head.headers.get(CONTENT_LENGTH) {
        Some(length) => {
            let length = Bytes::copy_from_slice(length.as_bytes());
            set_length(&mut mutation, old.as_deref(), length);
        }
        None if old.is_some() => {
            mutation
                .remove_headers
                .push(Bytes::from_static(LENGTH.as_bytes()));
        }
        None => {}
    }
    if head.status != status {
        set(&mut mutation, ":status", head.status.as_str().to_owned());
    }
    mutation
}

fn set_length(mutation: &mut HeaderMutation, old: Option<&[u8]>, length: Bytes) {
    if old != Some(&length) {
        set(mutation, LENGTH, length);
    }
}

#[cfg(test)]
mod tests {
    use super::super::headers::head;
    use super::super::wire::{Header, Headers};
    use super::*;

    fn sets(mutation: &HeaderMutation) -> Vec<(&str, &[u8])> {
        let headers = mutation
            .set_headers
            .iter()
            .filter_map(|option| option.header.as_ref());
        headers
            .map(|header| (std::str::from_utf8(&header.key).unwrap(), &*header.raw_value))
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
        let upstream = || {
            let header = Header {
                key: Bytes::from_static(b"content-length"),
                value: Bytes::new(),
                raw_value: Bytes::from_static(b"11"),
            };
            head(Some(Headers {
                headers: vec![header],
            }))
            .listed
        };
        let response = |head: &ResponseHead| response(StatusCode::OK, upstream(), head);
        let answer = |length: Option<&'static str>| ResponseHead {
            status: StatusCode::OK,
            headers: length
                .map(|length| (CONTENT_LENGTH, http::HeaderValue::from_static(length)))
                .into_iter()
                .collect(),
            close: false,
        };
        assert_eq!(response(&answer(None)).remove_headers, ["content-length"]);
        assert_eq!(response(&answer(Some("11"))), HeaderMutation::default());
        let longer = response(&answer(Some("13")));
        assert_eq!(sets(&longer), [("content-length", &b"13"[..])]);
    }
}
