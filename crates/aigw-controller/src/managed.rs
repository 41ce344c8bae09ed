//! What the operator has made, as it is seen in the cluster: metadata alone, found by label.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use aigw_plan::workload::POD_TEMPLATE;
use kube::core::ApiResource;

/// Label of everything that the operator makes.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its value, and the operator's name as a field manager.
pub(crate) const MANAGER: &str = "aigw";
/// The Gateway that it was made for; an annotation when it does not fit a label.
pub(crate) const GATEWAY_NAME: &str = "aigateway.envoyproxy.io/gateway-name";
/// Its namespace.
pub(crate) const GATEWAY_NAMESPACE: &str = "aigateway.envoyproxy.io/gateway-namespace";
/// Says what part of a Gateway's things it is.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";
/// Component of the Secrets that hold a snapshot.
pub(crate) const SNAPSHOT: &str = "snapshot";

/// A kind that the operator makes: group, version, kind, plural.
pub(crate) type Made = (&'static str, &'static str, &'static str, &'static str);

/// All of them.
pub(crate) const MADE: &[Made] = &[
    ("apps", "v1", "Deployment", "deployments"),
    ("", "v1", "Service", "services"),
    ("", "v1", "ServiceAccount", "serviceaccounts"),
    ("", "v1", "Secret", "secrets"),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    ),
];

/// The place of a kind in [`MADE`]; that of a kind that is not made is past its end.
pub(crate) fn made_index(group: &str, kind: &str) -> usize {
    let found = MADE.iter().position(|one| (one.0, one.2) == (group, kind));
    found.unwrap_or(MADE.len())
}

/// How a kind is reached.
pub(crate) fn resource((group, version, kind, plural): &Made) -> ApiResource {
    ApiResource {
        group: (*group).to_owned(),
        version: (*version).to_owned(),
        api_version: if group.is_empty() {
            (*version).to_owned()
        } else {
            format!("{group}/{version}")
        },
        kind: (*kind).to_owned(),
        plural: (*plural).to_owned(),
    }
}

/// One object that the operator has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Uid.
    pub(crate) uid: String,
    /// Resource version.
    pub(crate) version: String,
    /// Uid of the Gateway that owns it.
    pub(crate) owner: String,
    /// Name of that Gateway.
    pub(crate) gateway: String,
    /// What part it is.
    pub(crate) component: String,
    /// Hash of its pods' template, of a Deployment.
    pub(crate) template: Option<String>,
    /// Changes when somebody changes what is wanted of it: the generation where the kind has one, else the version; labels
    /// and annotations.
    pub(crate) print: u64,
    /// Whether it is being deleted already.
    pub(crate) going: bool,
}

impl Mark {
    pub(crate) fn of_meta(meta: &kube::api::ObjectMeta) -> Self {
        let mut hasher = DefaultHasher::new();
        match meta.generation {
            Some(generation) => generation.hash(&mut hasher),
            None => meta.resource_version.hash(&mut hasher),
        }
        meta.labels.hash(&mut hasher);
        meta.annotations.hash(&mut hasher);
        let label = |name: &str| meta.labels.as_ref().and_then(|all| all.get(name)).cloned();
        let owners = meta.owner_references.as_deref().unwrap_or_default();
        let owner = owners.iter().find(|one| one.kind == "Gateway");
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            version: meta.resource_version.clone().unwrap_or_default(),
            owner: owner.map(|one| one.uid.clone()).unwrap_or_default(),
            gateway: owner
                .map(|one| one.name.clone())
                .or_else(|| label(GATEWAY_NAME))
                .unwrap_or_default(),
            component: label(COMPONENT).unwrap_or_default(),
            template: meta
                .annotations
                .as_ref()
                .and_then(|all| all.get(POD_TEMPLATE))
                .cloned(),
            print: hasher.finish(),
            going: meta.deletion_timestamp.is_some(),
        }
    }
}
