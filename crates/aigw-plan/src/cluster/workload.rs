//! The objects that serve a Gateway, from the settings that it and its class name.

use std::collections::BTreeMap;

use aigw_api::{
    ENVOY_GATEWAY_GROUP, GATEWAY_CONFIG_ANNOTATION, GROUP, Gateway, GatewayClass, GatewayConfig, Opaque,
    ParametersReference,
};
use serde_json::Value;

use super::class;
use crate::finding::{Cause, Findings};
use crate::index::{Index, Placed};
use crate::workload::{Ignored, Input, Workload, WorkloadOptions, workload};

/// The objects; `Err` says which settings cannot be followed.
pub(super) fn planned(
    gateway: &Placed<'_, Gateway>,
    class: &Placed<'_, GatewayClass>,
    index: &Index<'_>,
    options: &WorkloadOptions,
    findings: &mut Findings,
) -> Result<Workload, String> {
    let named = Named::by(gateway, class, index)?;
    let input = Input {
        gateway: gateway.object,
        config: named.config.map(|config| config.object),
        proxy: named.proxy.map(|proxy| &proxy.object.spec),
    };
    let planned = workload(&input, options).map_err(|error| error.to_string())?;
    note(&planned.ignored, gateway, &named, findings);
    Ok(planned)
}

/// Settings that a Gateway has.
#[derive(Debug, Default)]
struct Named<'a> {
    config: Option<&'a Placed<'a, GatewayConfig>>,
    proxy: Option<&'a Placed<'a, Opaque>>,
}

impl<'a> Named<'a> {
    /// What the Gateway names comes before what its class does, and its annotation first of all. A GatewayConfig that an
    /// annotation names and that is not there is as if none were named; `ResolvedRefs` tells of it.
    fn by(
        gateway: &Placed<'_, Gateway>,
        class: &Placed<'_, GatewayClass>,
        index: &'a Index<'a>,
    ) -> Result<Self, String> {
        let annotation = gateway.object.metadata.annotations.get(GATEWAY_CONFIG_ANNOTATION);
        let mut named = Self {
            config: annotation.and_then(|name| index.gateway_configs.get(&gateway.key.beside(None, name))),
            proxy: None,
        };
        if let Some(reference) = reference(gateway.object) {
            named
                .add(&reference, Some(&gateway.key.namespace), index)
                .map_err(|why| format!("spec.infrastructure.{why}"))?;
        }
        if let Some(reference) = &class.object.spec.parameters_ref {
            named
                .add(reference, None, index)
                .map_err(|why| format!("GatewayClass \"{}\": spec.{why}", class.key.name))?;
        }
        Ok(named)
    }

    fn add(
        &mut self,
        reference: &ParametersReference,
        beside: Option<&str>,
        index: &'a Index<'a>,
    ) -> Result<(), String> {
        let Some(key) = class::parameters(index, reference, beside)? else {
            return Ok(());
        };
        match reference.group.as_str() {
            GROUP => self.config = self.config.or_else(|| index.gateway_configs.get(&key)),
            ENVOY_GATEWAY_GROUP => self.proxy = self.proxy.or_else(|| index.proxies.get(&key)),
            _ => {}
        }
        Ok(())
    }
}

/// The reference in a Gateway's `infrastructure`.
fn reference(gateway: &Gateway) -> Option<ParametersReference> {
    let written = gateway.spec.infrastructure.as_ref()?.get("parametersRef")?;
    let text = |field: &str| {
        written
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Some(ParametersReference {
        group: text("group"),
        kind: text("kind"),
        name: text("name"),
        namespace: None,
    })
}

/// Names fields without effect: of a GatewayConfig on itself, of an EnvoyProxy on the Gateway.
fn note(ignored: &[Ignored], gateway: &Placed<'_, Gateway>, named: &Named<'_>, findings: &mut Findings) {
    let mut by_kind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in ignored {
        by_kind.entry(one.kind).or_default().push(&one.field);
    }
    for (kind, fields) in by_kind {
        let fields = fields.join(", ");
        match (kind, named.config, named.proxy) {
            ("GatewayConfig", Some(config), _) => {
                let message = format!("these fields have no effect: {fields}");
                findings.warn(config.subject(), Cause::NO_EFFECT, "", message);
            }
            (_, _, Some(proxy)) => {
                let message = format!(
                    "these fields of EnvoyProxy \"{}\" have no effect: {fields}",
                    proxy.key
                );
                findings.warn(gateway.subject(), Cause::NO_EFFECT, "", message);
            }
            _ => {}
        }
    }
}
