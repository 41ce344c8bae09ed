//! Workloads. Each folder of `golden/workload` has an `input.yaml` (a Gateway, and its GatewayConfig and EnvoyProxy where it has
//! them) and what comes of it: `objects.yaml`, and `ignored` fields when there are any. `UPDATE_GOLDEN=1` writes them anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aigw_api::{Gateway, GatewayConfig};
use aigw_plan::workload::{Input, Workload, WorkloadOptions, workload};
use serde_json::{Value, json};

/// What the objects are made from.
#[derive(Clone, Debug, Default)]
struct Case {
    gateway: Gateway,
    config: Option<GatewayConfig>,
    proxy: Option<Value>,
}

impl Case {
    fn read(yaml: &str) -> Self {
        let mut case = Self::default();
        for object in serde_yaml::from_multiple::<Value>(yaml).unwrap() {
            match object["kind"].as_str().unwrap() {
                "Gateway" => case.gateway = serde_json::from_value(object).unwrap(),
                "GatewayConfig" => case.config = Some(serde_json::from_value(object).unwrap()),
                "EnvoyProxy" => case.proxy = Some(object["spec"].clone()),
                kind => panic!("a {kind} has no place here"),
            }
        }
        case
    }

    fn plan(&self) -> Result<Workload, String> {
        let input = Input {
            gateway: &self.gateway,
            config: self.config.as_ref(),
            proxy: self.proxy.as_ref(),
        };
        let mut options = WorkloadOptions::default();
        options.images.aigw = "registry.example.com/aigw:1.2.3".to_owned();
        workload(&input, &options).map_err(|error| error.to_string())
    }

    fn object(&self, kind: &str) -> Value {
        let planned = self.plan().unwrap();
        let found = planned.objects.into_iter().find(|object| object["kind"] == kind);
        found.unwrap_or_default()
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/workload")
}

fn case(name: &str) -> Case {
    let path = golden().join(name).join("input.yaml");
    Case::read(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn golden_workloads() {
    let mut wrong = Vec::new();
    let mut folders: Vec<_> = std::fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert!(folders.len() >= 3, "{folders:?}");
    for folder in folders {
        let case = Case::read(&std::fs::read_to_string(folder.join("input.yaml")).unwrap());
        let planned = case.plan().unwrap();
        assert_eq!(planned, case.plan().unwrap(), "twice the same");
        let mut objects = String::new();
        for object in &planned.objects {
            write!(objects, "---\n{}", serde_yaml::to_string(object).unwrap()).unwrap();
        }
        let mut ignored = String::new();
        for one in &planned.ignored {
            writeln!(ignored, "{} {}", one.kind, one.field).unwrap();
        }
        for (name, text) in [("objects.yaml", objects), ("ignored", ignored)] {
            let path = folder.join(name);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                match text.is_empty() {
                    true => drop(std::fs::remove_file(&path)),
                    false => std::fs::write(&path, &text).unwrap(),
                }
            }
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            if expected != text {
                wrong.push(format!("{}:\n{text}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn listeners_change_no_pod() {
    for name in ["native", "envoy", "settings"] {
        let before = case(name);
        let mut after = before.clone();
        let listener = &mut after.gateway.spec.listeners[0];
        listener.port = 9090;
        listener.protocol = "HTTPS".to_owned();
        let mut more = listener.clone();
        more.port = 81;
        after.gateway.spec.listeners.push(more);
        assert_ne!(before.object("Service"), after.object("Service"), "{name}");
        assert_eq!(before.object("Deployment"), after.object("Deployment"), "{name}");
    }
}

#[test]
fn each_of_the_settings_changes_what_it_is_to_change() {
    let before = case("native");
    let with = |change: Value| {
        let mut after = before.clone();
        let mut spec = json!(after.config.unwrap().spec);
        spec.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        after.config =
            Some(serde_json::from_value(json!({"metadata": {"name": "ai"}, "spec": spec})).unwrap());
        after
    };
    let grace = |case: Case| {
        case.object("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].clone()
    };
    assert_eq!(grace(before.clone()), json!(630));
    assert_eq!(grace(with(json!({"drain": {"timeout": "1h"}}))), json!(3_630));
    let replicas = |case: Case| case.object("Deployment")["spec"]["replicas"].clone();
    assert_eq!(replicas(with(json!({"replicas": 5}))), json!(5));
    let scaled = with(json!({"replicas": 5, "autoscaling": {"maxReplicas": 4, "cpuUtilization": 50}}));
    assert_eq!(replicas(scaled.clone()), json!(null));
    let scaler = scaled.object("HorizontalPodAutoscaler");
    assert_eq!(scaler["spec"]["maxReplicas"], json!(4));
    assert_eq!(
        scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
        json!(50)
    );
    let outside = with(json!({"service": {"type": "ClusterIP"}}));
    assert_eq!(outside.object("Service")["spec"]["type"], json!("ClusterIP"));
}

#[test]
fn what_cannot_be_followed_is_said_and_makes_nothing() {
    let rows = [
        (
            json!({"shutdown": {"drainTimeout": "soon"}}),
            "EnvoyProxy: spec.shutdown.drainTimeout: `soon` is not a duration",
        ),
        (
            json!({"shutdown": {"drainTimeout": "25h"}}),
            "EnvoyProxy: spec.shutdown.drainTimeout: `25h` is more than a day",
        ),
        (
            json!({"provider": {"kubernetes": {"envoyHpa": {"minReplicas": 3, "maxReplicas": 2}}}}),
            "EnvoyProxy: spec.provider.kubernetes.envoyHpa: maxReplicas is 2, and must be minReplicas (3) or more",
        ),
        (
            json!({"provider": {"kubernetes": {"envoyDeployment": {"replicas": "many"}}}}),
            "EnvoyProxy: spec: cannot be read: invalid type: string \"many\"",
        ),
    ];
    for (proxy, expected) in rows {
        let case = Case {
            proxy: Some(proxy),
            ..case("envoy")
        };
        let error = case.plan().unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_gateway_without_a_port_that_can_be_served_has_no_service() {
    let mut case = case("envoy");
    case.gateway
        .spec
        .listeners
        .retain(|listener| listener.protocol == "TCP");
    let planned = case.plan().unwrap();
    assert_eq!(planned.service, None);
    assert!(planned.objects.iter().all(|object| object["kind"] != "Service"));
}

#[test]
fn what_is_said_of_envoy_has_no_effect_without_one() {
    let case = Case {
        proxy: Some(
            json!({"concurrency": 2, "provider": {"kubernetes": {"envoyDeployment": {"container": {"image": "a:b"}}}}}),
        ),
        ..case("native")
    };
    let planned = case.plan().unwrap();
    let fields: Vec<&str> = planned.ignored.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.concurrency",
            "spec.provider.kubernetes.envoyDeployment.container"
        ]
    );
    assert!(!case.object("Deployment").to_string().contains("a:b"));
}
