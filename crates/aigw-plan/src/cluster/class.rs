//! GatewayClasses: which are ours, and what we can do for their Gateways.

use std::collections::BTreeMap;

use aigw_api::condition::{self, reason};
use aigw_api::{ENVOY_GATEWAY_GROUP, GatewayClass, ParametersReference};
use serde_json::{Value, json};

use super::types::{Claim, ENVOY_GATEWAY_CONTROLLER, Options};
use crate::condition::Condition;
use crate::index::{Index, Key, Placed};

/// What of Gateway API is served, sorted; names are those of its conformance tests.
const FEATURES: [&str; 3] = ["Gateway", "GatewayPort8080", "ReferenceGrant"];

/// Major and minor versions of Gateway API's CRDs that were looked at.
const VERSIONS: std::ops::RangeInclusive<(u32, u32)> = (1, 1)..=(1, 5);

/// Our classes by name, with what is wrong with their settings.
pub(super) fn ours<'a>(
    index: &'a Index<'a>,
    options: &Options,
) -> BTreeMap<&'a str, &'a Placed<'a, GatewayClass>> {
    let claimed = match options.claim {
        Claim::Auto => !options.envoy_gateway_runs,
        Claim::Always => true,
        Claim::Never => false,
    };
    let ours = index.classes.values().filter(|class| {
        let controller = &class.object.spec.controller_name;
        *controller == options.controller_name || (claimed && controller == ENVOY_GATEWAY_CONTROLLER)
    });
    ours.map(|class| (class.key.name.as_str(), class)).collect()
}

/// What is wrong with a reference to settings, if anything. `beside`: the namespace of what refers.
pub(super) fn parameters(
    index: &Index<'_>,
    reference: &ParametersReference,
    beside: Option<&str>,
) -> Result<Option<Key>, String> {
    let kind = (reference.group.as_str(), reference.kind.as_str());
    let namespace = reference.namespace.as_deref().or(beside).unwrap_or_default();
    let key = Key::new(namespace, &reference.name);
    let found = match kind {
        (ENVOY_GATEWAY_GROUP, "EnvoyProxy") => index.proxies.contains_key(&key),
        (aigw_api::GROUP, "GatewayConfig") => index.gateway_configs.contains_key(&key),
        (group, kind) => {
            return Err(format!(
                "parametersRef names the kind {kind} of `{group}`; EnvoyProxy of {ENVOY_GATEWAY_GROUP} and GatewayConfig of {} have a \
                 meaning here",
                aigw_api::GROUP
            ));
        }
    };
    match found {
        true => Ok(Some(key)),
        false => Err(format!("parametersRef: no {} is named \"{key}\"", reference.kind)),
    }
}

pub(super) fn status(class: &Placed<'_, GatewayClass>, index: &Index<'_>, options: &Options) -> Value {
    let generation = class.object.metadata.generation.unwrap_or_default();
    let settings = class.object.spec.parameters_ref.as_ref();
    let accepted = match settings.map(|reference| parameters(index, reference, None)) {
        Some(Err(message)) => Condition::is_not(condition::ACCEPTED, reason::INVALID_PARAMETERS, message),
        _ => Condition::is(condition::ACCEPTED, reason::ACCEPTED, "is served by aigw"),
    };
    json!({
        "conditions": super::condition::json(&[accepted, version(options)], generation),
        "supportedFeatures": FEATURES.map(|name| json!({"name": name})),
    })
}

fn version(options: &Options) -> Condition {
    let Some(version) = &options.bundle_version else {
        let message = "the CRDs of Gateway API do not say their version";
        return Condition::unknown(condition::SUPPORTED_VERSION, reason::UNSUPPORTED_VERSION, message);
    };
    if knows_gateway_api(version) {
        let message = format!("Gateway API {version}");
        return Condition::is(condition::SUPPORTED_VERSION, reason::SUPPORTED_VERSION, message);
    }
    let ((from, first), (to, last)) = (VERSIONS.start(), VERSIONS.end());
    let message = format!(
        "the CRDs of Gateway API are of version {version}; v{from}.{first} to v{to}.{last} are known, others are served as far as \
         they are alike"
    );
    Condition::is_not(condition::SUPPORTED_VERSION, reason::UNSUPPORTED_VERSION, message)
}

/// Whether a version of Gateway API's CRDs, such as `v1.4.0`, is one that was looked at.
pub fn knows_gateway_api(version: &str) -> bool {
    numbers(version).is_some_and(|found| VERSIONS.contains(&found))
}

/// Major and minor number of `v1.4.0`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
