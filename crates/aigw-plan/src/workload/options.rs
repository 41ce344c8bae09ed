//! What the operator's own settings say of every workload.

use std::time::Duration;

use aigw_api::{DataPlane, ServiceType};

/// For all Gateways; what a GatewayConfig or an EnvoyProxy says of its own comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadOptions {
    /// Images.
    pub images: Images,
    /// What takes the clients' connections.
    pub data_plane: DataPlane,
    /// Pods of a Gateway; `None` leaves their number to whoever scales the Deployment.
    pub replicas: Option<i32>,
    /// How Services are reached.
    pub service_type: ServiceType,
    /// Addresses that pods listen on.
    pub family: Family,
    /// How long requests that are under way may go on when a pod ends.
    pub drain: Duration,
}

impl Default for WorkloadOptions {
    fn default() -> Self {
        Self {
            images: Images::default(),
            data_plane: DataPlane::Envoy,
            replicas: Some(2),
            service_type: ServiceType::LoadBalancer,
            family: Family::IPv4,
            drain: Duration::from_secs(600),
        }
    }
}

/// Images of the containers, and how nodes get them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// `aigw`; its entry point is the binary.
    pub aigw: String,
    /// Envoy; the binary is on its path.
    pub envoy: String,
    /// `Always`, `IfNotPresent` or `Never`; `None` leaves it to Kubernetes.
    pub pull_policy: Option<String>,
    /// Secrets of the Gateway's namespace to pull with.
    pub pull_secrets: Vec<String>,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            aigw: concat!("aigw:", env!("CARGO_PKG_VERSION")).to_owned(),
            envoy: "aigw-envoy:1.40.0".to_owned(),
            pull_policy: None,
            pull_secrets: Vec::new(),
        }
    }
}

/// Addresses that pods listen on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// `0.0.0.0`
    #[default]
    IPv4,
    /// `[::]`, which takes IPv4 too wherever a pod has such an address.
    IPv6,
}

impl Family {
    /// The address of a port on every interface.
    pub fn any(self, port: u16) -> String {
        match self {
            Self::IPv4 => format!("0.0.0.0:{port}"),
            Self::IPv6 => format!("[::]:{port}"),
        }
    }
}
