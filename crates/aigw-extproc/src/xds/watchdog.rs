//! Notices that this process has stopped answering, for all of Envoy's threads at once, so that requests end instead of waiting for it.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::CommonLbConfig;
use envoy_types::pb::envoy::config::core::v3::HealthCheck;
use envoy_types::pb::envoy::config::core::v3::health_check::{
    GrpcHealthCheck, HealthChecker, HttpHealthCheck,
};
use envoy_types::pb::envoy::r#type::v3::Percent;

use super::typed::{duration, number, set_header};
use crate::names;

/// Between two questions.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between two questions while there is no answer.
const AWAY: Duration = Duration::from_millis(250);
/// How long an answer may take: a busy machine is no dead one.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// So many silences in a row mean that nobody is there. All threads know it then, which must be before any of them gives up a
/// connection of its own ([`PING`](super::cluster::PING)): it would open another one, and wait there.
const SILENCES: u32 = 2;

/// A cluster of the native host, watched.
pub(super) fn native(cluster: Cluster) -> Cluster {
    let question = HttpHealthCheck {
        host: "aigw".to_owned(),
        path: "/".to_owned(),
        request_headers_to_add: vec![set_header(names::PEER_HEADER, names::WATCHDOG)],
        ..HttpHealthCheck::default()
    };
    watched(cluster, HealthChecker::HttpHealthCheck(question))
}

/// The cluster of the processor, watched.
pub(super) fn processor(cluster: Cluster) -> Cluster {
    watched(
        cluster,
        HealthChecker::GrpcHealthCheck(GrpcHealthCheck::default()),
    )
}

/// The same cluster: after some seconds without an answer new requests are refused.
fn watched(cluster: Cluster, question: HealthChecker) -> Cluster {
    Cluster {
        health_checks: vec![HealthCheck {
            timeout: duration(PATIENCE),
            interval: duration(INTERVAL),
            no_traffic_interval: duration(INTERVAL),
            unhealthy_interval: duration(AWAY),
            unhealthy_edge_interval: duration(AWAY),
            unhealthy_threshold: number(SILENCES),
            healthy_threshold: number(1),
            health_checker: Some(question),
            ..HealthCheck::default()
        }],
        // With nobody there, nobody is asked.
        common_lb_config: Some(CommonLbConfig {
            healthy_panic_threshold: Some(Percent { value: 0.0 }),
            ..CommonLbConfig::default()
        }),
        ..cluster
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xds::cluster::PING;

    #[test]
    fn all_threads_know_it_before_one_gives_up_its_connection() {
        assert!((INTERVAL + PATIENCE) * SILENCES < PING.1);
    }
}
