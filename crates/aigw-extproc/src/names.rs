//! Names that the Envoy configuration and the external processor must agree on.

use aigw_config::Endpoint;
use sha2::{Digest, Sha256};

/// Request header that names the cluster of an attempt: set by the external processor, read by the catch-all route, removed from
/// what clients send before anything reads it and from what goes upstream.
pub const CLUSTER_HEADER: &str = "x-aigw-cluster";

/// Request header with the id of an exchange that the native host of this process goes on with.
pub use aigw_proxy::EXCHANGE_HEADER;

/// Response header that Envoy adds to its own local replies: its response flags (`NC`, `UT`, `URX,UF`, …; `-` for none). Removed from what upstreams
/// send.
pub const LOCAL_REPLY_HEADER: &str = "x-aigw-envoy";

/// Request header in which Envoy tells the client's address: it overwrites what clients send, and only the native host's Unix
/// sockets and the processor of an Envoy that this process programs read it.
pub use aigw_proxy::{PEER_HEADER, WATCHDOG};

/// Request header in which Envoy tells the processor the name of the listener, in the same way. Of an Envoy that others program both come as
/// metadata of the gRPC stream, which for Envoy is dear: it makes a formatter of each anew for every stream.
pub const LISTENER_HEADER: &str = "x-aigw-listener";

/// The cluster of the native host in this process that resumes exchanges.
pub const LOCAL_CLUSTER: &str = "aigw-local";

/// The cluster of xDS, which Envoy starts with.
pub const XDS_CLUSTER: &str = "aigw-xds";

/// The cluster of the external processor: the same address, watched.
pub const PROCESSOR_CLUSTER: &str = "aigw-extproc";

/// Namespace of the dynamic metadata, as in the reference.
pub const METADATA_NAMESPACE: &str = "io.envoy.ai_gateway";

/// Response code details of answers that the processor gives in place of an upstream: Envoy leaves them as they are.
pub const ANSWERED: &str = "aigw_answered";

/// The cluster of the native host's socket that stands for a listener (path `local`).
pub fn listener_cluster(listener: &str) -> String {
    format!("aigw-listener/{listener}")
}

/// File name of that socket, short enough for a Unix socket's path whatever the listener's name is.
pub fn listener_socket(listener: &str) -> String {
    format!("listener-{}.sock", short(&Sha256::digest(listener), 8))
}

/// The first bytes of a digest, hexadecimal.
fn short(digest: &[u8], bytes: usize) -> String {
    digest
        .iter()
        .take(bytes)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Name of the cluster of an endpoint: readable, and equal only for endpoints that are equal in everything.
pub fn cluster(endpoint: &Endpoint) -> String {
    let mut hash = Sha256::new();
    for part in [
        if endpoint.https { "https" } else { "http" },
        &endpoint.host,
        &endpoint.port.to_string(),
        &endpoint.authority,
        endpoint.ca.as_deref().unwrap_or_default(),
        endpoint.server_name.as_deref().unwrap_or_default(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let short = short(&hash.finalize(), 6);
    format!("aigw/{}:{}/{short}", endpoint.host, endpoint.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, ca: Option<&str>) -> Endpoint {
        Endpoint {
            https: true,
            host: host.to_owned(),
            port: 443,
            authority: host.to_owned(),
            ca: ca.map(str::to_owned),
            server_name: None,
        }
    }

    #[test]
    fn endpoints_that_differ_have_clusters_that_differ() {
        let plain = cluster(&endpoint("api.openai.com", None));
        assert!(plain.starts_with("aigw/api.openai.com:443/"), "{plain}");
        assert_ne!(plain, cluster(&endpoint("api.openai.com", Some("/etc/ca.pem"))));
        assert_eq!(plain, cluster(&endpoint("api.openai.com", None)));
    }
}
