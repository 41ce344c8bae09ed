//! The CRDs of aigw's own kinds, as an API server takes them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::GROUP;
use crate::aigatewayroute::AIGatewayRouteDefinition;
use crate::aiservicebackend::AIServiceBackendDefinition;
use crate::backendsecuritypolicy::BackendSecurityPolicyDefinition;
use crate::gatewayconfig::GatewayConfigDefinition;
use crate::mcproute::MCPRouteDefinition;
use crate::quotapolicy::QuotaPolicyDefinition;

/// The annotation of a CRD that says which release of aigw it is of.
pub const CRDS_ANNOTATION: &str = "aigateway.envoyproxy.io/crds-version";

/// What `kubectl get` shows: a heading and where its text is.
type Column = (&'static str, &'static str);

const ACCEPTED: Column = ("Accepted", r#".status.conditions[?(@.type=="Accepted")].status"#);
const PROGRAMMED: Column = (
    "Programmed",
    r#".status.conditions[?(@.type=="Programmed")].status"#,
);
const CREDENTIALS: Column = (
    "Credentials",
    r#".status.conditions[?(@.type=="CredentialsReady")].status"#,
);
const SCHEMA: Column = ("Schema", ".spec.schema.name");
const PROVIDER: Column = ("Provider", ".spec.provider");
const TYPE: Column = ("Type", ".spec.type");

/// The CRDs of aigw's own kinds, in the order of their names.
pub fn definitions() -> Vec<Value> {
    vec![
        definition(AIGatewayRouteDefinition::crd(), &[ACCEPTED, PROGRAMMED]),
        definition(
            AIServiceBackendDefinition::crd(),
            &[SCHEMA, PROVIDER, ACCEPTED, PROGRAMMED],
        ),
        definition(
            BackendSecurityPolicyDefinition::crd(),
            &[TYPE, ACCEPTED, CREDENTIALS, PROGRAMMED],
        ),
        optional_spec(definition(GatewayConfigDefinition::crd(), &[ACCEPTED])),
        definition(MCPRouteDefinition::crd(), &[ACCEPTED]),
        stored_early(optional_spec(definition(
            QuotaPolicyDefinition::crd(),
            &[ACCEPTED],
        ))),
    ]
}

/// A kind of which every field is optional may be written without a spec; it is then stored with an empty one.
fn optional_spec(mut crd: Value) -> Value {
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        let schema = &mut version["schema"]["openAPIV3Schema"];
        schema.as_object_mut().map(|members| members.remove("required"));
        schema["properties"]["spec"]["default"] = json!({});
    }
    crd
}

/// A kind that other installations know as `v1alpha1` alone: stored as that, so that theirs can be put back.
fn stored_early(mut crd: Value) -> Value {
    let versions = &mut crd["spec"]["versions"];
    versions[0]["storage"] = false.into();
    versions[1]["storage"] = true.into();
    if let Some(early) = versions[1].as_object_mut() {
        early.remove("deprecated");
        early.remove("deprecationWarning");
    }
    crd
}

/// `derived` has one version, `v1beta1`; the same schema is served as `v1alpha1` too.
fn definition(derived: CustomResourceDefinition, columns: &[Column]) -> Value {
    let mut crd = json!(derived);
    crd["metadata"]["annotations"] = json!({ CRDS_ANNOTATION: env!("CARGO_PKG_VERSION") });
    let mut stable = crd["spec"]["versions"][0].take();
    let text = |(name, path): &Column| json!({ "name": name, "type": "string", "jsonPath": path });
    let age = json!({ "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" });
    stable["additionalPrinterColumns"] = columns.iter().map(text).chain([age]).collect();
    tidy(&mut stable["schema"]["openAPIV3Schema"]);
    let mut early = stable.clone();
    early["name"] = "v1alpha1".into();
    early["storage"] = false.into();
    early["deprecated"] = true.into();
    early["deprecationWarning"] =
        format!("{GROUP}/v1alpha1 is deprecated; use {GROUP}/v1beta1 instead").into();
    crd["spec"]["versions"] = json!([stable, early]);
    crd["spec"]["conversion"] = json!({ "strategy": "None" });
    crd
}

/// Takes out of a derived schema what an API server refuses or warns of, and what it need not say.
fn tidy(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    members.sort_keys();
    // Without `nullable` a null is as good as nothing: it is dropped, and the default is taken.
    members.remove("nullable");
    members.remove("title");
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    // Formats of numbers that Kubernetes does not know. All of ours fit.
    if let Some(format) = members.get_mut("format") {
        match format.as_str() {
            Some("uint8" | "uint16" | "uint32") => *format = "int32".into(),
            Some("uint64") => *format = "int64".into(),
            _ => {}
        }
    }
    // Limits come back from the type of CRDs as `1.0`.
    for limit in ["minimum", "maximum"] {
        if let Some(value) = members.get_mut(limit)
            && let Some(whole) = value.as_f64().filter(|number| number.fract() == 0.0)
        {
            #[expect(clippy::cast_possible_truncation, reason = "limits of integers are small")]
            let whole = whole as i64;
            *value = whole.into();
        }
    }
    forget_defaults(members);
    for key in ["properties", "items", "additionalProperties"] {
        match members.get_mut(key) {
            Some(Value::Object(properties)) if key == "properties" => {
                properties.sort_keys();
                properties.values_mut().for_each(tidy);
            }
            Some(inner) => tidy(inner),
            None => {}
        }
    }
}

/// A member that must be there needs no empty default, which serde gives where a whole struct has a default.
fn forget_defaults(members: &mut Map<String, Value>) {
    let required: Vec<String> = members
        .get("required")
        .and_then(Value::as_array)
        .map(|names| {
            names
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default();
    let Some(Value::Object(properties)) = members.get_mut("properties") else {
        return;
    };
    for name in required {
        if let Some(Value::Object(property)) = properties.get_mut(&name)
            && property.get("default") == Some(&json!(""))
        {
            property.remove("default");
        }
    }
}
