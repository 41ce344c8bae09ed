//! A pod of a data plane, as far as the operator looks at it.

use aigw_plan::workload::STATUS_PORT_NAME;
use k8s_openapi::api::core::v1::Pod;

use crate::managed::{GATEWAY_NAME, Mark};

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenPod {
    /// Uid.
    pub(crate) uid: String,
    /// Name of its Gateway, in its own namespace.
    pub(crate) gateway: String,
    /// Whether it is ending.
    pub(crate) going: bool,
    /// Hash of the template that it was made of.
    pub(crate) template: Option<String>,
    /// Whether Kubernetes counts it as ready, and it is not ending.
    pub(crate) ready: bool,
    /// Where it says what it serves: address and port.
    pub(crate) address: Option<(String, u16)>,
}

impl SeenPod {
    pub(crate) fn of(pod: &Pod) -> Self {
        let mark = Mark::of_meta(&pod.metadata);
        let annotation = pod
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(GATEWAY_NAME));
        let status = pod.status.as_ref();
        let conditions = status
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let ready = conditions
            .iter()
            .any(|one| one.type_ == "Ready" && one.status == "True");
        let spec = pod.spec.as_ref();
        let containers = spec.into_iter().flat_map(|spec| {
            spec.containers
                .iter()
                .chain(spec.init_containers.iter().flatten())
        });
        let port = containers
            .flat_map(|container| container.ports.iter().flatten())
            .find(|port| port.name.as_deref() == Some(STATUS_PORT_NAME))
            .and_then(|port| u16::try_from(port.container_port).ok());
        let address = status.and_then(|status| status.pod_ip.clone());
        Self {
            uid: mark.uid,
            gateway: annotation.cloned().unwrap_or(mark.gateway),
            ready: ready && !mark.going,
            going: mark.going,
            template: mark.template,
            address: address.zip(port),
        }
    }
}
