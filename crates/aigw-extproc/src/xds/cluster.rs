//! Where Envoy sends requests: upstreams by name or address, and the sockets of this process.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use aigw_config::{Endpoint, Place};
use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::Thresholds;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, CustomClusterType, DiscoveryType, EdsClusterConfig, LbPolicy,
};
use envoy_types::pb::envoy::config::cluster::v3::{CircuitBreakers, Cluster, UpstreamConnectionOptions};
use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as CommonOptions, KeepaliveSettings,
    TcpKeepalive, TransportSocket,
};
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::extensions::clusters::common::dns::v3::DnsLookupFamily;
use envoy_types::pb::envoy::extensions::clusters::dns::v3::DnsCluster;
use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    AutoHttpConfig, ExplicitHttpConfig, UpstreamProtocolOptions,
};
use envoy_types::pb::google::protobuf::UInt64Value;

use super::listener::MAX_HEADERS;
use super::materials::Materials;
use super::options::Options;
use super::typed::{ads, any, duration, extension, number, pipe, seconds, socket};
use super::{spread, upstream_tls};
use crate::bootstrap::At;
use crate::names;

/// How long a connection over the Internet waits for its next request: less than load balancers and servers commonly allow
/// (60 and 75 seconds), since one that closes just when a request comes breaks that request.
const KEEP: Duration = Duration::from_secs(55);
/// The same in the clear, where servers of models are reached, some of which allow five seconds; a new one costs little there.
const KEEP_PLAIN: Duration = Duration::from_secs(4);
/// The same to this process, which closes none.
const KEEP_LOCAL: Duration = Duration::from_secs(90);
/// How long the sockets of this process may take to accept.
const CONNECT_LOCAL: Duration = Duration::from_secs(5);
/// How often a connection to the processor is asked whether it is alive, and how long it may take to say so.
pub(super) const PING: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(8));
/// Bytes that an HTTP/2 stream may be ahead of its reader, and all streams of a connection together.
const WINDOWS: (u32, u32) = (1 << 20, 16 << 20);
const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// An upstream's cluster, and its addresses where those come apart.
pub(super) struct Upstream {
    pub cluster: Cluster,
    pub addresses: Option<ClusterLoadAssignment>,
}

/// The cluster of an upstream, or why Envoy cannot reach it by itself.
pub(super) fn upstream(
    name: &str,
    endpoint: &Endpoint,
    places: Option<&[Place]>,
    connect: Duration,
    materials: &Materials,
    options: &Options,
) -> Result<Upstream, String> {
    let keep = if endpoint.https { KEEP } else { KEEP_PLAIN };
    let mut cluster = Cluster {
        connect_timeout: duration(connect),
        transport_socket: transport(endpoint, places, materials, options)?,
        upstream_connection_options: Some(UpstreamConnectionOptions {
            tcp_keepalive: Some(TcpKeepalive {
                keepalive_probes: number(3),
                keepalive_time: number(30),
                keepalive_interval: number(10),
            }),
            ..UpstreamConnectionOptions::default()
        }),
        ..unlimited(name, keep, protocol(endpoint.https))
    };
    let spread = spread::of(endpoint, places, options)?;
    let addresses = spread::assignment(name, spread.addresses);
    if places.is_some() {
        cluster.lb_policy = LbPolicy::LeastRequest.into();
        // Connections to an address that is gone end with their requests.
        cluster.ignore_health_on_host_removal = true;
        cluster.outlier_detection = Some(spread::avoid());
        cluster.common_lb_config = Some(spread::rather_all_than_none());
    }
    if let Some(all_in_one) = spread.by_name {
        cluster.cluster_discovery_type = Some(ClusterDiscoveryType::ClusterType(by_name(all_in_one)));
        cluster.load_assignment = Some(addresses);
        return Ok(Upstream {
            cluster,
            addresses: None,
        });
    }
    cluster.cluster_discovery_type = Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into()));
    cluster.eds_cluster_config = Some(EdsClusterConfig {
        eds_config: ads(),
        service_name: String::new(),
    });
    Ok(Upstream {
        cluster,
        addresses: Some(addresses),
    })
}

/// A cluster of the native host in this process.
pub(super) fn native(name: &str, path: &Path) -> Cluster {
    let http1 = ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default());
    Cluster {
        connect_timeout: duration(CONNECT_LOCAL),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        load_assignment: Some(spread::assignment(name, [(pipe(path), String::new())])),
        ..unlimited(name, KEEP_LOCAL, explicit(http1))
    }
}

