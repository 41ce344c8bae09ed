//! What Envoy starts with: who it is, and where it gets everything else from.
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/bootstrap/v3/bootstrap.proto>

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{Places, names};

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A Unix socket.
    Socket(PathBuf),
    /// An address and port.
    Tcp(SocketAddr),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// What the bootstrap depends on.
#[derive(Clone, Debug)]
pub struct BootstrapOptions {
    /// Id of the node, shown in logs.
    pub node: String,
    /// The external processor and xDS.
    pub processor: At,
    /// Envoy's own administration: whoever reaches it may stop Envoy and read its configuration.
    pub admin: At,
    /// Client connections at one time; more are refused.
    pub max_connections: u64,
}

impl BootstrapOptions {
    /// Everything on the sockets in `places`.
    pub fn new(places: &Places) -> Self {
        Self {
            node: "aigw".to_owned(),
            processor: At::Socket(places.processor()),
            admin: At::Socket(places.admin()),
            max_connections: 50_000,
        }
    }
}

/// The bootstrap, JSON.
pub fn bootstrap(options: &BootstrapOptions) -> String {
    let ads = json!({"resource_api_version": "V3", "ads": {}});
    let config = json!({
        "node": {"id": options.node, "cluster": "aigw"},
        "admin": {"address": address(&options.admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": true,
                "grpc_services": [{"envoy_grpc": {
                    "cluster_name": names::XDS_CLUSTER,
                    // A gateway that is back has its Envoy at once; without this, within half a minute.
                    "retry_policy": {"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"}},
                }}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {"clusters": [xds(&options.processor)]},
        // Statistics come to be when something is counted.
        "deferred_stat_options": {"enable_deferred_creation_stats": true},
        "overload_manager": {
            "resource_monitors": [typed(
                "envoy.resource_monitors.global_downstream_max_connections",
                "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                json!({"max_active_downstream_connections": options.max_connections}),
            )],
        },
    });
    format!("{config:#}\n")
}

fn address(at: &At) -> Value {
    match at {
        At::Socket(path) => json!({"pipe": {"path": path, "mode": 0o600}}),
        At::Tcp(address) => {
            json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
        }
    }
}

fn typed(name: &str, kind: &str, mut config: Value) -> Value {
    if let Some(members) = config.as_object_mut() {
        members.insert("@type".to_owned(), json!(format!("type.googleapis.com/{kind}")));
    }
    json!({"name": name, "typed_config": config})
}

/// The cluster of this process. It is not watched by questions: Envoy would wait for the first answer before it starts.
fn xds(at: &At) -> Value {
    let name = names::XDS_CLUSTER;
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": "0s"},
        "explicit_http_config": {"http2_protocol_options": {
            "connection_keepalive": {"interval": "2s", "timeout": "5s"},
        }},
    });
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(at)}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options,
        },
    })
}
