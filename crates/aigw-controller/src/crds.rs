//! The CustomResourceDefinitions that aigw brings: its own, Gateway API's, and those that stand in for Envoy Gateway's.

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
        let yaml = serde_yaml::to_string(&object).map_err(|error| error.to_string())?;
        Ok(Definition { object, yaml })
    });
    let published = GATEWAY_API.iter().map(|yaml| {
        let object = serde_yaml::from_str(yaml).map_err(|error| error.to_string())?;
        let yaml = (*yaml).to_owned();
        Ok(Definition { object, yaml })
    });
    derived.chain(published).collect()
}
