//! The Service: listeners' ports, each with its place in the pods.

use std::collections::BTreeMap;

use aigw_api::Gateway;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::labels::Marks;
use super::options::Family;
use super::settings::Settings;

/// `None` when there is no port: a Service must have one.
pub(super) fn service(
    marks: &Marks,
    settings: &Settings,
    gateway: &Gateway,
    places: &BTreeMap<u16, u16>,
) -> Option<Service> {
    let mut ports: BTreeMap<u16, ServicePort> = BTreeMap::new();
    for listener in &gateway.spec.listeners {
        // Others are refused by a condition on the listener.
        let scheme = match listener.protocol.as_str() {
            "HTTP" => "http",
            "HTTPS" => "https",
            _ => continue,
        };
        let Some(place) = places.get(&listener.port) else {
            continue;
        };
        // No `appProtocol`: some clouds would ask for `/` then, and take every node out of service for its 404.
        ports.entry(listener.port).or_insert_with(|| ServicePort {
            name: Some(format!("{scheme}-{}", listener.port)),
            port: i32::from(listener.port),
            protocol: Some("TCP".to_owned()),
            target_port: Some(IntOrString::Int(i32::from(*place))),
            ..ServicePort::default()
        });
    }
    if ports.is_empty() {
        return None;
    }
    let wanted = &settings.service;
    let is_outside = matches!(wanted.kind.as_deref(), Some("LoadBalancer" | "NodePort"));
    let is_balanced = wanted.kind.as_deref() == Some("LoadBalancer");
    Some(Service {
        metadata: marks.with(&wanted.labels, &wanted.annotations),
        spec: Some(ServiceSpec {
            type_: wanted.kind.clone(),
            selector: Some(marks.pods()),
            ports: Some(ports.into_values().collect()),
            ip_family_policy: (settings.family == Family::IPv6).then(|| "PreferDualStack".to_owned()),
            external_traffic_policy: wanted.external_traffic_policy.clone().filter(|_| is_outside),
            load_balancer_class: wanted.load_balancer_class.clone().filter(|_| is_balanced),
            load_balancer_ip: wanted.load_balancer_ip.clone().filter(|_| is_balanced),
            load_balancer_source_ranges: wanted.load_balancer_source_ranges.clone().filter(|_| is_balanced),
            allocate_load_balancer_node_ports: wanted
                .allocate_load_balancer_node_ports
                .filter(|_| is_balanced),
            ..ServiceSpec::default()
        }),
        status: None,
    })
}
