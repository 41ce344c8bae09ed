//! The pods that serve a Gateway, and what they say that they serve, asked through the API server.

use aigw_config::shard::{FORMAT, INDEX_KEY, Index, Place, base};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use serde_json::Value;

use super::finding::Report;
use super::gateways::within_namespace;
use super::patient::{Patient, name};
use crate::look::{NoAnswer, answered};
use crate::managed::{GATEWAY_NAME, MANAGED_BY, MANAGER};
use crate::pod::SeenPod;

/// Pods asked at once.
const AT_ONCE: usize = 8;

/// The pods of data planes: namespace, name, what is seen of each.
pub(super) struct Pods(Vec<(String, String, SeenPod)>);

impl Pods {
    pub(super) async fn list(
        patient: &Patient<'_>,
        namespaces: &[String],
        report: &mut Report,
    ) -> Option<Self> {
        let kind = ApiResource::erase::<Pod>(&());
        let labels = format!("{MANAGED_BY}={MANAGER}");
        let found = patient.list(&kind, namespaces, Some(&labels), report).await?;
        let read = |one: DynamicObject| serde_json::from_value::<Pod>(serde_json::to_value(one).ok()?).ok();
        let pods = found.into_iter().filter_map(read).map(|pod| {
            let meta = &pod.metadata;
            let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
            (
                namespace.unwrap_or_default(),
                name.unwrap_or_default(),
                SeenPod::of(&pod),
            )
        });
        Some(Self(pods.collect()))
    }
}

pub(super) async fn examine(
    patient: &Patient<'_>,
    gateway: &DynamicObject,
    pods: &Pods,
    report: &mut Report,
) {
    let about = format!("Gateway {}", name(gateway));
    let own = gateway.metadata.name.as_deref().unwrap_or_default();
    let namespace = gateway.metadata.namespace.as_deref().unwrap_or_default();
    let place = within_namespace(gateway);
    let label = format!("-l {GATEWAY_NAME}={own}");
    let ours = pods
        .0
        .iter()
        .filter(|(of, _, pod)| of == namespace && pod.gateway == own);
    let all: Vec<_> = ours.collect();
    let ready: Vec<_> = all.iter().filter(|(_, _, pod)| pod.ready).collect();
    let state = format!("{} of {} pods are ready", ready.len(), all.len());
    let describe = patient.commands.kubectl(format!("{place} describe pods {label}"));
    match (ready.len(), all.len()) {
        (0, 0) => {
            let fix = patient
                .commands
                .kubectl(format!("{place} describe deployments,replicasets {label}"));
            return report.problem(about, "has no pods", fix);
        }
        (0, _) => return report.problem(about, state, describe),
        (some, all) if some < all => report.warning(&about, state, describe),
        _ => report.ok(&about, state),
    }
    let newest = newest(patient, namespace, own).await;
    let asked = ready.iter().filter_map(|(_, pod, seen)| {
        let port = seen.address.as_ref()?.1;
        Some(async move { (pod, ask(patient, namespace, pod, port).await) })
    });
    let mut answers = futures_util::stream::iter(asked).buffered(AT_ONCE);
    let mut current = 0;
    while let Some((pod, answer)) = answers.next().await {
        let about = format!("Pod {namespace}/{pod}");
        let logs = patient.commands.kubectl(format!("{place} logs {pod} -c aigw"));
        let said = match answer {
            Ok(said) => said,
            // Said of the asker already.
            Err(error) if error.forbidden().is_some() => return,
            Err(error) => {
                report.warning(about, format!("does not say what it serves: {error}"), logs);
                continue;
            }
        };
        let uid = gateway.metadata.uid.as_deref();
        current += usize::from(says(&about, &said, uid, newest.as_deref(), logs, report));
    }
    if current > 0 {
        report.ok(
            about,
            format!(
                "{current} of {} ready pods serve the newest snapshot",
                ready.len()
            ),
        );
    }
}

/// Whether a pod serves what it should.
fn says(
    about: &str,
    said: &Value,
    uid: Option<&str>,
    newest: Option<&str>,
    logs: String,
    report: &mut Report,
) -> bool {
    if let Some(why) = said.pointer("/refused/detail").and_then(Value::as_str) {
        let reason = said.pointer("/refused/reason").and_then(Value::as_str);
        let what = match reason {
            Some("host") => format!("its Envoy or a listener refuses the newest configuration: {why}"),
            _ => format!("refuses the newest configuration: {why}"),
        };
        report.problem(about, what, logs);
        return false;
    }
    if said.pointer("/envoy/connected").and_then(Value::as_u64) == Some(0) {
        report.problem(about, "its Envoy is not connected", logs);
        return false;
    }
    let snapshot = said["snapshot"].as_str();
    if snapshot.is_none() || said["gatewayUid"].as_str() != uid {
        report.problem(about, "serves no snapshot of this Gateway", logs);
        return false;
    }
    let format = said["format"].as_u64().unwrap_or_default();
    if format < u64::from(FORMAT) {
        let what = format!(
            "reads snapshots up to format {format} alone, and {FORMAT} is the newest: its image is older"
        );
        report.warning(about, what, logs.clone());
    }
    if newest.is_some() && snapshot != newest {
        let what = "serves an older snapshot than the newest one".to_owned();
        report.warning(about, what, logs);
        return false;
    }
    true
}

/// Version of the snapshot that was written last, where it may be read. Of the index alone, which holds no credential.
async fn newest(patient: &Patient<'_>, namespace: &str, gateway: &str) -> Option<String> {
    let api: Api<Secret> = Api::namespaced(patient.client.clone(), namespace);
    let name = Place::Index.name(&base(gateway));
    let secret = answered(api.get_opt(&name)).await.ok()??;
    let bytes = secret.data?.remove(INDEX_KEY)?;
    Index::parse(&bytes.0).ok().map(|index| index.version)
}

/// `/version` of a pod's status port, through the API server.
async fn ask(patient: &Patient<'_>, namespace: &str, pod: &str, port: u16) -> Result<Value, NoAnswer> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/version");
    let request = hyper::Request::get(path)
        .body(Vec::new())
        .map_err(|error| NoAnswer::Error(kube::Error::HttpError(error)))?;
    answered(patient.client.request(request)).await
}
