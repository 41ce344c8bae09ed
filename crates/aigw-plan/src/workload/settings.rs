//! What the operator's options, a GatewayConfig and an EnvoyProxy say together.

use std::collections::BTreeMap;
use std::time::Duration;

use aigw_api::{ContainerSettings, DataPlane, GatewayConfig};
use aigw_config::Millis;
use k8s_openapi::api::apps::v1::DeploymentStrategy;
use k8s_openapi::api::core::v1::Container;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::build::{Input, WorkloadError};
use super::envoyproxy::{
    AccountSettings, EnvoyProxySpec, HpaSettings, IpFamily, PdbSettings, PodSettings, ServiceSettings,
};
use super::options::{Family, WorkloadOptions};
use crate::unread::unread;

const PROXY: &str = "EnvoyProxy";
const CONFIG: &str = "GatewayConfig";

/// Longest time that a pod may be given to end, in seconds: a day.
const MAX_DRAIN: Duration = Duration::from_secs(86_400);

/// What a workload is made from.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub data_plane: DataPlane,
    /// `None` when somebody else decides it.
    pub replicas: Option<i32>,
    pub scaling: Option<HpaSettings>,
    pub strategy: Option<DeploymentStrategy>,
    pub budget: PdbSettings,
    pub pod: PodSettings,
    pub init_containers: Vec<Container>,
    pub aigw: ContainerSettings,
    pub envoy: ContainerSettings,
    /// Worker threads of Envoy.
    pub concurrency: Option<u32>,
    /// `default` or a component of Envoy → level.
    pub levels: BTreeMap<String, String>,
    pub access_log: bool,
    pub service: ServiceSettings,
    pub account: AccountSettings,
    pub family: Family,
    pub drain: Duration,
    /// Kind and path of fields without effect.
    pub ignored: Vec<(&'static str, String)>,
}

impl Settings {
    pub fn new(input: &Input, options: &WorkloadOptions) -> Result<Self, WorkloadError> {
        let mut fields = Vec::new();
        let proxy: EnvoyProxySpec = read(PROXY, "spec", input.proxy, &mut fields)?;
        let kubernetes = proxy.provider.kubernetes;
        let deployment = kubernetes.envoy_deployment;
        let config = input.config.map(|config| &config.spec);
        let data_plane = config
            .and_then(|config| config.data_plane)
            .unwrap_or(options.data_plane);
        let mut ignored: Vec<_> = fields.drain(..).map(|field| (PROXY, field)).collect();
        let aigw = read_container(input.config, &mut fields)?;
        ignored.extend(fields.into_iter().map(|field| (CONFIG, field)));
        if data_plane == DataPlane::Native {
            ignored.extend(without_envoy(input.proxy));
        }
        let (replicas, scaling) = pods(input, deployment.replicas, kubernetes.envoy_hpa, options)?;
        let mut service = kubernetes.envoy_service;
        if let Some(asked) = config.and_then(|config| config.service.as_ref()) {
            service.kind = asked.kind.map(|kind| kind.as_str().to_owned()).or(service.kind);
            service.annotations.extend(asked.annotations.clone());
        }
        service
            .kind
            .get_or_insert_with(|| options.service_type.as_str().to_owned());
        Ok(Self {
            data_plane,
            replicas,
            scaling,
            strategy: deployment.strategy,
            budget: kubernetes.envoy_pdb,
            pod: deployment.pod,
            init_containers: deployment.init_containers,
            aigw,
            envoy: deployment.container,
            concurrency: proxy.concurrency,
            levels: proxy.logging.level,
            access_log: proxy.telemetry.access_log.disable != Some(true),
            service,
            account: kubernetes.envoy_service_account,
            family: match proxy.ip_family {
                None => options.family,
                Some(IpFamily::IPv4) => Family::IPv4,
                Some(IpFamily::IPv6 | IpFamily::DualStack) => Family::IPv6,
            },
            drain: drain(input.config, proxy.shutdown.drain_timeout, options)?,
            ignored,
        })
    }
}

