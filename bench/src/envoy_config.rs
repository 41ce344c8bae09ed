//! Envoy's configuration for a benchmark: one listener, one static cluster, and ext_proc filters where a subject has them.
//!
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/bootstrap/v3/bootstrap.proto>

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

/// What Envoy connects to.
#[derive(Debug, Clone)]
pub enum Peer {
    /// A port of the loopback.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Which messages a processor is sent.
#[derive(Debug, Clone, Copy)]
pub struct Messages {
    /// `request_body_mode`; the request's headers are always sent.
    pub request_body: &'static str,
    /// `response_header_mode`.
    pub response_headers: &'static str,
    /// `response_body_mode`.
    pub response_body: &'static str,
}

/// An Envoy of the benchmark.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where everything goes.
    pub target: Peer,
    /// Whether it speaks HTTP/2 there.
    pub http2: bool,
    /// Where the processor listens.
    pub processor: Option<PathBuf>,
    /// What the processor is sent by a filter of the listener.
    pub router: Option<Messages>,
    /// Whether requests are routed by the header [`ROUTING_HEADER`], which the processor sets.
    pub by_header: bool,
    /// What it is sent by a filter of the cluster, on a stream of its own.
    pub upstream: Option<Messages>,
}

impl Bootstrap {
    /// As Envoy reads it.
    pub fn json(&self) -> Value {
        let mut clusters = vec![cluster(
            TARGET,
            &self.target,
            self.http2,
            self.upstream.map(upstream_filters),
        )];
        if let Some(processor) = &self.processor {
            clusters.push(cluster(PROCESSOR, &Peer::Unix(processor.clone()), true, None));
        }
        json!({"static_resources": {"listeners": [self.listener()], "clusters": clusters}})
    }

    fn listener(&self) -> Value {
        let mut filters: Vec<Value> = self.router.map(processor).into_iter().collect();
        filters.push(named(
            "envoy.filters.http.router",
            "envoy.extensions.filters.http.router.v3.Router",
            json!({}),
        ));
        let route = if self.by_header {
            json!({"cluster_header": ROUTING_HEADER, "timeout": "0s"})
        } else {
            json!({"cluster": TARGET, "timeout": "0s"})
        };
        let route = json!({"match": {"prefix": "/"}, "route": route});
        let manager = json!({
            "stat_prefix": "bench",
            "codec_type": "HTTP1",
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
                "request_headers_to_remove": [ROUTING_HEADER],
            },
            "http_filters": filters,
        });
        let manager = named(
            "envoy.filters.network.http_connection_manager",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager,
        );
        json!({
            "name": "bench",
            "address": address(&Peer::Tcp(self.listen)),
            "filter_chains": [{"filters": [manager]}],
        })
    }
}

/// The header that names a request's cluster, where a processor chooses it.
pub const ROUTING_HEADER: &str = "x-bench-cluster";
/// The cluster of the upstream.
pub const TARGET: &str = "target";
const PROCESSOR: &str = "processor";

/// An extension by name, with its configuration and the type of that.
fn named(name: &str, kind: &str, mut config: Value) -> Value {
    if let Some(members) = config.as_object_mut() {
        members.insert(
            "@type".to_owned(),
            Value::from(format!("type.googleapis.com/{kind}")),
        );
    }
    json!({"name": name, "typed_config": config})
}

fn address(peer: &Peer) -> Value {
    match peer {
        Peer::Tcp(address) => {
            json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
        }
        Peer::Unix(path) => json!({"pipe": {"path": path}}),
    }
}

fn cluster(name: &str, peer: &Peer, http2: bool, filters: Option<Value>) -> Value {
    let protocol = if http2 {
        // The gateway's, for its processor.
        json!({"http2_protocol_options": {
            "initial_stream_window_size": 1 << 20,
            "initial_connection_window_size": 16 << 20,
        }})
    } else {
        json!({"http_protocol_options": {}})
    };
    let mut options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": protocol,
    });
    if let (Some(members), Some(filters)) = (options.as_object_mut(), filters) {
        members.insert("http_filters".to_owned(), filters);
    }
    let endpoint = json!({"endpoint": {"address": address(peer)}});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options,
        },
    })
}

fn processor(messages: Messages) -> Value {
    // Full duplex is refused where trailers are not sent.
    let trailers = |mode: &str| {
        if mode == "FULL_DUPLEX_STREAMED" {
            "SEND"
        } else {
            "SKIP"
        }
    };
    let config = json!({
        "grpc_service": {"envoy_grpc": {"cluster_name": PROCESSOR}},
        "processing_mode": {
            "request_header_mode": "SEND",
            "request_body_mode": messages.request_body,
            "request_trailer_mode": trailers(messages.request_body),
            "response_header_mode": messages.response_headers,
            "response_body_mode": messages.response_body,
            "response_trailer_mode": trailers(messages.response_body),
        },
        "allow_mode_override": true,
        "allow_content_length_header": messages.request_body == "FULL_DUPLEX_STREAMED",
        "message_timeout": "10s",
    });
    named(
        "envoy.filters.http.ext_proc",
        "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        config,
    )
}

fn upstream_filters(messages: Messages) -> Value {
    let codec = named(
        "envoy.filters.http.upstream_codec",
        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        json!({}),
    );
    json!([processor(messages), codec])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap() -> Bootstrap {
        let messages = |response_body| Messages {
            request_body: "FULL_DUPLEX_STREAMED",
            response_headers: "SEND",
            response_body,
        };
        Bootstrap {
            listen: "127.0.0.1:7001".parse().unwrap(),
            target: Peer::Tcp("127.0.0.1:7002".parse().unwrap()),
            http2: false,
            processor: Some(PathBuf::from("/run/processor.sock")),
            router: Some(messages("BUFFERED")),
            by_header: true,
            upstream: Some(messages("NONE")),
        }
    }

    #[test]
    fn filters_stand_before_what_ends_their_chain() {
        let json = bootstrap().json();
        let names = |pointer: &str| -> Vec<String> {
            let filters = json.pointer(pointer).and_then(Value::as_array).unwrap();
            filters
                .iter()
                .map(|filter| filter["name"].as_str().unwrap().to_owned())
                .collect()
        };
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
        let options = "/static_resources/clusters/0/typed_extension_protocol_options";
        let options =
            format!("{options}/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/http_filters");
        assert_eq!(
            names(manager),
            ["envoy.filters.http.ext_proc", "envoy.filters.http.router"]
        );
        assert_eq!(
            names(&options),
            ["envoy.filters.http.ext_proc", "envoy.filters.http.upstream_codec"]
        );
    }

    #[test]
    fn trailers_are_sent_where_full_duplex_needs_them() {
        let json = processor(bootstrap().router.unwrap());
        let mode = |name: &str| json["typed_config"]["processing_mode"][name].as_str().unwrap();
        assert_eq!(
            (mode("request_trailer_mode"), mode("response_trailer_mode")),
            ("SEND", "SKIP")
        );
    }

    #[test]
    fn an_envoy_alone_has_one_cluster_and_no_processor() {
        let alone = Bootstrap {
            processor: None,
            router: None,
            upstream: None,
            ..bootstrap()
        };
        let text = alone.json().to_string();
        assert!(
            !text.contains("ext_proc") && !text.contains(PROCESSOR) && text.contains("7002"),
            "{text}"
        );
    }
}
