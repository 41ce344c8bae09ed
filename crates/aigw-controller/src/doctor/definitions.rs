//! CustomResourceDefinitions: ours, Gateway API's, those that stand in for Envoy Gateway's.

use std::collections::BTreeMap;

use aigw_api::{CRDS_ANNOTATION, GATEWAY_GROUP, GROUP};
use aigw_plan::cluster::knows_gateway_api;
use serde_json::{Value, json};

use super::finding::Report;
use super::patient::Patient;
use crate::crds::{Decision, Definition, all, decide};
use crate::surroundings::{BUNDLE_VERSION, resource};

const ABOUT: &str = "definitions";

pub(super) async fn examine(patient: &Patient<'_>, report: &mut Report) {
    let kind = resource(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    );
    let Some(found) = patient.list(&kind, &[], None, report).await else {
        return;
    };
    let installed: BTreeMap<String, Value> = found
        .into_iter()
        .map(|one| (one.metadata.name.clone().unwrap_or_default(), json!(one)))
        .collect();
    let ours = match all() {
        Ok(ours) => ours,
        Err(error) => return report.warning(ABOUT, format!("ours cannot be read: {error}"), None),
    };
    let mut current = 0;
    for one in &ours {
        current += usize::from(is_current(patient, one, installed.get(one.name()), report));
    }
    if current > 0 {
        report.ok(ABOUT, format!("{current} of {} are of this release", ours.len()));
    }
    if let Some(gateways) = installed.get("gateways.gateway.networking.k8s.io") {
        gateway_api(patient, gateways, report);
    }
}

fn is_current(
    patient: &Patient<'_>,
    ours: &Definition,
    installed: Option<&Value>,
    report: &mut Report,
) -> bool {
    let name = ours.name();
    let about = format!("CRD {name}");
    let apply = || patient.commands.aigw("crds apply");
    let gateway = ["gateways", "gatewayclasses"].map(|plural| format!("{plural}.{GATEWAY_GROUP}"));
    let needed = name.ends_with(GROUP) || gateway.iter().any(|one| one == name);
    let Some(there) = installed else {
        let what = "is not there";
        match needed {
            true => report.problem(about, what, apply()),
            false => report.warning(about, format!("{what}; its objects count as missing"), apply()),
        }
        return false;
    };
    health(patient, &about, ours, there, report);
    match decide(installed, &ours.object) {
        Decision::Current => true,
        Decision::Update => {
            let said = there["metadata"]["annotations"][CRDS_ANNOTATION].as_str();
            let of = said.map_or_else(
                || "of another installation".to_owned(),
                |said| format!("of {said}"),
            );
            report.warning(about, format!("is older than this release ({of})"), apply());
            false
        }
        Decision::Keep(why) if why.starts_with("it is Envoy Gateway's own") => {
            report.ok(about, "is Envoy Gateway's own");
            false
        }
        Decision::Keep(why) => {
            let fix = patient
                .commands
                .kubectl(format!("get crd {name} -o jsonpath='{{.metadata.annotations}}'"));
            let what = format!("is not of this release and stays as it is, since {why}");
            report.warning(about, what, fix);
            false
        }
        // It is there.
        Decision::Create => false,
    }
}

/// Whether it is served, and which versions its objects may be stored as.
fn health(patient: &Patient<'_>, about: &str, ours: &Definition, there: &Value, report: &mut Report) {
    let name = ours.name();
    let conditions = there["status"]["conditions"].as_array().into_iter().flatten();
    for one in conditions.filter(|one| {
        (one["type"] == "Established" || one["type"] == "NamesAccepted") && one["status"] != "True"
    }) {
        let message = one["message"].as_str().unwrap_or_default();
        let what = format!("is not served: {message}");
        report.problem(
            about,
            what,
            patient.commands.kubectl(format!("describe crd {name}")),
        );
    }
    let served = |wanted: &str| {
        let versions = there["spec"]["versions"].as_array().into_iter().flatten();
        versions
            .into_iter()
            .any(|one| one["name"] == wanted && one["served"] == true)
    };
    let versions = ours.object["spec"]["versions"].as_array().into_iter().flatten();
    let stored_now = versions
        .filter(|one| one["storage"] == true)
        .filter_map(|one| one["name"].as_str());
    for version in stored_now {
        if !served(version) {
            let what = format!("does not serve the version {version}");
            report.problem(about, what, patient.commands.aigw("crds apply"));
        }
        older_objects(patient, about, ours, there, version, report);
    }
}

/// Objects that may still be stored as another version keep that version from being dropped by a later release.
fn older_objects(
    patient: &Patient<'_>,
    about: &str,
    ours: &Definition,
    there: &Value,
    version: &str,
    report: &mut Report,
) {
    let stored = there["status"]["storedVersions"].as_array().into_iter().flatten();
    let old: Vec<&str> = stored
        .filter_map(Value::as_str)
        .filter(|one| *one != version)
        .collect();
    let is_stored_now = |one: &&Value| one["storage"] == true;
    let versions = there["spec"]["versions"].as_array().into_iter().flatten();
    let now = versions
        .into_iter()
        .find(is_stored_now)
        .and_then(|one| one["name"].as_str());
    // Before ours is applied, they would be written as the older version again.
    if old.is_empty() || now != Some(version) {
        return;
    }
    let name = ours.name();
    let rewrite = patient.commands.kubectl(format!("get {name} -A -o json"));
    let replace = patient.commands.kubectl("replace -f -");
    let forget = patient.commands.kubectl(format!(
        "patch crd {name} --subresource=status --type=merge -p '{{\"status\":{{\"storedVersions\":[\"{version}\"]}}}}'"
    ));
    report.warning(
        about,
        format!("objects may still be stored as {}", old.join(", ")),
        format!("{rewrite} | {replace} && {forget}"),
    );
}

fn gateway_api(patient: &Patient<'_>, gateways: &Value, report: &mut Report) {
    const ABOUT: &str = "Gateway API";
    let annotations = &gateways["metadata"]["annotations"];
    let channel = annotations["gateway.networking.k8s.io/channel"]
        .as_str()
        .unwrap_or("unknown");
    match annotations[BUNDLE_VERSION].as_str() {
        Some(version) if knows_gateway_api(version) => {
            report.ok(ABOUT, format!("{version}, {channel} channel"));
        }
        Some(version) => report.warning(
            ABOUT,
            format!(
                "{version} is a version that was not tried; it is served as far as it is like those that were"
            ),
            patient.commands.aigw("crds apply"),
        ),
        None => report.warning(
            ABOUT,
            "its definitions do not say their version",
            patient
                .commands
                .kubectl("get crd gateways.gateway.networking.k8s.io -o jsonpath='{.metadata.annotations}'"),
        ),
    }
}