/// Pods and their scaling: a GatewayConfig comes before an EnvoyProxy.
fn pods(
    input: &Input,
    replicas: Option<i32>,
    hpa: Option<HpaSettings>,
    options: &WorkloadOptions,
) -> Result<(Option<i32>, Option<HpaSettings>), WorkloadError> {
    let config = input.config.map(|config| &config.spec);
    let asked = config.and_then(|config| config.autoscaling.as_ref());
    let (kind, scaling) = match asked {
        Some(asked) => (
            CONFIG,
            Some(HpaSettings {
                min_replicas: asked.min_replicas,
                max_replicas: Some(asked.max_replicas),
                metrics: asked.cpu_utilization.map(super::autoscaling::busy),
                behavior: None,
            }),
        ),
        None => (PROXY, hpa),
    };
    let Some(scaling) = scaling else {
        let own = config.and_then(|config| config.replicas);
        return Ok((own.or(replicas).or(options.replicas), None));
    };
    let least = scaling.min_replicas.unwrap_or(1);
    match scaling.max_replicas {
        Some(most) if most >= least && least >= 1 => Ok((None, Some(scaling))),
        most => Err(WorkloadError {
            kind,
            field: if kind == CONFIG {
                "spec.autoscaling"
            } else {
                "spec.provider.kubernetes.envoyHpa"
            }
            .to_owned(),
            detail: format!(
                "maxReplicas is {}, and must be minReplicas ({least}) or more; minReplicas must be 1 or more",
                most.map_or_else(|| "missing".to_owned(), |most| most.to_string()),
            ),
        }),
    }
}

fn drain(
    config: Option<&GatewayConfig>,
    shutdown: Option<String>,
    options: &WorkloadOptions,
) -> Result<Duration, WorkloadError> {
    let own = config.and_then(|config| config.spec.drain.as_ref()?.timeout.clone());
    let (kind, field, text) = match (own, shutdown) {
        (Some(text), _) => (CONFIG, "spec.drain.timeout", text),
        (None, Some(text)) => (PROXY, "spec.shutdown.drainTimeout", text),
        (None, None) => return Ok(options.drain),
    };
    let failed = |detail| WorkloadError {
        kind,
        field: field.to_owned(),
        detail,
    };
    let asked = text.parse::<Millis>().map_err(failed)?.duration();
    if asked > MAX_DRAIN {
        return Err(failed(format!(
            "`{text}` is more than a day; give pods less time to end"
        )));
    }
    Ok(asked)
}

fn read_container(
    config: Option<&GatewayConfig>,
    ignored: &mut Vec<String>,
) -> Result<ContainerSettings, WorkloadError> {
    let written = config.and_then(|config| config.spec.ext_proc.as_ref()?.get("kubernetes"));
    read(CONFIG, "spec.extProc.kubernetes", written, ignored)
}

/// Reads what was written at `path`, and notes what of it nobody reads.
fn read<T: DeserializeOwned + serde::Serialize + Default>(
    kind: &'static str,
    path: &str,
    written: Option<&Value>,
    ignored: &mut Vec<String>,
) -> Result<T, WorkloadError> {
    let Some(written) = written.filter(|value| !value.is_null()) else {
        return Ok(T::default());
    };
    let failed = |error: serde_json::Error| WorkloadError {
        kind,
        field: path.to_owned(),
        detail: format!("cannot be read: {error}"),
    };
    let mut written = written.clone();
    spell_quantities(&mut written);
    let read: T = serde_json::from_value(written.clone()).map_err(failed)?;
    unread(
        &written,
        &serde_json::to_value(&read).map_err(failed)?,
        path,
        Value::is_null,
        ignored,
    );
    Ok(read)
}

/// Amounts may be written as numbers in manifests; types of Kubernetes have them as text.
fn spell_quantities(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Object(amounts) if matches!(name.as_str(), "limits" | "requests") => {
                        amounts.values_mut().for_each(spell);
                    }
                    value if name == "sizeLimit" => spell(value),
                    value => spell_quantities(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_quantities),
        _ => {}
    }
}

fn spell(amount: &mut Value) {
    if let Value::Number(number) = amount {
        *amount = json!(number.to_string());
    }
}

/// What an EnvoyProxy says of an Envoy that there is none of.
fn without_envoy(proxy: Option<&Value>) -> Vec<(&'static str, String)> {
    [
        "provider.kubernetes.envoyDeployment.container",
        "concurrency",
        "logging",
    ]
    .into_iter()
    .filter(|path| {
        let pointer = format!("/{}", path.replace('.', "/"));
        proxy.is_some_and(|proxy| proxy.pointer(&pointer).is_some())
    })
    .map(|path| (PROXY, format!("spec.{path}")))
    .collect()
}