/// The cluster of the external processor in this process. A stream that it leaves without an answer has no other end than that
/// of its connection, which is given up when no byte comes back on it.
pub(super) fn processor(at: &At) -> Cluster {
    let address = match at {
        At::Socket(path) => pipe(path),
        At::Tcp(address) => socket(&address.ip().to_string(), address.port()),
    };
    let http2 = ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions {
        connection_keepalive: Some(KeepaliveSettings {
            interval: duration(PING.0),
            timeout: duration(PING.1),
            ..KeepaliveSettings::default()
        }),
        ..http2()
    });
    let name = names::PROCESSOR_CLUSTER;
    Cluster {
        connect_timeout: duration(CONNECT_LOCAL),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
        load_assignment: Some(spread::assignment(name, [(address, String::new())])),
        // Zero: for ever.
        ..unlimited(name, Duration::ZERO, explicit(http2))
    }
}

/// A cluster without the limits that Envoy has of itself: what is too much is refused by the engine, with a reason.
fn unlimited(name: &str, keep: Duration, protocol: UpstreamProtocolOptions) -> Cluster {
    let options = HttpProtocolOptions {
        common_http_protocol_options: Some(CommonOptions {
            idle_timeout: duration(keep),
            max_headers_count: number(MAX_HEADERS),
            ..CommonOptions::default()
        }),
        upstream_protocol_options: Some(protocol),
        ..HttpProtocolOptions::default()
    };
    let most = number(u32::MAX);
    Cluster {
        name: name.to_owned(),
        circuit_breakers: Some(CircuitBreakers {
            thresholds: vec![Thresholds {
                max_connections: most,
                max_pending_requests: most,
                max_requests: most,
                max_retries: most,
                max_connection_pools: most,
                ..Thresholds::default()
            }],
            ..CircuitBreakers::default()
        }),
        typed_extension_protocol_options: HashMap::from([(OPTIONS.to_owned(), any(options))]),
        ..Cluster::default()
    }
}

fn explicit(protocol: ProtocolConfig) -> UpstreamProtocolOptions {
    UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
        protocol_config: Some(protocol),
    })
}

/// HTTP/2 where TLS agrees on it; HTTP/1.1 in the clear.
fn protocol(https: bool) -> UpstreamProtocolOptions {
    let http1 = Http1ProtocolOptions::default();
    if !https {
        return explicit(ProtocolConfig::HttpProtocolOptions(http1));
    }
    UpstreamProtocolOptions::AutoConfig(AutoHttpConfig {
        http_protocol_options: Some(http1),
        http2_protocol_options: Some(http2()),
        ..AutoHttpConfig::default()
    })
}

fn http2() -> Http2ProtocolOptions {
    Http2ProtocolOptions {
        initial_stream_window_size: number(WINDOWS.0),
        initial_connection_window_size: number(WINDOWS.1),
        ..Http2ProtocolOptions::default()
    }
}

/// Names are resolved by Envoy. `all_in_one`: all addresses of a name are one place, tried in turn; connections outlive a change of
/// the addresses. Otherwise each address is a place of its own.
fn by_name(all_in_one: bool) -> CustomClusterType {
    let family = match all_in_one {
        true => DnsLookupFamily::All,
        // Where nobody tries the other family, one that leads nowhere must not be a place.
        false => DnsLookupFamily::V4Preferred,
    };
    CustomClusterType {
        name: "envoy.clusters.dns".to_owned(),
        typed_config: Some(any(DnsCluster {
            dns_refresh_rate: seconds(30),
            respect_dns_ttl: true,
            dns_lookup_family: family.into(),
            all_addresses_in_single_endpoint: all_in_one,
            // Envoy serves nothing before it has tried all names once.
            typed_dns_resolver_config: Some(extension(
                "envoy.network.dns_resolver.cares",
                CaresDnsResolverConfig {
                    query_timeout_seconds: Some(UInt64Value { value: 2 }),
                    query_tries: number(2),
                    ..CaresDnsResolverConfig::default()
                },
            )),
            ..DnsCluster::default()
        })),
    }
}

fn transport(
    endpoint: &Endpoint,
    places: Option<&[Place]>,
    materials: &Materials,
    options: &Options,
) -> Result<Option<TransportSocket>, String> {
    let tls = match endpoint.https {
        true => Some(upstream_tls::transport(
            &spread::told(endpoint, places)?,
            materials,
            options.authorities.as_deref(),
        )?),
        false => None,
    };
    match options.proxies.find(endpoint)? {
        None => Ok(tls),
        Some(_) if spread::has_own_names(places) => Ok(tls),
        Some(proxy) => upstream_tls::through(&proxy, endpoint, tls).map(Some),
    }
}
