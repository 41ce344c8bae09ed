//! A static configuration of Envoy with one listener before the processor.

use std::collections::BTreeMap;
use std::path::Path;

use aigw_config::{Endpoint, Snapshot};
use aigw_extproc::names;
use serde_json::{Value, json};

fn typed(kind: &str, mut config: Value) -> Value {
    config["@type"] = Value::from(format!("type.googleapis.com/{kind}"));
    config
}

fn named(name: &str, kind: &str, config: Value) -> Value {
    json!({"name": name, "typed_config": typed(kind, config)})
}

fn cluster(name: &str, address: &Value, http2: bool) -> Value {
    let protocol = if http2 {
        "http2_protocol_options"
    } else {
        "http_protocol_options"
    };
    let kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
        "typed_extension_protocol_options": {kind: typed(kind, json!({"explicit_http_config": {protocol: {}}}))},
    })
}

fn pipe(path: &Path) -> Value {
    json!({"pipe": {"path": path}})
}

fn socket(endpoint: &Endpoint) -> Value {
    json!({"socket_address": {"address": endpoint.host, "port_value": endpoint.port}})
}

/// The configuration: sockets are in `directory`, and so is the access log.
pub fn bootstrap(snapshot: &Snapshot, directory: &Path) -> Value {
    let mut clusters = vec![
        cluster(
            names::PROCESSOR_CLUSTER,
            &pipe(&directory.join("processor.sock")),
            true,
        ),
        cluster(
            names::LOCAL_CLUSTER,
            &pipe(&directory.join("exchanges.sock")),
            false,
        ),
    ];
    let endpoints = snapshot.backends.values().map(|backend| &backend.endpoint);
    let named: BTreeMap<String, &Endpoint> = endpoints
        .map(|endpoint| (names::cluster(endpoint), endpoint))
        .collect();
    for (name, endpoint) in named {
        clusters.push(cluster(&name, &socket(endpoint), false));
    }
    json!({
        "admin": {"address": pipe(&directory.join("admin.sock"))},
        "static_resources": {"listeners": [listener(directory)], "clusters": clusters},
    })
}

/// Replies that Envoy makes itself.
fn not_answered() -> Value {
    let kind = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter";
    let expression = format!("response.code_details != '{}'", names::ANSWERED);
    json!({"extension_filter": {"name": "cel", "typed_config": typed(kind, json!({"expression": expression}))}})
}

fn listener(directory: &Path) -> Value {
    let route = json!({
        "match": {"prefix": "/"},
        "route": {"cluster_header": names::CLUSTER_HEADER, "timeout": "0s"},
        "request_headers_to_remove": [names::CLUSTER_HEADER, "x-forwarded-proto"],
        "response_headers_to_remove": [names::LOCAL_REPLY_HEADER],
    });
    let told = json!({
        "header": {"key": names::LOCAL_REPLY_HEADER, "value": "%RESPONSE_FLAGS%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    });
    let log = json!({
        "path": directory.join("access.log"),
        "log_format": {"json_format": {
            "code": "%RESPONSE_CODE%",
            "details": "%RESPONSE_CODE_DETAILS%",
            "cluster": "%UPSTREAM_CLUSTER%",
            "metadata": format!("%DYNAMIC_METADATA({})%", names::METADATA_NAMESPACE),
        }},
    });
    let router = named(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        json!({}),
    );
    let manager = json!({
        "stat_prefix": "test",
        "use_remote_address": true,
        "generate_request_id": false,
        "local_reply_config": {"mappers": [{
            "filter": not_answered(),
            "headers_to_add": [told],
            "body_format_override": {"text_format_source": {"inline_string": "Envoy's own: %LOCAL_REPLY_BODY%"}},
        }]},
        "access_log": [named("log", "envoy.extensions.access_loggers.file.v3.FileAccessLog", log)],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [processor(), router],
    });
    let manager = named(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        manager,
    );
    json!({
        "name": "test",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [manager]}],
    })
}

fn processor() -> Value {
    let config = json!({
        "grpc_service": {
            "envoy_grpc": {"cluster_name": names::PROCESSOR_CLUSTER},
            "initial_metadata": [
                {"key": names::LISTENER_HEADER, "value": "test"},
                {"key": names::PEER_HEADER, "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
            ],
        },
        "processing_mode": {
            "request_header_mode": "SEND",
            "request_body_mode": "FULL_DUPLEX_STREAMED",
            "request_trailer_mode": "SEND",
            "response_header_mode": "SEND",
            "response_body_mode": "FULL_DUPLEX_STREAMED",
            "response_trailer_mode": "SEND",
        },
        "allow_content_length_header": true,
        "message_timeout": "60s",
        "status_on_error": {"code": "ServiceUnavailable"},
        "mutation_rules": {"allow_all_routing": true, "allow_envoy": true},
        "metadata_options": {"receiving_namespaces": {"untyped": [names::METADATA_NAMESPACE]}},
    });
    named(
        "envoy.filters.http.ext_proc",
        "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        config,
    )
}
