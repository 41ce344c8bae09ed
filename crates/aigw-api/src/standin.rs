//! CRDs for kinds of Envoy Gateway, for clusters that do not have its own: they take any object of the kind, so that manifests written
//! for it apply. What a field means is judged by the plan, which names each one that has no effect.

use serde_json::{Value, json};

use crate::ENVOY_GATEWAY_GROUP;
use crate::crd::CRDS_ANNOTATION;

/// The annotation of a CRD that stands in for Envoy Gateway's own.
pub const STAND_IN_ANNOTATION: &str = "aigateway.envoyproxy.io/stand-in";

/// Kind, plural and short names.
const KINDS: [(&str, &str, &[&str]); 5] = [
    ("Backend", "backends", &["be"]),
    ("BackendTrafficPolicy", "backendtrafficpolicies", &["btp"]),
    ("ClientTrafficPolicy", "clienttrafficpolicies", &["ctp"]),
    ("EnvoyProxy", "envoyproxies", &["eproxy"]),
    ("SecurityPolicy", "securitypolicies", &["sp"]),
];

/// The CRDs that stand in for Envoy Gateway's own, in the order of their names.
pub fn stand_ins() -> Vec<Value> {
    KINDS.map(stand_in).to_vec()
}

fn stand_in((kind, plural, short): (&str, &str, &[&str])) -> Value {
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{ENVOY_GATEWAY_GROUP}"),
            "annotations": { CRDS_ANNOTATION: env!("CARGO_PKG_VERSION"), STAND_IN_ANNOTATION: "true" },
        },
        "spec": {
            "group": ENVOY_GATEWAY_GROUP,
            "names": {
                "kind": kind,
                "listKind": format!("{kind}List"),
                "plural": plural,
                "singular": kind.to_ascii_lowercase(),
                "shortNames": short,
            },
            "scope": "Namespaced",
            "versions": [{
                "name": "v1alpha1",
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": [
                    { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
                ],
                "schema": { "openAPIV3Schema": {
                    "description": "Stands in for Envoy Gateway's kind and takes any field.",
                    "type": "object",
                    "required": ["spec"],
                    "properties": { "spec": open, "status": open },
                } },
            }],
        },
    })
}
