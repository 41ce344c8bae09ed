//! Gateway API's GatewayClass, <https://gateway-api.sigs.k8s.io/api-types/gatewayclass/>.

use serde::{Deserialize, Serialize};

use crate::meta::Resource;

/// A kind of Gateways, and who serves them. It has no namespace.
pub type GatewayClass = Resource<GatewayClassSpec>;

/// What a GatewayClass says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayClassSpec {
    /// Who serves its Gateways.
    pub controller_name: String,
    /// Settings of all its Gateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<ParametersReference>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A reference to settings, of a GatewayClass or a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ParametersReference {
    /// Group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace, where the referring kind has none itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
