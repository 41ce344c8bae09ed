//! Credentials: which cannot be used, and which Secret or entry is missing.

use aigw_api::GROUP;
use aigw_api::condition::{CREDENTIALS_READY, reason};
use kube::api::DynamicObject;
use serde_json::Value;

use super::finding::Report;
use super::patient::{Patient, condition, name};

pub(super) async fn examine(patient: &Patient<'_>, report: &mut Report) {
    let mut good = 0;
    for kind in ["BackendSecurityPolicy", "AIServiceBackend"] {
        let objects = patient.objects(GROUP, kind, patient.namespaces, report).await;
        for object in objects.iter().flatten() {
            let Some(found) = condition(object, CREDENTIALS_READY) else {
                continue;
            };
            if found.status == "True" {
                good += usize::from(found.reason == reason::CREDENTIALS_READY && holder(object).is_some());
                continue;
            }
            // A policy says it itself.
            if kind == "AIServiceBackend" && holder(object).is_none() {
                continue;
            }
            let about = format!("{kind} {}", name(object));
            let what = format!("{}: {}", found.reason, found.message);
            match fix(patient, kind, object, found.reason) {
                Some(fix) => report.problem(about, what, fix),
                None => report.warning(about, what, None),
            }
        }
    }
    if good > 0 {
        let what = match good {
            1 => "1 can be read".to_owned(),
            _ => format!("{good} can be read"),
        };
        report.ok("credentials", what);
    }
}

/// The reference to a Secret in a spec: of a backend its own, of a policy that of its type.
fn holder(object: &DynamicObject) -> Option<&Value> {
    let spec = object.data.get("spec")?;
    let inner = || spec.as_object()?.values().find_map(|one| one.get("secretRef"));
    spec.get("secretRef").or_else(inner)
}

fn fix(patient: &Patient<'_>, kind: &str, object: &DynamicObject, why: &str) -> Option<String> {
    let reference = holder(object)?;
    let own = object.metadata.namespace.as_deref().unwrap_or_default();
    let text = |member: &str| reference.get(member).and_then(Value::as_str);
    let secret = text("name")?;
    let namespace = text("namespace").filter(|name| !name.is_empty()).unwrap_or(own);
    let entry = text("key").unwrap_or("apiKey");
    match why {
        reason::SECRET_NOT_FOUND => Some(patient.commands.kubectl(format!(
            "-n {namespace} create secret generic {secret} --from-literal={entry}=YOUR_KEY"
        ))),
        reason::KEY_NOT_FOUND | reason::SECRET_INVALID => Some(patient.commands.kubectl(format!(
            "-n {namespace} patch secret {secret} --type=merge -p '{{\"stringData\":{{\"{entry}\":\"YOUR_KEY\"}}}}'"
        ))),
        reason::REF_NOT_PERMITTED => Some(patient.commands.apply(&format!(
            "{{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {{name: {secret}, namespace: {namespace}}}, \
             spec: {{from: [{{group: {GROUP}, kind: {kind}, namespace: {own}}}], to: [{{group: \"\", kind: Secret, name: {secret}}}]}}}}"
        ))),
        _ => None,
    }
}
