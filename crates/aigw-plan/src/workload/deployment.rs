//! The Deployment, and how many of its pods may be taken away at one time.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::cluster::hash;

use super::labels::{Marks, POD_TEMPLATE, Strings};
use super::options::WorkloadOptions;
use super::pod;
use super::settings::Settings;

pub(super) fn deployment(marks: &Marks, settings: &Settings, options: &WorkloadOptions) -> Deployment {
    let mut template = pod::template(marks, settings, options);
    let print = Strings::from([(POD_TEMPLATE.to_owned(), hash::of(&template))]);
    if let Some(metadata) = &mut template.metadata {
        metadata.annotations.get_or_insert_default().extend(print.clone());
    }
    Deployment {
        metadata: marks.with(&Strings::new(), &print),
        spec: DeploymentSpec {
            replicas: settings.replicas,
            selector: marks.selector(),
            strategy: Some(settings.strategy.clone().unwrap_or_else(one_more_first)),
            template,
            ..DeploymentSpec::default()
        },
        status: None,
    }
}

/// A new pod is ready before an old one goes.
fn one_more_first() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

pub(super) fn budget(marks: &Marks, settings: &Settings) -> PodDisruptionBudget {
    let wanted = &settings.budget;
    let max_unavailable = match &wanted.min_available {
        Some(_) => wanted.max_unavailable.clone(),
        None => Some(wanted.max_unavailable.clone().unwrap_or(IntOrString::Int(1))),
    };
    PodDisruptionBudget {
        metadata: marks.object(),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: wanted.min_available.clone(),
            max_unavailable,
            selector: Some(marks.selector()),
            // A pod that serves nothing holds up no node's maintenance.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        }),
        status: None,
    }
}
