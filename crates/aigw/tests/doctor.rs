//! `aigw doctor`, against a real API server: what is broken is found, with its fix. The status of the operator's Deployment and of
//! the pod is written by the test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests"
)]

#[path = "../../aigw-controller/tests/common/mod.rs"]
mod common;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use common::{POD_IP, Space, TestPod, cluster, controller_of, eventually, one_model, prepare, rules};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

struct Doctor<'a> {
    space: &'a Space<'a>,
    kubeconfig: PathBuf,
}

impl Doctor<'_> {
    fn aigw(&self, arguments: &[&str]) -> (bool, String) {
        let out = Command::new(env!("CARGO_BIN_EXE_aigw"))
            .args(arguments)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .output()
            .unwrap();
        let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
        assert!(!text.contains("sk-first"), "a key is shown: {text}");
        (out.status.success(), text)
    }

    /// Whether it is content, and its findings.
    fn examine(&self) -> (bool, Vec<Value>) {
        let (good, text) = self.aigw(&["doctor", "--output=json", "-n", &self.space.name]);
        let said: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let problems = said["summary"]["problem"].as_u64().unwrap();
        assert_eq!(good, problems == 0, "{text}");
        (good, said["findings"].as_array().unwrap().clone())
    }

    /// Waits for a finding of the level: parts of what it is about, of what it says and of its fix.
    async fn finds(&self, level: &str, [about, what, fix]: [&str; 3]) -> Value {
        let holds = |one: &Value, name: &str, part: &str| {
            one[name].as_str().unwrap_or_default().contains(part) || part.is_empty()
        };
        eventually(Duration::from_secs(20), || async {
            let (_, found) = self.examine();
            let one = found.iter().find(|one| {
                one["level"] == level
                    && holds(one, "about", about)
                    && holds(one, "what", what)
                    && holds(one, "fix", fix)
            });
            one.cloned()
                .ok_or_else(|| format!("no {level} {about}: {what} ({fix}) in {found:#?}"))
        })
        .await
    }

    async fn is_content(&self) {
        eventually(Duration::from_secs(20), || async {
            let (good, found) = self.examine();
            good.then_some(()).ok_or_else(|| format!("{found:#?}"))
        })
        .await;
    }
}

/// What the chart makes, with its rights.
async fn install(space: &Space<'_>, name: &str, claim: &str) {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/instance": name,
            "app.kubernetes.io/version": env!("CARGO_PKG_VERSION")}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"serviceAccountName": "aigw", "containers": [{"name": "aigw", "image": "ghcr.io/aigw/aigw:0.1.0",
                "args": ["controller", format!("--watch-namespace={}", space.name),
                    format!("--controller-name={}", controller_of(space)), format!("--claim-envoy-gateway={claim}")]}]}}}});
    space.apply(&deployment.to_string()).await;
    pods_ready(space, name, 2).await;
}

