//! The CustomResourceDefinitions that aigw brings: its own, Gateway API's, and those that stand in for Envoy Gateway's.

mod decide;
mod install;

pub use decide::{Decision, decide};
pub use install::{InstallError, apply_objects, install};

use aigw_api::{definitions, stand_ins};
use serde_json::Value;

/// Gateway API's, as they are published, with their licence.
const GATEWAY_API: [&str; 5] = [
    include_str!("../../../manifests/crds/gateway-api/backendtlspolicies.yaml"),
    include_str!("../../../manifests/crds/gateway-api/gatewayclasses.yaml"),
    include_str!("../../../manifests/crds/gateway-api/gateways.yaml"),
    include_str!("../../../manifests/crds/gateway-api/httproutes.yaml"),
    include_str!("../../../manifests/crds/gateway-api/referencegrants.yaml"),
];

/// A CustomResourceDefinition that aigw brings.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The object.
    pub object: Value,
    /// The same as YAML.
    pub yaml: String,
}

impl Definition {
    /// Its name, such as `gateways.gateway.networking.k8s.io`.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// The kind that it defines.
    pub fn kind(&self) -> &str {
        self.text("/spec/names/kind")
    }

    fn text(&self, pointer: &str) -> &str {
        self.object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// All of them, aigw's own first. `Err` when one cannot be written or read as YAML, which a test rules out.
pub fn all() -> Result<Vec<Definition>, String> {
    let derived = definitions().into_iter().chain(stand_ins());
    let derived = derived.map(|object| {
        let yaml = written_once(&object)?;
        Ok(Definition { object, yaml })
    });
    let published = GATEWAY_API.iter().map(|yaml| {
        let object = serde_yaml::from_str(yaml).map_err(|error| error.to_string())?;
        let yaml = (*yaml).to_owned();
        Ok(Definition { object, yaml })
    });
    derived.chain(published).collect()
}

/// As YAML, with a schema that two versions share written once: as indentation counts, some would exceed 256 KiB.
fn written_once(object: &Value) -> Result<String, String> {
    const ALIAS: &str = "*schema";
    let mut short = object.clone();
    let schemas =
        ["/spec/versions/0/schema", "/spec/versions/1/schema"].map(|pointer| object.pointer(pointer));
    if schemas[0] == schemas[1]
        && let Some(second) = short.pointer_mut("/spec/versions/1/schema")
    {
        *second = ALIAS.into();
    }
    let yaml = serde_yaml::to_string(&short).map_err(|error| error.to_string())?;
    let quoted = format!("schema: \"{ALIAS}\"\n");
    if !yaml.contains(&quoted) {
        return Ok(yaml);
    }
    Ok(yaml
        .replacen("    schema:\n", "    schema: &schema\n", 1)
        .replacen(&quoted, &format!("schema: {ALIAS}\n"), 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_printed_is_what_is_applied() {
        let all = all().unwrap();
        assert_eq!(all.len(), 16);
        for one in &all {
            let read: Value = serde_yaml::from_str(&one.yaml).unwrap();
            assert!(read == one.object, "{} differs from its YAML", one.name());
        }
    }

    #[test]
    fn our_definitions_are_small_enough_for_plain_apply() {
        // kubectl keeps what it applied in an annotation, and annotations may have 256 KiB.
        for one in all().unwrap() {
            let kept = serde_json::to_string(&one.object).unwrap();
            assert!(
                kept.len() < 256 * 1024 - 1024,
                "{}: {} bytes",
                one.name(),
                kept.len()
            );
            let ours = one.name().ends_with(".aigateway.envoyproxy.io");
            assert!(
                !ours || one.yaml.len() < 256 * 1024,
                "{}: {} bytes",
                one.name(),
                one.yaml.len()
            );
        }
    }
}
