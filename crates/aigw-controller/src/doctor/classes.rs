//! GatewayClasses: whether there is one of ours, and whether somebody else claims it too.

use aigw_api::GATEWAY_GROUP;
use aigw_plan::cluster::{Claim, ENVOY_GATEWAY_CONTROLLER};
use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;

use super::finding::Report;
use super::patient::{Patient, condition, text};
use super::{gateways, operator};
use crate::look::{SetUp, list};
use crate::managed::MANAGER;
use crate::surroundings::{ENVOY_GATEWAY, resource};

/// Who wrote a status within this time is at work still.
const RECENTLY: i64 = 600;

pub(super) async fn examine(patient: &Patient<'_>, set_up: &SetUp, report: &mut Report) {
    let Some(classes) = patient.objects(GATEWAY_GROUP, "GatewayClass", &[], report).await else {
        return;
    };
    let deployments = resource("apps", "Deployment", "deployments");
    let envoy_gateway = list(patient.client, &deployments, &[], Some(ENVOY_GATEWAY)).await;
    let envoy_gateway = envoy_gateway.is_ok_and(|all| !all.is_empty());
    let claimed = match set_up.plan.claim {
        Claim::Auto => !envoy_gateway,
        Claim::Always => true,
        Claim::Never => false,
    };
    let controller = |class: &DynamicObject| text(class, "/spec/controllerName").to_owned();
    let (theirs, others): (Vec<_>, Vec<_>) = classes
        .iter()
        .partition(|class| controller(class) == ENVOY_GATEWAY_CONTROLLER);
    let own: Vec<&DynamicObject> = others
        .into_iter()
        .filter(|class| controller(class) == set_up.plan.controller_name)
        .collect();
    envoy_gateways(patient, set_up, &theirs, envoy_gateway, report);
    let mut ours = own.clone();
    if claimed {
        ours.extend(theirs);
    }
    if ours.is_empty() {
        report.problem(
            "GatewayClass",
            format!("none has the controllerName {}", set_up.plan.controller_name),
            patient.commands.apply(&format!(
                "{{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {{name: aigw}}, spec: {{controllerName: {}}}}}",
                set_up.plan.controller_name
            )),
        );
    }
    for class in &ours {
        of_class(patient, set_up, class, report);
    }
    let names: Vec<&str> = ours
        .iter()
        .filter_map(|one| one.metadata.name.as_deref())
        .collect();
    let all: Vec<&str> = classes
        .iter()
        .filter_map(|one| one.metadata.name.as_deref())
        .collect();
    gateways::examine(patient, set_up, &names, &all, report).await;
}

/// Classes of Envoy Gateway, which two controllers know how to serve.
fn envoy_gateways(
    patient: &Patient<'_>,
    set_up: &SetUp,
    theirs: &[&DynamicObject],
    runs: bool,
    report: &mut Report,
) {
    let claim = |value: &str| {
        let (release, namespace) = match &set_up.operator {
            Some(operator) => (operator.release(), operator.namespace.as_str()),
            None => ("aigw", "aigw-system"),
        };
        patient.commands.helm(format!(
            "upgrade {release} charts/aigw --namespace {namespace} --reuse-values --set claimEnvoyGateway={value} --wait"
        ))
    };
    for class in theirs {
        let about = format!(
            "GatewayClass {}",
            class.metadata.name.as_deref().unwrap_or_default()
        );
        match (set_up.plan.claim, runs) {
            (Claim::Always, true) => report.problem(
                about,
                "an Envoy Gateway runs in the cluster and serves it too: both write its Gateways' statuses and data planes",
                claim("auto"),
            ),
            (Claim::Never, false) => report.warning(
                about,
                "is Envoy Gateway's, which does not run in the cluster: nobody serves it",
                claim("auto"),
            ),
            (_, true) => report.ok(about, "is left to the Envoy Gateway that runs in the cluster"),
            (_, false) => {}
        }
    }
}

fn of_class(patient: &Patient<'_>, set_up: &SetUp, class: &DynamicObject, report: &mut Report) {
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let about = format!("GatewayClass {name}");
    let describe = || patient.commands.kubectl(format!("describe gatewayclass {name}"));
    let logs = || gateways::logs(patient, set_up);
    match condition(class, "Accepted") {
        Some(one) if one.current && one.status == "True" => report.ok(&about, one.message),
        Some(one) if one.current && one.status == "False" => {
            report.problem(&about, format!("{}: {}", one.reason, one.message), describe());
        }
        _ => report.problem(&about, "no operator has looked at it as it is now", logs()),
    }
    let entries = class.metadata.managed_fields.iter().flatten();
    for one in entries.filter(|one| one.subresource.as_deref() == Some("status")) {
        let Some(manager) = one.manager.as_deref().filter(|manager| *manager != MANAGER) else {
            continue;
        };
        let age = one
            .time
            .as_ref()
            .map(|time| Timestamp::now().duration_since(time.0).as_secs());
        if age.is_none_or(|age| age < RECENTLY) {
            let seen = patient
                .commands
                .kubectl(format!("get gatewayclass {name} -o yaml --show-managed-fields"));
            let who = set_up
                .operator
                .as_ref()
                .map_or_else(|| "this operator".to_owned(), operator::about);
            report.problem(
                &about,
                format!(
                    "`{manager}` writes its status too: another controller than {who} claims {}",
                    set_up.plan.controller_name
                ),
                seen,
            );
        }
    }
}