async fn pods_ready(space: &Space<'_>, name: &str, count: i32) {
    let api: Api<Deployment> = space.api();
    let patch = json!({"status": {"replicas": 2, "readyReplicas": count}});
    let patch = Patch::Merge(&patch);
    api.patch_status(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// Gives the ServiceAccount `aigw` these rules of the chart.
async fn grant(space: &Space<'_>, rules: &Value) {
    let name = &space.name;
    let group = "rbac.authorization.k8s.io";
    for (role, part) in [
        ("ClusterRole", "cluster"),
        ("Role", "namespaces"),
        ("Role", "own"),
    ] {
        let title = format!("account-{part}-{name}");
        let binding = format!("{role}Binding");
        let api_version = format!("{group}/v1");
        let role_object = json!({"apiVersion": api_version, "kind": role, "metadata": {"name": title}, "rules": rules[part]});
        let bound = json!({"apiVersion": api_version, "kind": binding, "metadata": {"name": title},
            "roleRef": {"apiGroup": group, "kind": role, "name": title},
            "subjects": [{"kind": "ServiceAccount", "name": "aigw", "namespace": name}]});
        space.apply(&role_object.to_string()).await;
        space.apply(&bound.to_string()).await;
    }
}

async fn patch_definition(space: &Space<'_>, name: &str, patch: Value, status: bool) {
    let api: Api<CustomResourceDefinition> = Api::all(space.client.clone());
    let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
    match status {
        true => api.patch_status(name, &params, &patch).await.unwrap(),
        false => api.patch(name, &params, &patch).await.unwrap(),
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_found_with_its_fix() {
    let cluster = cluster().await;
    let space = cluster.space("doctor").await;
    let kubeconfig = cluster.folder().join("doctor.kubeconfig");
    std::fs::write(&kubeconfig, cluster.kubeconfig("admin", &["system:masters"])).unwrap();
    let doctor = Doctor {
        space: &space,
        kubeconfig,
    };
    let (name, whole) = (space.name.as_str(), one_model(&space.name));

    // Nothing is installed.
    doctor
        .finds(
            "problem",
            ["operator", "no Deployment runs", "install aigw charts/aigw"],
        )
        .await;
    let found = doctor
        .finds(
            "problem",
            [
                "GatewayClass",
                "none has the controllerName",
                "kind: GatewayClass",
            ],
        )
        .await;
    let fix = found["fix"].as_str().unwrap();
    assert!(
        fix.starts_with("kubectl --kubeconfig ") && fix.ends_with("\nEOF"),
        "{fix}"
    );

    // All is well.
    prepare(&space, &rules()).await;
    install(&space, "op", "never").await;
    grant(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    space.apply(&whole).await;
    // Only the API server reaches this pod, so that what the doctor says of it comes from there.
    let _network = cluster.pod_network();
    let pod = TestPod::start_at(&space, "gw", "pod-1", POD_IP).await;
    doctor.is_content().await;
    doctor
        .finds(
            "ok",
            ["Gateway", "1 of 1 ready pods serve the newest snapshot", ""],
        )
        .await;
    doctor.finds("ok", ["operator", "rights of the chart", ""]).await;
    doctor.finds("ok", ["Lease", "`one` leads", ""]).await;
    doctor.finds("ok", ["credentials", "1 can be read", ""]).await;
    let (good, text) = doctor.aigw(&["doctor", "-n", name]);
    assert!(
        good && text.contains("\n0 problems, ") && text.contains("ok       Kubernetes: v"),
        "{text}"
    );

    // The operator.
    pods_ready(&space, "op", 0).await;
    doctor
        .finds(
            "problem",
            ["operator", "0 of 2 pods are ready", "describe pods -l app=op"],
        )
        .await;
    pods_ready(&space, "op", 1).await;
    doctor
        .finds("warning", ["operator", "1 of 2 pods are ready", "describe pods"])
        .await;
    pods_ready(&space, "op", 2).await;
    let mut less = rules();
    for rule in less["namespaces"].as_array_mut().unwrap() {
        rule["resources"]
            .as_array_mut()
            .unwrap()
            .retain(|one| one != "endpointslices");
        let resources = rule["resources"].as_array().unwrap().len();
        if resources == 0 {
            rule["resources"] = json!(["none"]);
        }
    }
    grant(&space, &less).await;
    let wanted = format!("may not: list, watch endpointslices.discovery.k8s.io in {name}");
    doctor
        .finds("problem", ["operator", &wanted, "upgrade op charts/aigw"])
        .await;
    grant(&space, &rules()).await;
    doctor.is_content().await;

    // Definitions. The fix is run as it is said.
    let quota = "quotapolicies.aigateway.envoyproxy.io";
    space.delete_definition(quota).await;
    let found = doctor
        .finds("problem", [quota, "is not there", "aigw crds apply"])
        .await;
    let fix = found["fix"].as_str().unwrap();
    assert!(fix.starts_with("aigw crds apply --kubeconfig "), "{fix}");
    let (good, said) = doctor.aigw(&["crds", "apply"]);
    assert!(good, "{said}");
    doctor.is_content().await;
    let older = json!({"metadata": {"annotations": {"aigateway.envoyproxy.io/crds-version": "0.0.1"}}});
    patch_definition(&space, quota, older, false).await;
    doctor
        .finds(
            "warning",
            [quota, "is older than this release (of 0.0.1)", "aigw crds apply"],
        )
        .await;
    assert!(doctor.aigw(&["crds", "apply"]).0);
    let routes = "aigatewayroutes.aigateway.envoyproxy.io";
    let stored = json!({"status": {"storedVersions": ["v1alpha1", "v1beta1"]}});
    patch_definition(&space, routes, stored, true).await;
    doctor
        .finds(
            "warning",
            [
                routes,
                "may still be stored as v1alpha1",
                "replace -f - && kubectl",
            ],
        )
        .await;

    // Classes.
    space.apply(&format!("{{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {{name: eg-{name}}}, spec: {{controllerName: gateway.envoyproxy.io/gatewayclass-controller}}}}")).await;
    doctor
        .finds(
            "warning",
            [
                &format!("eg-{name}"),
                "nobody serves it",
                "claimEnvoyGateway=auto",
            ],
        )
        .await;
    space.apply("{apiVersion: apps/v1, kind: Deployment, metadata: {name: eg, labels: {control-plane: envoy-gateway}}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}").await;
    doctor
        .finds("ok", [&format!("eg-{name}"), "is left to the Envoy Gateway", ""])
        .await;
    install(&space, "op", "always").await;
    doctor
        .finds(
            "problem",
            [&format!("eg-{name}"), "serves it too", "claimEnvoyGateway=auto"],
        )
        .await;
    install(&space, "op", "never").await;
    space.delete("apps", "Deployment", "eg").await;
    let elsewhere = cluster.space("second").await;
    let second = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "other"},
        "spec": {"selector": {"matchLabels": {"app": "other"}}, "template": {"metadata": {"labels": {"app": "other"}},
            "spec": {"containers": [{"name": "aigw", "image": "aigw",
                "args": ["controller", format!("--controller-name={}", controller_of(&space))]}]}}}});
    elsewhere.apply(&second.to_string()).await;
    doctor
        .finds(
            "problem",
            ["operator second", "in the same namespaces as", "uninstall other"],
        )
        .await;
    elsewhere.delete("apps", "Deployment", "other").await;
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "gateway.networking.k8s.io",
        "v1",
        "GatewayClass",
    ));
    let classes: Api<DynamicObject> = Api::all_with(space.client.clone(), &kind);
    let theirs = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": name},
        "status": {"conditions": [{"type": "Theirs", "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let params = PatchParams::apply("another-controller").force();
    classes
        .patch_status(name, &params, &Patch::Apply(&theirs))
        .await
        .unwrap();
    doctor
        .finds(
            "problem",
            [
                &format!("GatewayClass {name}"),
                "`another-controller` writes its status too",
                "--show-managed-fields",
            ],
        )
        .await;
    let nothing = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": name}});
    classes
        .patch_status(name, &params, &Patch::Apply(&nothing))
        .await
        .unwrap();
    doctor.is_content().await;

    // Gateways and pods.
    let lost = whole
        .replace("metadata: {name: gw}", "metadata: {name: lost}")
        .replace(&format!("gatewayClassName: {name}"), "gatewayClassName: none");
    space.apply_kind(&lost, "Gateway").await;
    doctor
        .finds(
            "problem",
            [
                "/lost",
                "there is no GatewayClass none",
                &format!("\"gatewayClassName\":\"{name}\""),
            ],
        )
        .await;
    space.delete("gateway.networking.k8s.io", "Gateway", "lost").await;
    pod.set_ready(false).await;
    doctor
        .finds("problem", ["/gw", "0 of 1 pods are ready", "describe pods"])
        .await;
    pod.set_ready(true).await;
    *pod.refuses.lock().unwrap() = Some("a test says so".to_owned());
    doctor
        .finds(
            "problem",
            [
                "Pod",
                "its Envoy or a listener refuses the newest configuration: a test says so",
                "logs pod-1 -c aigw",
            ],
        )
        .await;
    *pod.refuses.lock().unwrap() = None;
    doctor.is_content().await;

    // Credentials and objects.
    space.delete("", "Secret", "s").await;
    doctor
        .finds(
            "problem",
            [
                "BackendSecurityPolicy",
                "SecretNotFound",
                "create secret generic s --from-literal=apiKey=",
            ],
        )
        .await;
    space
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {wrong: sk-first}}")
        .await;
    doctor
        .finds(
            "problem",
            ["BackendSecurityPolicy", "KeyNotFound", "patch secret s"],
        )
        .await;
    space.apply(&whole).await;
    doctor.is_content().await;
    space
        .apply(&whole.replace(
            "  rules:",
            "  llmRequestCosts: [{metadataKey: c, type: CEL, cel: 'no ( such'}]\n  rules:",
        ))
        .await;
    doctor
        .finds("problem", ["objects", "1 errors", &format!("-n {name}")])
        .await;
    space.apply_kind(&whole, "AIGatewayRoute").await;

    // Whoever may look at nothing is told so.
    let nobody = cluster.folder().join("nobody.kubeconfig");
    std::fs::write(&nobody, cluster.kubeconfig("nobody", &[])).unwrap();
    let nobody = Doctor {
        space: &space,
        kubeconfig: nobody,
    };
    nobody
        .finds(
            "warning",
            ["operator", "not looked at", "auth can-i list deployments.apps"],
        )
        .await;
    nobody
        .finds(
            "warning",
            [
                "your account",
                "may not get pods/proxy",
                "auth can-i get pods --subresource=proxy",
            ],
        )
        .await;
    assert!(nobody.examine().0, "what may not be looked at is no problem");

    // Nobody leads; nobody answers.
    operator.stop().await;
    doctor
        .finds("problem", ["Lease", "nobody holds it", "logs deployment/op"])
        .await;
    cluster.kill_server();
    doctor
        .finds("problem", ["Kubernetes", "cannot be asked", "kubectl"])
        .await;
    cluster.start_server().await;
}
