//! Where clients connect: the address, TLS, and HTTP as the native host speaks it. Depends on as little as can be, since Envoy
//! ends the connections of a listener that changes; of one whose chains of filters alone change, those of changed chains.

use std::net::IpAddr;

use aigw_config::{Limits, Listener as Spec, TlsName};
use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation, header_mutation::Action, header_mutation::RemoveOnMatch,
};
use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions, KeepaliveSettings,
    SchemeHeaderTransformation, TcpKeepalive,
};
use envoy_types::pb::envoy::config::listener::v3::{
    Filter, FilterChain, FilterChainMatch, Listener, ListenerFilter, filter, listener_filter,
};
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
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
use super::typed::{
    ads, any, duration, extension, literal, no, number, seconds, set_header, socket, transport, yes,
};
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
/// Seconds that a connection waits for its next request, where the limits do not say.
const KEEP: u64 = 300;
/// Seconds of silence after which an HTTP/2 client is asked whether it is alive, and for its answer.
const PING: (u64, u64) = (30, 20);

/// Headers that are this gateway's own word, whoever sends them.
const OWN_HEADERS: &[&str] = &[
    names::CLUSTER_HEADER,
    names::EXCHANGE_HEADER,
    names::LOCAL_REPLY_HEADER,
];

/// The listener, or why Envoy cannot open it.
pub(super) fn listener(
    spec: &Spec,
    limits: &Limits,
    materials: &Materials,
    options: &Options,
) -> Result<Listener, String> {
    let (ip, port) = address(spec, materials)?;
    Ok(Listener {
        name: spec.name.clone(),
        address: socket(&ip.to_string(), port),
        stat_prefix: spec.name.clone(),
        listener_filters: spec.tls.iter().map(|_| inspector()).collect(),
        listener_filters_timeout: spec.tls.as_ref().and_then(|_| seconds(HANDSHAKE)),
        filter_chains: chains(spec, limits, options),
        tcp_keepalive: Some(TcpKeepalive {
            keepalive_probes: number(3),
            keepalive_time: number(30),
            keepalive_interval: number(10),
        }),
        tcp_backlog_size: number(4096),
        ..Listener::default()
    })
}

/// One chain for each name that has certificates of its own: one that comes or goes leaves the connections of others alone. A
/// client whose name none has is turned away before anything is said to it.
fn chains(spec: &Spec, limits: &Limits, options: &Options) -> Vec<FilterChain> {
    let plain = || FilterChain {
        name: spec.name.clone(),
        filters: vec![Filter {
            name: "envoy.filters.network.http_connection_manager".to_owned(),
            config_type: Some(filter::ConfigType::TypedConfig(any(manager(
                spec, limits, options,
            )))),
        }],
        ..FilterChain::default()
    };
    let Some(tls) = &spec.tls else {
        return vec![plain()];
    };
    let secure = |one: &TlsName| FilterChain {
        name: match &one.hostname {
            Some(hostname) => format!("{}/{hostname}", spec.name),
            None => spec.name.clone(),
        },
        filter_chain_match: one.hostname.as_ref().map(|hostname| FilterChainMatch {
            server_names: vec![hostname.clone()],
            ..FilterChainMatch::default()
        }),
        transport_socket: Some(transport(
            "envoy.transport_sockets.tls",
            secret::context(&one.certificates),
        )),
        transport_socket_connect_timeout: seconds(HANDSHAKE),
        ..plain()
    };
    tls.names.iter().map(secure).collect()
}

/// Reads the name that a client asks for. Always there with TLS: a listener whose filters change ends its connections.
fn inspector() -> ListenerFilter {
    ListenerFilter {
        name: "envoy.filters.listener.tls_inspector".to_owned(),
        config_type: Some(listener_filter::ConfigType::TypedConfig(any(
            TlsInspector::default(),
        ))),
        ..ListenerFilter::default()
    }
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

fn manager(spec: &Spec, limits: &Limits, options: &Options) -> HttpConnectionManager {
    let log = options.access_log;
    HttpConnectionManager {
        codec_type: CodecType::Auto.into(),
        stat_prefix: spec.name.clone(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: ads(),
            route_config_name: spec.name.clone(),
        })),
        http_filters: filters(options),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: match limits.client_idle {
                Some(idle) => duration(idle.duration()),
                None => seconds(KEEP),
            },
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
            early_mutation(&spec.name, options.path),
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

/// Nothing that steers routing or Envoy itself comes from a client, and who connects where is told anew.
fn early_mutation(listener: &str, path: DataPath) -> EarlyMutation {
    let own = OWN_HEADERS.iter().map(|&name| Action::Remove(name.to_owned()));
    let envoys = Action::RemoveOnMatch(RemoveOnMatch {
        key_matcher: Some(StringMatcher {
            match_pattern: Some(string_matcher::MatchPattern::Prefix("x-envoy-".to_owned())),
            ..StringMatcher::default()
        }),
    });
    let peer = set_header(names::PEER_HEADER, "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%");
    let listener = match path {
        DataPath::Local => None,
        DataPath::Extproc => Some(set_header(names::LISTENER_HEADER, &literal(listener))),
    };
    let told = [peer].into_iter().chain(listener).map(Action::Append);
    EarlyMutation {
        mutations: own
            .chain([envoys])
            .chain(told)
            .map(|action| HeaderMutation { action: Some(action) })
            .collect(),
    }
}

fn filters(options: &Options) -> Vec<HttpFilter> {
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
        DataPath::Extproc => vec![named("envoy.filters.http.ext_proc", processor::filter()), router],
    }
}

fn named<T: Name>(name: &str, config: T) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(any(config))),
        ..HttpFilter::default()
    }
}
