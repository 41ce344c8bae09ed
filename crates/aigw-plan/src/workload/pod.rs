//! The pod. Nothing here depends on listeners or routes, so that they change no pod.

use aigw_api::DataPlane;
use k8s_openapi::api::core::v1::{
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile,
    TopologySpreadConstraint,
};

use super::access::account_name;
use super::labels::Marks;
use super::options::WorkloadOptions;
use super::settings::Settings;
use super::{container, volume};

/// Who containers are: nobody that a node knows.
const USER: i64 = 65_532;
/// What a pod is given to end beyond the time of its requests: for the news of it to reach those who send requests, and for
/// processes to end.
const MARGIN: i64 = 30;

pub(super) fn template(marks: &Marks, settings: &Settings, options: &WorkloadOptions) -> PodTemplateSpec {
    let wanted = &settings.pod;
    let images = &options.images;
    let mut before = settings.init_containers.clone();
    let mut volumes = volume::own();
    let main = match settings.data_plane {
        DataPlane::Native => container::native(marks, settings, images),
        DataPlane::Envoy => {
            before.push(container::sidecar(marks, settings, images));
            volumes.extend(volume::beside_envoy());
            container::envoy(settings, images)
        }
    };
    volumes.extend(wanted.volumes.clone());
    let secrets: Vec<LocalObjectReference> = images
        .pull_secrets
        .iter()
        .map(|name| LocalObjectReference { name: name.clone() })
        .chain(wanted.image_pull_secrets.clone())
        .collect();
    let drain = i64::try_from(settings.drain.as_secs()).unwrap_or(i64::MAX - MARGIN);
    PodTemplateSpec {
        metadata: Some(marks.template(&wanted.labels, &wanted.annotations)),
        spec: Some(PodSpec {
            service_account_name: Some(account_name(marks, settings).to_owned()),
            automount_service_account_token: Some(false),
            // Variables of Services would be read as settings of ours.
            enable_service_links: Some(false),
            security_context: Some(wanted.security_context.clone().unwrap_or_else(rights)),
            termination_grace_period_seconds: Some(drain + MARGIN),
            init_containers: (!before.is_empty()).then_some(before),
            containers: vec![main],
            volumes: Some(volumes),
            image_pull_secrets: (!secrets.is_empty()).then_some(secrets),
            affinity: wanted.affinity.clone(),
            tolerations: wanted.tolerations.clone(),
            node_selector: wanted.node_selector.clone(),
            priority_class_name: wanted.priority_class_name.clone(),
            topology_spread_constraints: Some(
                wanted
                    .topology_spread_constraints
                    .clone()
                    .unwrap_or_else(|| apart(marks)),
            ),
            ..PodSpec::default()
        }),
    }
}

fn rights() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// On several zones and nodes where there are such.
fn apart(marks: &Marks) -> Vec<TopologySpreadConstraint> {
    ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        .map(|key| TopologySpreadConstraint {
            topology_key: key.to_owned(),
            max_skew: 1,
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(marks.selector()),
            match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
            ..TopologySpreadConstraint::default()
        })
        .to_vec()
}
