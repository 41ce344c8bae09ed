//! The parts of Envoy Gateway's EnvoyProxy that workloads follow,
//! <https://gateway.envoyproxy.io/docs/api/extension_types/#envoyproxyspec>.

use std::collections::BTreeMap;

use aigw_api::ContainerSettings;
use k8s_openapi::api::apps::v1::DeploymentStrategy;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscalerBehavior, MetricSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Container, LocalObjectReference, PodSecurityContext, Toleration, TopologySpreadConstraint,
    Volume,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{Deserialize, Serialize};

type Strings = BTreeMap<String, String>;

/// `spec`. All of it is optional; a field that is not here has no effect on the workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct EnvoyProxySpec {
    pub provider: Provider,
    /// Worker threads of Envoy.
    pub concurrency: Option<u32>,
    #[serde(rename = "ipFamily")]
    pub ip_family: Option<IpFamily>,
    pub shutdown: Shutdown,
    pub logging: Logging,
    pub telemetry: Telemetry,
}

/// Which addresses listeners have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum IpFamily {
    IPv4,
    IPv6,
    DualStack,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Shutdown {
    pub drain_timeout: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Logging {
    /// `default` or a component of Envoy → level.
    pub level: Strings,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Telemetry {
    pub access_log: AccessLog,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AccessLog {
    pub disable: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Provider {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub kubernetes: KubernetesProvider,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct KubernetesProvider {
    pub envoy_deployment: DeploymentSettings,
    pub envoy_service: ServiceSettings,
    pub envoy_service_account: AccountSettings,
    pub envoy_hpa: Option<HpaSettings>,
    #[serde(rename = "envoyPDB")]
    pub envoy_pdb: PdbSettings,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeploymentSettings {
    pub replicas: Option<i32>,
    pub strategy: Option<DeploymentStrategy>,
    pub pod: PodSettings,
    pub container: ContainerSettings,
    pub init_containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSettings {
    pub annotations: Strings,
    pub labels: Strings,
    pub security_context: Option<PodSecurityContext>,
    pub affinity: Option<Affinity>,
    pub tolerations: Option<Vec<Toleration>>,
    pub volumes: Vec<Volume>,
    pub image_pull_secrets: Vec<LocalObjectReference>,
    pub node_selector: Option<Strings>,
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    pub priority_class_name: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ServiceSettings {
    pub annotations: Strings,
    pub labels: Strings,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub load_balancer_class: Option<String>,
    pub allocate_load_balancer_node_ports: Option<bool>,
    pub load_balancer_source_ranges: Option<Vec<String>>,
    #[serde(rename = "loadBalancerIP")]
    pub load_balancer_ip: Option<String>,
    pub external_traffic_policy: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AccountSettings {
    pub annotations: Strings,
    pub labels: Strings,
    pub name: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HpaSettings {
    pub min_replicas: Option<i32>,
    pub max_replicas: Option<i32>,
    pub metrics: Option<Vec<MetricSpec>>,
    pub behavior: Option<HorizontalPodAutoscalerBehavior>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PdbSettings {
    pub min_available: Option<IntOrString>,
    pub max_unavailable: Option<IntOrString>,
}
