//! `aigw controller` as a process, against a real API server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "../../aigw-controller/tests/common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{
    Process, Space, cluster, controller_of, eventually, one_model, prepare, read_snapshot, rules, user_of,
};
use k8s_openapi::api::coordination::v1::Lease;

fn start(space: &Space<'_>, folder: &Path, identity: &str) -> Process {
    let kubeconfig = folder.join(format!("{}.kubeconfig", space.name));
    let text = space.cluster.kubeconfig(&user_of(space), &[]);
    std::fs::write(&kubeconfig, text).unwrap();
    let arguments = [
        "controller".to_owned(),
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--namespace={}", space.name),
        format!("--watch-namespace={}", space.name),
        format!("--identity={identity}"),
        format!("--controller-name={}", controller_of(space)),
        "--claim-envoy-gateway=never".to_owned(),
        "--admin=127.0.0.1:0".to_owned(),
        format!("--ready-file={}", ready_file(folder, identity).display()),
        "--lease-duration=2s".to_owned(),
        "--renew-deadline=1500ms".to_owned(),
        "--retry-period=250ms".to_owned(),
    ];
    let log = folder.join(format!("{identity}.log"));
    Process::start(Path::new(env!("CARGO_BIN_EXE_aigw")), &arguments, &[], &log)
}

fn ready_file(folder: &Path, identity: &str) -> PathBuf {
    folder.join(format!("{identity}.json"))
}

async fn leads(space: &Space<'_>, identity: &str) {
    eventually(Duration::from_secs(20), || async {
        let lease = space.api::<Lease>().get_opt("aigw-controller").await;
        let lease = lease.map_err(|error| error.to_string())?;
        let holder = lease
            .and_then(|lease| lease.spec?.holder_identity)
            .unwrap_or_default();
        (holder == identity)
            .then_some(())
            .ok_or(format!("`{holder}` holds the lease"))
    })
    .await;
}

async fn serves(space: &Space<'_>, model: &str) {
    let changed = one_model(&space.name).replace("value: m", &format!("value: {model}"));
    space.apply(&changed).await;
    eventually(Duration::from_secs(10), || async {
        let (_, contents) = read_snapshot(&space.api(), "gw").await.ok_or("no snapshot")?;
        let text = serde_json::to_string(&contents.document).unwrap();
        text.contains(model).then_some(()).ok_or(text)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_works_until_it_is_killed_or_told_to_stop() {
    let cluster = cluster().await;
    let space = cluster.space("process").await;
    prepare(&space, &rules()).await;
    let folder = cluster.folder().to_owned();
    let first = start(&space, &folder, "first");
    leads(&space, "first").await;
    serves(&space, "one").await;
    assert!(
        std::fs::read_to_string(ready_file(&folder, "first"))
            .unwrap()
            .contains("127.0.0.1:")
    );

    // Killed with SIGKILL; the other one takes over.
    let second = start(&space, &folder, "second");
    drop(first);
    serves(&space, "two").await;
    leads(&space, "second").await;

    // Told to stop: the lease is free at once, and the process ends.
    let told = Command::new("kill")
        .args(["-TERM", &second.pid().to_string()])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(told.success());
    leads(&space, "").await;
    eventually(Duration::from_secs(5), || async {
        second.ended().then_some(()).ok_or_else(|| second.tail())
    })
    .await;
}

#[test]
fn what_is_wrong_with_the_command_is_said() {
    let run = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_aigw"))
            .arg("controller")
            .args(arguments)
            .output()
            .unwrap();
        assert!(!out.status.success());
        String::from_utf8(out.stderr).unwrap()
    };
    let said = run(&["--kubeconfig=/nowhere"]);
    assert!(said.contains("the kubeconfig /nowhere cannot be used"), "{said}");
}
