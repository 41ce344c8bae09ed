//! What every object is called and marked with.

use std::collections::BTreeMap;

use aigw_api::{GATEWAY_GROUP, Gateway};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use serde_json::Value;

/// The label of all that the operator makes, with the value `aigw`.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label with the Gateway's name; an annotation when the name is longer than a label's value may be.
pub const GATEWAY_NAME: &str = "aigateway.envoyproxy.io/gateway-name";
/// The label with the Gateway's namespace.
pub const GATEWAY_NAMESPACE: &str = "aigateway.envoyproxy.io/gateway-namespace";
/// The annotation of a Deployment and of its pods with a hash of the pods' template: pods that have another one are to be replaced.
pub const POD_TEMPLATE: &str = "aigateway.envoyproxy.io/pod-template";
/// Gateway API's own label with the Gateway's name.
const STANDARD_GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// Tells the pods of a Gateway from all others of its namespace.
const INSTANCE: &str = "app.kubernetes.io/instance";
/// Longest value of a label.
const MAX_LABEL: usize = 63;

pub(super) type Strings = BTreeMap<String, String>;

/// Labels and annotations of one Gateway's objects.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    base: String,
    namespace: String,
    owner: OwnerReference,
    /// Ours, without those that a Gateway asks for.
    own: Strings,
    labels: Strings,
    annotations: Strings,
}

impl Marks {
    pub fn new(gateway: &Gateway, base: &str) -> Self {
        let meta = &gateway.metadata;
        let mut own = Strings::from(
            [
                (MANAGED_BY, "aigw"),
                (INSTANCE, base),
                ("app.kubernetes.io/name", "aigw"),
                ("app.kubernetes.io/component", "data-plane"),
                (GATEWAY_NAMESPACE, meta.namespace()),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let infrastructure = gateway.spec.infrastructure.as_ref();
        let mut labels = strings(infrastructure, "labels");
        let mut annotations = strings(infrastructure, "annotations");
        if meta.name.len() <= MAX_LABEL {
            for key in [GATEWAY_NAME, STANDARD_GATEWAY_NAME] {
                own.insert(key.to_owned(), meta.name.clone());
            }
        } else {
            annotations.insert(GATEWAY_NAME.to_owned(), meta.name.clone());
        }
        // What others ask for never takes the place of what we look for.
        labels.extend(own.clone());
        Self {
            base: base.to_owned(),
            namespace: meta.namespace().to_owned(),
            owner: OwnerReference {
                api_version: format!("{GATEWAY_GROUP}/v1"),
                kind: "Gateway".to_owned(),
                name: meta.name.clone(),
                uid: meta.uid.clone().unwrap_or_default(),
                controller: Some(true),
                // Blocking would need a right on Gateways that nothing else needs.
                block_owner_deletion: None,
            },
            own,
            labels,
            annotations,
        }
    }

    /// Metadata of the object that has the base name.
    pub fn object(&self) -> ObjectMeta {
        self.with(&Strings::new(), &Strings::new())
    }

    /// The same with more labels and annotations, which ours come before.
    pub fn with(&self, labels: &Strings, annotations: &Strings) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.base.clone()),
            namespace: Some(self.namespace.clone()),
            owner_references: Some(vec![self.owner.clone()]),
            ..self.template(labels, annotations)
        }
    }

    /// Metadata of pods.
    pub fn template(&self, labels: &Strings, annotations: &Strings) -> ObjectMeta {
        let mut all = self.labels.clone();
        all.extend(labels.clone());
        all.extend(self.own.clone());
        let mut notes = self.annotations.clone();
        notes.extend(annotations.clone());
        ObjectMeta {
            labels: Some(all),
            annotations: (!notes.is_empty()).then_some(notes),
            ..ObjectMeta::default()
        }
    }

    /// What selects the pods; a Deployment's never changes.
    pub fn selector(&self) -> LabelSelector {
        LabelSelector {
            match_labels: Some(self.pods()),
            match_expressions: None,
        }
    }

    /// The same as a Service has it.
    pub fn pods(&self) -> Strings {
        [MANAGED_BY, INSTANCE]
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), self.own.get(key)?.clone())))
            .collect()
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

fn strings(infrastructure: Option<&Value>, member: &str) -> Strings {
    let found = infrastructure.and_then(|value| value.get(member)?.as_object());
    found
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
