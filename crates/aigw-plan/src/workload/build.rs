//! All objects of one Gateway.

use aigw_api::{Gateway, GatewayConfig};
use aigw_config::shard;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::labels::Marks;
use super::options::{Family, WorkloadOptions};
use super::settings::Settings;
use super::{access, autoscaling, deployment, ports, service};

/// What a workload is made from.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The Gateway; its uid makes it the owner.
    pub gateway: &'a Gateway,
    /// The GatewayConfig that its annotation names.
    pub config: Option<&'a GatewayConfig>,
    /// `spec` of the EnvoyProxy that its `infrastructure.parametersRef` names, or else its class's.
    pub proxy: Option<&'a Value>,
}

/// A Gateway's objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// For server-side apply, in the order in which they are to be made: who pods are and what they may do come first.
    pub objects: Vec<Value>,
    /// The Service before the pods; `None` when no listener has a port that can be served.
    pub service: Option<String>,
    /// Addresses that its pods listen on.
    pub family: Family,
    /// Fields that were written and have no effect, for a condition of the Gateway.
    pub ignored: Vec<Ignored>,
}

/// A field without effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignored {
    /// `EnvoyProxy` or `GatewayConfig`.
    pub kind: &'static str,
    /// Its path, such as `spec.provider.kubernetes.envoyDeployment.patch`.
    pub field: String,
}

/// Settings that cannot be followed. The Gateway gets no objects from them, and those that it has stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}: {field}: {detail}")]
pub struct WorkloadError {
    /// `EnvoyProxy` or `GatewayConfig`.
    pub kind: &'static str,
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// The objects that serve a Gateway, named like its snapshot ([`shard::base`]). Equal input gives equal objects, byte for byte.
pub fn workload(input: &Input, options: &WorkloadOptions) -> Result<Workload, WorkloadError> {
    let settings = Settings::new(input, options)?;
    let marks = Marks::new(input.gateway, &shard::base(&input.gateway.metadata.name));
    let listeners = input.gateway.spec.listeners.iter();
    let places = ports::container_ports(listeners.map(|listener| listener.port));
    let service = service::service(&marks, &settings, input.gateway, &places);
    let mut objects = Objects::default();
    objects.add(&access::account(&marks, &settings))?;
    objects.add(&access::role(&marks))?;
    objects.add(&access::binding(&marks, &settings))?;
    if let Some(service) = &service {
        objects.add(service)?;
    }
    objects.add(&deployment::budget(&marks, &settings))?;
    objects.add(&deployment::deployment(&marks, &settings, options))?;
    if let Some(scaling) = &settings.scaling {
        objects.add(&autoscaling::autoscaler(&marks, scaling))?;
    }
    let family = settings.family;
    let mut ignored: Vec<Ignored> = settings
        .ignored
        .into_iter()
        .map(|(kind, field)| Ignored { kind, field })
        .collect();
    ignored.sort();
    ignored.dedup();
    Ok(Workload {
        objects: objects.0,
        service: service.is_some().then(|| marks.base().to_owned()),
        family,
        ignored,
    })
}

#[derive(Debug, Default)]
struct Objects(Vec<Value>);

impl Objects {
    fn add(&mut self, object: &impl Serialize) -> Result<(), WorkloadError> {
        // Types of Kubernetes have text for keys, so that this does not fail.
        let value = serde_json::to_value(object).map_err(|error| WorkloadError {
            kind: "Gateway",
            field: "spec".to_owned(),
            detail: error.to_string(),
        })?;
        self.0.push(value);
        Ok(())
    }
}
