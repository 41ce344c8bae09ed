//! What becomes of requests: one route for all of them. Which upstream, and whether any, is the engine's word.

use std::time::Duration;

use aigw_config::{Candidate, Endpoint, Millis, Rule, Snapshot, Timeouts};
use aigw_engine::PATIENCE;
use envoy_types::pb::envoy::config::route::v3::retry_policy::retry_host_predicate::ConfigType;
use envoy_types::pb::envoy::config::route::v3::retry_policy::{RetryBackOff, RetryHostPredicate};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::{ClusterSpecifier, HostRewriteSpecifier};
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{
    RetryPolicy, Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost,
};
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::google::protobuf::{BoolValue, UInt64Value};

use super::options::DataPath;
use super::typed::{any, duration, no, number, seconds};
use crate::names;

/// What Envoy's own timer has over the engine's: the engine should be the one to say what happened.
const MARGIN: Duration = Duration::from_secs(5);

/// Headers that Envoy makes and that are nobody's business upstream.
const OWN_HEADERS: &[&str] = &[
    names::CLUSTER_HEADER,
    "x-forwarded-proto",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-expected-rq-timeout-ms",
];

/// The route configuration of a listener.
pub(super) fn configuration(listener: &str, snapshot: &Snapshot, path: DataPath) -> RouteConfiguration {
    let specifier = match path {
        DataPath::Local => ClusterSpecifier::Cluster(names::listener_cluster(listener)),
        DataPath::Extproc => ClusterSpecifier::ClusterHeader(names::CLUSTER_HEADER.to_owned()),
    };
    let mut removed: Vec<String> = OWN_HEADERS.iter().map(|&name| name.to_owned()).collect();
    match path {
        DataPath::Local => removed.push(names::EXCHANGE_HEADER.to_owned()),
        // The processor has read them.
        DataPath::Extproc => {
            removed.extend([names::PEER_HEADER, names::LISTENER_HEADER].map(str::to_owned));
        }
    }
    let route = Route {
        name: "ai".to_owned(),
        r#match: Some(RouteMatch {
            path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
            ..RouteMatch::default()
        }),
        // A connection is tried again with the whole body, so that has to be there.
        request_body_buffer_limit: Some(UInt64Value {
            value: snapshot.limits.max_request_body,
        }),
        action: Some(Action::Route(action(specifier, snapshot, path))),
        ..Route::default()
    };
    RouteConfiguration {
        name: listener.to_owned(),
        virtual_hosts: vec![VirtualHost {
            name: "all".to_owned(),
            domains: vec!["*".to_owned()],
            routes: vec![route],
            ..VirtualHost::default()
        }],
        request_headers_to_remove: removed,
        // What upstreams send; Envoy's own comes later.
        response_headers_to_remove: vec![names::LOCAL_REPLY_HEADER.to_owned()],
        validate_clusters: no(),
        ..RouteConfiguration::default()
    }
}

fn action(specifier: ClusterSpecifier, snapshot: &Snapshot, path: DataPath) -> RouteAction {
    RouteAction {
        cluster_specifier: Some(specifier),
        // A stream lasts as long as it lasts.
        timeout: seconds(0),
        idle_timeout: duration(idle_timeout(snapshot)),
        retry_policy: (path == DataPath::Extproc).then(reconnect),
        // The place that is chosen may have a name of its own; the others have none here.
        host_rewrite_specifier: (path == DataPath::Extproc)
            .then_some(HostRewriteSpecifier::AutoHostRewrite(BoolValue { value: true })),
        ..RouteAction::default()
    }
}

/// Nothing of the request was taken where these happen, so that another try harms nobody.
fn reconnect() -> RetryPolicy {
    RetryPolicy {
        retry_on: "connect-failure,refused-stream,reset-before-request".to_owned(),
        num_retries: number(1),
        retry_back_off: Some(RetryBackOff {
            base_interval: duration(Duration::from_millis(25)),
            max_interval: duration(Duration::from_millis(100)),
        }),
        // Another place, if there is one: Envoy draws until it has one, so that few draws would now and then end at the same.
        retry_host_predicate: vec![RetryHostPredicate {
            name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
            config_type: Some(ConfigType::TypedConfig(any(PreviousHostsPredicate {}))),
        }],
        host_selection_retry_max_attempts: 20,
        ..RetryPolicy::default()
    }
}

/// The longest silence that any rule allows: its client hears nothing while one attempt after the other is waited for.
fn idle_timeout(snapshot: &Snapshot) -> Duration {
    rules(snapshot)
        .map(silence)
        .chain([snapshot.limits.timeouts.idle.duration()])
        .max()
        .unwrap_or_default()
        .saturating_add(MARGIN)
}

fn silence(rule: &Rule) -> Duration {
    let longest = |span: fn(&Timeouts) -> Millis| {
        let spans = rule.candidates.iter().map(|candidate| span(&candidate.timeouts));
        spans.max().map_or(Duration::ZERO, Millis::duration)
    };
    let first_byte =
        longest(|timeouts| timeouts.first_byte).max(longest(|timeouts| timeouts.first_byte_stream));
    // A connection may be tried twice.
    let attempt = longest(|timeouts| timeouts.connect)
        .saturating_mul(2)
        .saturating_add(first_byte)
        .saturating_add(PATIENCE);
    attempt
        .saturating_mul(rule.retry.attempts.max(1))
        .max(longest(|timeouts| timeouts.idle))
}

/// The longest time that any candidate at this endpoint allows for a connection.
pub(super) fn connect_timeout(snapshot: &Snapshot, endpoint: &Endpoint) -> Duration {
    candidates(snapshot)
        .filter(|candidate| candidate.backend.endpoint == *endpoint)
        .map(|candidate| candidate.timeouts.connect)
        .max()
        .unwrap_or(snapshot.limits.timeouts.connect)
        .duration()
}

fn rules(snapshot: &Snapshot) -> impl Iterator<Item = &Rule> {
    snapshot.routes.iter().flat_map(|route| &route.rules)
}

fn candidates(snapshot: &Snapshot) -> impl Iterator<Item = &Candidate> {
    rules(snapshot).flat_map(|rule| &rule.candidates)
}
