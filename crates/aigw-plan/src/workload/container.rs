//! The containers: `aigw`, and Envoy before it.

use aigw_api::ContainerSettings;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, ExecAction, HTTPGetAction, Lifecycle, LifecycleHandler,
    Probe, ResourceRequirements, SeccompProfile, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::labels::Marks;
use super::options::Images;
use super::ports::{ADMIN_PORT, STATUS_PORT, STATUS_PORT_NAME};
use super::settings::Settings;
use super::volume::{self, BOOTSTRAP, COPY, RUN_DIR, SNAPSHOT, SOCKETS, TOKEN, TOOLS};

/// `aigw` alone.
pub(super) fn native(marks: &Marks, settings: &Settings, images: &Images) -> Container {
    let mut args = vec!["proxy".to_owned()];
    args.extend(serving(marks, settings));
    Container {
        lifecycle: Some(before_stop("aigw", settings)),
        ..aigw(args, settings, images)
    }
}

/// `aigw` as Envoy's sidecar: it starts before Envoy, and ends after it.
pub(super) fn sidecar(marks: &Marks, settings: &Settings, images: &Images) -> Container {
    let mut args = [
        "extproc",
        "--run-dir",
        RUN_DIR,
        "--bootstrap-to",
        BOOTSTRAP,
        "--copy-to",
        COPY,
    ]
    .map(str::to_owned)
    .to_vec();
    args.extend(serving(marks, settings));
    let mut container = aigw(args, settings, images);
    container.restart_policy = Some("Always".to_owned());
    let mounts = container.volume_mounts.get_or_insert_default();
    mounts.splice(2..2, [SOCKETS.mount(), TOOLS.mount()]);
    container
}

/// Envoy. It has no shell and no `aigw`; what its hook runs is the copy that the sidecar made.
pub(super) fn envoy(settings: &Settings, images: &Images) -> Container {
    let wanted = &settings.envoy;
    let level = settings
        .levels
        .get("default")
        .map_or("warning", |level| level_of_envoy(level));
    let mut args = [
        "--config-path",
        BOOTSTRAP,
        "--disable-hot-restart",
        "--log-level",
        level,
    ]
    .map(str::to_owned)
    .to_vec();
    let parts: Vec<String> = settings
        .levels
        .iter()
        .filter(|(part, _)| *part != "default")
        .map(|(part, level)| format!("{part}:{}", level_of_envoy(level)))
        .collect();
    if !parts.is_empty() {
        args.extend(["--component-log-level".to_owned(), parts.join(",")]);
    }
    if let Some(threads) = settings.concurrency {
        args.extend(["--concurrency".to_owned(), threads.to_string()]);
    }
    let mut mounts = vec![SOCKETS.mount(), TOOLS.read_only()];
    mounts.extend(wanted.volume_mounts.clone());
    Container {
        name: "envoy".to_owned(),
        image: Some(image(&images.envoy, wanted)),
        image_pull_policy: images.pull_policy.clone(),
        command: Some(vec!["envoy".to_owned()]),
        args: Some(args),
        env: (!wanted.env.is_empty()).then(|| wanted.env.clone()),
        resources: Some(resources(wanted, &[("cpu", "100m"), ("memory", "256Mi")])),
        security_context: Some(rights(wanted)),
        lifecycle: Some(before_stop(COPY, settings)),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// What both ways to run `aigw` have in common.
fn aigw(args: Vec<String>, settings: &Settings, images: &Images) -> Container {
    let wanted = &settings.aigw;
    let mut mounts = vec![TOKEN.read_only(), SNAPSHOT.mount()];
    mounts.extend(wanted.volume_mounts.clone());
    Container {
        name: "aigw".to_owned(),
        image: Some(image(&images.aigw, wanted)),
        image_pull_policy: images.pull_policy.clone(),
        args: Some(args),
        env: Some(environment(&wanted.env)),
        resources: Some(resources(wanted, &[("cpu", "100m"), ("memory", "128Mi")])),
        security_context: Some(rights(wanted)),
        // The operator asks here what the pod serves; listeners' ports are not named, so that they roll no pod.
        ports: Some(vec![ContainerPort {
            name: Some(STATUS_PORT_NAME.to_owned()),
            container_port: i32::from(STATUS_PORT),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        // It is alive as soon as its sockets are there, with or without a snapshot: Envoy may start then.
        startup_probe: Some(probe("/health", 1, 120)),
        readiness_probe: Some(probe("/ready", 2, 2)),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

fn serving(marks: &Marks, settings: &Settings) -> Vec<String> {
    let mut args = vec![
        "--snapshot".to_owned(),
        format!("{}/{}", marks.namespace(), marks.base()),
        "--state".to_owned(),
        SNAPSHOT.path().to_owned(),
        "--status".to_owned(),
        settings.family.any(STATUS_PORT),
        "--admin".to_owned(),
        format!("127.0.0.1:{ADMIN_PORT}"),
        "--drain-timeout".to_owned(),
        span(settings),
    ];
    if !settings.access_log {
        args.extend(["--access-log", "false"].map(str::to_owned));
    }
    args
}

/// The drain timeout as a flag has it.
fn span(settings: &Settings) -> String {
    format!("{}ms", settings.drain.as_millis())
}

/// For what is set by name: ours unless it is asked for otherwise.
fn environment(wanted: &[EnvVar]) -> Vec<EnvVar> {
    let mut all = vec![EnvVar {
        name: "AIGW_LOG_FORMAT".to_owned(),
        value: Some("json".to_owned()),
        value_from: None,
    }];
    for one in wanted {
        match all.iter_mut().find(|own| own.name == one.name) {
            Some(own) => *own = one.clone(),
            None => all.push(one.clone()),
        }
    }
    all
}

/// The image that is asked for; a repository alone gets the tag or digest of ours.
fn image(own: &str, wanted: &ContainerSettings) -> String {
    match (&wanted.image, &wanted.image_repository) {
        (Some(image), _) => image.clone(),
        (None, Some(repository)) => {
            let (_, last) = own.rsplit_once('/').unwrap_or(("", own));
            let end = last.find(['@', ':']).and_then(|at| last.get(at..));
            format!("{repository}{}", end.unwrap_or_default())
        }
        (None, None) => own.to_owned(),
    }
}

fn resources(wanted: &ContainerSettings, requests: &[(&str, &str)]) -> ResourceRequirements {
    wanted.resources.clone().unwrap_or_else(|| ResourceRequirements {
        requests: Some(volume::amounts(requests)),
        ..ResourceRequirements::default()
    })
}

fn rights(wanted: &ContainerSettings) -> SecurityContext {
    wanted
        .security_context
        .clone()
        .unwrap_or_else(|| SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: None,
            }),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..SecurityContext::default()
        })
}

fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(i32::from(STATUS_PORT)),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(2),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// Has `aigw` drain, itself and its Envoy, and returns when that is done.
fn before_stop(binary: &str, settings: &Settings) -> Lifecycle {
    let command = vec![
        binary.to_owned(),
        "drain".to_owned(),
        "--admin".to_owned(),
        format!("127.0.0.1:{ADMIN_PORT}"),
        "--timeout".to_owned(),
        span(settings),
    ];
    Lifecycle {
        pre_stop: Some(LifecycleHandler {
            exec: Some(ExecAction {
                command: Some(command),
            }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}

/// Envoy Gateway's names of levels are not all Envoy's.
fn level_of_envoy(level: &str) -> &str {
    match level {
        "warn" => "warning",
        level => level,
    }
}
