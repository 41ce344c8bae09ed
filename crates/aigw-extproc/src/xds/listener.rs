//! Where clients connect: the address, TLS, and HTTP as the native host speaks it. Depends on as little as can be, since Envoy
//! ends the connections of a listener that changes.

use std::net::IpAddr;

use aigw_config::Listener as Spec;
use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation, header_mutation::Action, header_mutation::RemoveOnMatch,
};
use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions, KeepaliveSettings,
    SchemeHeaderTransformation, TcpKeepalive,
};
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    CodecType, PathWithEscapedSlashesAction, RouteSpecifier, ServerHeaderTransformation,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, Rds, http_filter,
};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation as EarlyMutation;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher};
use prost::Name;

use super::materials::{self, Materials};
use super::options::{DataPath, Options};
use super::typed::{ads, any, extension, no, number, seconds, socket, transport, yes};
use super::{access_log, local_reply, processor, secret};
use crate::names;

/// Largest head of a request, KiB.
const MAX_HEAD: u32 = 128;
/// Most headers of a request or an answer, those that are put in on the way among them.
pub(super) const MAX_HEADERS: u32 = 256;
/// Bytes that one HTTP/2 request may be ahead of its reader, and all of a connection together.
const WINDOWS: (u32, u32) = (1 << 20, 4 << 20);
/// Requests at one time on an HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Seconds for a request's head.
const HEAD: u64 = 30;
/// Seconds for a TLS handshake.
const HANDSHAKE: u64 = 10;
/// Seconds that a connection waits for its next request.
const KEEP: u64 = 300;
/// Seconds of silence after which an HTTP/2 client is asked whether it is alive, and for its answer.
const PING: (u64, u64) = (30, 20);

/// Headers that are this gateway's own word, whoever sends them.
const OWN_HEADERS: &[&str] = &[
    names::CLUSTER_HEADER,
    names::EXCHANGE_HEADER,
    names::PEER_HEADER,
    names::LOCAL_REPLY_HEADER,
];

/// The listener, or why Envoy cannot open it.
pub(super) fn listener(spec: &Spec, materials: &Materials, options: &Options) -> Result<Listener, String> {
    let (ip, port) = address(spec, materials)?;
    let tls = spec
        .tls
        .as_ref()
        .map(|_| transport("envoy.transport_sockets.tls", secret::context(&spec.name)));
    Ok(Listener {
        name: spec.name.clone(),
        address: socket(&ip.to_string(), port),
        stat_prefix: spec.name.clone(),
        filter_chains: vec![FilterChain {
            name: spec.name.clone(),
            filters: vec![Filter {
                name: "envoy.filters.network.http_connection_manager".to_owned(),
                config_type: Some(filter::ConfigType::TypedConfig(any(manager(spec, options)))),
            }],
            transport_socket_connect_timeout: tls.as_ref().and_then(|_| seconds(HANDSHAKE)),
            transport_socket: tls,
            ..FilterChain::default()
        }],
        tcp_keepalive: Some(TcpKeepalive {
            keepalive_probes: number(3),
            keepalive_time: number(30),
            keepalive_interval: number(10),
        }),
        tcp_backlog_size: number(4096),
        ..Listener::default()
    })
}

fn address(spec: &Spec, materials: &Materials) -> Result<(IpAddr, u16), String> {
    let host = materials::host(&spec.address);
    let port = spec
        .address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok())
        .unwrap_or_default();
    if port == 0 {
        return Err(format!(
            "behind Envoy the port must be said; {} leaves it open",
            spec.address
        ));
    }
    let ip = match host.parse() {
        Ok(ip) => ip,
        Err(_) => match materials.addresses.get(host) {
            Some(found) => found.clone()?,
            None => return Err(format!("{host} has not been resolved")),
        },
    };
    Ok((ip, port))
}

fn manager(spec: &Spec, options: &Options) -> HttpConnectionManager {
    let log = options.access_log;
    HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: spec.name.clone(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: ads(),
            route_config_name: spec.name.clone(),
        })),
        http_filters: filters(spec, options),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: seconds(KEEP),
            max_headers_count: number(MAX_HEADERS),
            ..HttpProtocolOptions::default()
        }),
        http_protocol_options: Some(Http1ProtocolOptions {
            accept_http_10: true,
            default_host_for_http_10: "localhost".to_owned(),
            ..Http1ProtocolOptions::default()
        }),
        http2_protocol_options: Some(http2()),
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        scheme_header_transformation: Some(SchemeHeaderTransformation {
            match_upstream: true,
            ..SchemeHeaderTransformation::default()
        }),
        max_request_headers_kb: number(MAX_HEAD),
        // Routes say how long a stream may be silent; this is for what has no route.
        stream_idle_timeout: seconds(KEEP),
        request_timeout: seconds(0),
        request_headers_timeout: seconds(HEAD),
        access_log: log.then(access_log::of_requests).into_iter().collect(),
        // The client is who connects. What it says about others is for the engine.
        use_remote_address: yes(),
        skip_xff_append: true,
        early_header_mutation_extensions: vec![extension(
            "envoy.http.early_header_mutation.header_mutation",
            early_mutation(),
        )],
        generate_request_id: no(),
        preserve_external_request_id: true,
        // Paths go as they come: the engine knows its own, and signatures cover what is sent.
        normalize_path: no(),
        merge_slashes: false,
        path_with_escaped_slashes_action: PathWithEscapedSlashesAction::KeepUnchanged.into(),
        local_reply_config: Some(local_reply::config()),
        ..HttpConnectionManager::default()
    }
}

fn http2() -> Http2ProtocolOptions {
    Http2ProtocolOptions {
        max_concurrent_streams: number(MAX_STREAMS),
        initial_stream_window_size: number(WINDOWS.0),
        initial_connection_window_size: number(WINDOWS.1),
        // A bad request ends itself and no other.
        override_stream_error_on_invalid_http_message: yes(),
        connection_keepalive: Some(KeepaliveSettings {
            interval: seconds(PING.0),
            timeout: seconds(PING.1),
            ..KeepaliveSettings::default()
        }),
        ..Http2ProtocolOptions::default()
    }
}

/// Nothing that steers routing or Envoy itself comes from a client.
fn early_mutation() -> EarlyMutation {
    let own = OWN_HEADERS.iter().map(|&name| Action::Remove(name.to_owned()));
    let envoys = Action::RemoveOnMatch(RemoveOnMatch {
        key_matcher: Some(StringMatcher {
            match_pattern: Some(string_matcher::MatchPattern::Prefix("x-envoy-".to_owned())),
            ..StringMatcher::default()
        }),
    });
    EarlyMutation {
        mutations: own
            .chain([envoys])
            .map(|action| HeaderMutation { action: Some(action) })
            .collect(),
    }
}

fn filters(spec: &Spec, options: &Options) -> Vec<HttpFilter> {
    let router = Router {
        suppress_envoy_headers: true,
        upstream_log: options
            .access_log
            .then(access_log::of_attempts)
            .into_iter()
            .collect(),
        ..Router::default()
    };
    let router = named("envoy.filters.http.router", router);
    match options.path {
        DataPath::Local => vec![router],
        DataPath::Extproc => vec![
            named("envoy.filters.http.ext_proc", processor::filter(&spec.name)),
            router,
        ],
    }
}

fn named<T: Name>(name: &str, config: T) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(any(config))),
        ..HttpFilter::default()
    }
}
