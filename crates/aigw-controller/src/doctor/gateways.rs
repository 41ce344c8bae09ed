//! Gateways of our classes: whether the operator has looked at them, and whether pods serve them.

use aigw_api::GATEWAY_GROUP;
use kube::api::DynamicObject;

use super::finding::Report;
use super::patient::{Patient, condition, name, text};
use super::pods::{self, Pods};
use crate::look::SetUp;

/// `ours`: names of the classes that are served; `all`: of those that there are.
pub(super) async fn examine(
    patient: &Patient<'_>,
    set_up: &SetUp,
    ours: &[&str],
    all: &[&str],
    report: &mut Report,
) {
    let within = set_up.within(patient.namespaces);
    let Some(gateways) = patient.objects(GATEWAY_GROUP, "Gateway", &within, report).await else {
        return;
    };
    let mut pods: Option<Pods> = None;
    let mut served = 0;
    for gateway in &gateways {
        let class = text(gateway, "/spec/gatewayClassName");
        if !all.contains(&class) {
            report.problem(
                format!("Gateway {}", name(gateway)),
                format!("there is no GatewayClass {class}: nobody serves it"),
                patient.commands.kubectl(format!(
                    "{} patch gateway {} --type=merge -p '{{\"spec\":{{\"gatewayClassName\":\"{}\"}}}}'",
                    within_namespace(gateway),
                    gateway.metadata.name.as_deref().unwrap_or_default(),
                    ours.first().unwrap_or(&"aigw"),
                )),
            );
            continue;
        }
        if !ours.contains(&class) {
            continue;
        }
        served += 1;
        of_gateway(patient, set_up, gateway, report);
        if pods.is_none() {
            pods = Pods::list(patient, &within, report).await;
        }
        if let Some(pods) = &pods {
            pods::examine(patient, gateway, pods, report).await;
        }
    }
    if served == 0 && !ours.is_empty() {
        report.warning(
            "Gateway",
            format!("there is none of the class {}", ours.join(" or ")),
            patient.commands.apply(&format!(
                "{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: aigw, namespace: default}}, spec: \
                 {{gatewayClassName: {}, listeners: [{{name: http, protocol: HTTP, port: 80}}]}}}}",
                ours.first().unwrap_or(&"aigw"),
            )),
        );
    }
}

/// Where the operator says what hinders it.
pub(super) fn logs(patient: &Patient<'_>, set_up: &SetUp) -> String {
    match &set_up.operator {
        Some(operator) => patient.commands.kubectl(format!(
            "-n {} logs deployment/{} --all-pods",
            operator.namespace, operator.name
        )),
        None => patient
            .commands
            .helm("install aigw charts/aigw --namespace aigw-system --create-namespace --wait"),
    }
}

pub(super) fn within_namespace(object: &DynamicObject) -> String {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    format!("-n {namespace}")
}

fn of_gateway(patient: &Patient<'_>, set_up: &SetUp, gateway: &DynamicObject, report: &mut Report) {
    let about = format!("Gateway {}", name(gateway));
    let own = gateway.metadata.name.as_deref().unwrap_or_default();
    let describe = patient
        .commands
        .kubectl(format!("{} describe gateway {own}", within_namespace(gateway)));
    let accepted = condition(gateway, "Accepted");
    let Some(accepted) = accepted.filter(|one| one.current && one.status != "Unknown") else {
        report.problem(
            about,
            "no operator has looked at it as it is now",
            logs(patient, set_up),
        );
        return;
    };
    if accepted.status != "True" {
        report.problem(
            about,
            format!("{}: {}", accepted.reason, accepted.message),
            describe,
        );
        return;
    }
    match condition(gateway, "Programmed") {
        Some(one) if one.status == "True" => report.ok(about, "Programmed"),
        Some(one) if one.reason == "AddressNotAssigned" => report.warning(
            about,
            one.message,
            patient.commands.kubectl(format!(
                "{} port-forward service/{} 8080:80",
                within_namespace(gateway),
                aigw_config::shard::base(own)
            )),
        ),
        Some(one) if one.status == "False" => {
            report.problem(about, format!("{}: {}", one.reason, one.message), describe);
        }
        Some(one) => report.warning(about, format!("{}: {}", one.reason, one.message), describe),
        None => report.problem(about, "says nothing of being Programmed", logs(patient, set_up)),
    }
}
