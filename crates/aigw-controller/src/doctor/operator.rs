//! The operator's Deployment and the Lease by which one of its pods leads.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::Api;

use super::finding::Report;
use super::patient::Patient;
use crate::look::{Operator, SetUp, answered};
use crate::options::Election;

/// No operator was found.
pub(super) fn missing(patient: &Patient<'_>, set_up: &SetUp, report: &mut Report) {
    if let Some(why) = &set_up.hidden {
        let fix = patient.commands.kubectl("auth can-i list deployments.apps -A");
        return report.warning("operator", format!("not looked at: {why}"), fix);
    }
    report.problem(
        "operator",
        "no Deployment runs `aigw controller`",
        patient
            .commands
            .helm("install aigw charts/aigw --namespace aigw-system --create-namespace --wait"),
    );
}

pub(super) fn about(operator: &Operator) -> String {
    format!("operator {}/{}", operator.namespace, operator.name)
}

pub(super) async fn examine(patient: &Patient<'_>, operator: &Operator, report: &mut Report) {
    let about = about(operator);
    let (namespace, name) = (&operator.namespace, &operator.name);
    let logs = patient
        .commands
        .kubectl(format!("-n {namespace} logs deployment/{name} --all-pods"));
    let selector: Vec<String> = operator
        .selector
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let describe = patient
        .commands
        .kubectl(format!("-n {namespace} describe pods -l {}", selector.join(",")));
    let state = format!("{} of {} pods are ready", operator.ready, operator.replicas);
    match (operator.ready, operator.replicas) {
        (_, 0) => report.problem(
            &about,
            "is scaled to none: changes are not served",
            patient
                .commands
                .kubectl(format!("-n {namespace} scale deployment/{name} --replicas=2")),
        ),
        (0, _) => report.problem(&about, format!("{state}: changes are not served"), describe),
        (ready, wanted) if ready < wanted => report.warning(&about, state, describe),
        _ => report.ok(&about, state),
    }
    let version = operator.labels.get("app.kubernetes.io/version");
    let own = env!("CARGO_PKG_VERSION");
    if let Some(version) = version.filter(|version| *version != own) {
        report.warning(
            &about,
            format!("is of {version}, and this is {own}: they may not plan alike"),
            patient.commands.helm(format!(
                "upgrade {} charts/aigw --namespace {namespace} --reuse-values --wait",
                operator.release()
            )),
        );
    }
    let alone = operator
        .arguments
        .iter()
        .any(|one| one == "--leader-election=false");
    if !alone {
        lease(patient, operator, logs, report).await;
    }
}

async fn lease(patient: &Patient<'_>, operator: &Operator, logs: String, report: &mut Report) {
    let name = Election::default().lease;
    let about = format!("Lease {}/{name}", operator.namespace);
    let api: Api<Lease> = Api::namespaced(patient.client.clone(), &operator.namespace);
    let lease = match answered(api.get_opt(&name)).await {
        Ok(Some(lease)) => lease,
        Ok(None) => return report.problem(about, "is not there: no operator has ever led", logs),
        Err(error) => {
            let fix = patient
                .commands
                .kubectl(format!("-n {} auth can-i get leases/{name}", operator.namespace));
            return report.warning(about, format!("not looked at: {error}"), fix);
        }
    };
    let spec = lease.spec.unwrap_or_default();
    let holder = spec.holder_identity.unwrap_or_default();
    if holder.is_empty() {
        return report.problem(about, "nobody holds it: changes are not served", logs);
    }
    let age = spec
        .renew_time
        .map(|renewed| Timestamp::now().duration_since(renewed.0).as_secs());
    let lasts = i64::from(spec.lease_duration_seconds.unwrap_or(15));
    match age {
        // Clocks differ by a little.
        Some(age) if age > lasts * 2 => report.problem(
            about,
            format!("`{holder}` holds it and has not renewed it for {age} s: changes are not served"),
            logs,
        ),
        _ => report.ok(about, format!("`{holder}` leads")),
    }
}

/// Two operators of one controller that look at the same objects undo each other's work.
pub(super) fn compare(patient: &Patient<'_>, set_ups: &[SetUp], report: &mut Report) {
    for (at, one) in set_ups.iter().enumerate() {
        for other in set_ups.iter().skip(at + 1) {
            let (Some(first), Some(second)) = (&one.operator, &other.operator) else {
                continue;
            };
            let everywhere = one.namespaces.is_empty() || other.namespaces.is_empty();
            let meet = everywhere || one.namespaces.iter().any(|name| other.namespaces.contains(name));
            // Those of one namespace share a lease.
            let apart = first.namespace != second.namespace;
            if one.plan.controller_name == other.plan.controller_name && meet && apart {
                let what = format!(
                    "serves the controllerName {} in the same namespaces as {}",
                    one.plan.controller_name,
                    about(first)
                );
                report.problem(
                    about(second),
                    what,
                    patient.commands.helm(format!(
                        "uninstall {} --namespace {}",
                        second.release(),
                        second.namespace
                    )),
                );
            }
        }
    }
}
