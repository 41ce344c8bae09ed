//! `aigw check --kubeconfig`, against a real API server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "../../aigw-controller/tests/common/mod.rs"]
mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Space, cluster, controller_of, one_model, prepare, rules, user_of};

/// The Deployment of an operator that looks at the space alone, as the chart makes it.
fn operator(space: &Space<'_>) -> String {
    format!(
        r"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: op, labels: {{app.kubernetes.io/component: operator}}}}
spec:
  selector: {{matchLabels: {{app: op}}}}
  template:
    metadata: {{labels: {{app: op}}}}
    spec:
      containers:
        - name: aigw
          image: ghcr.io/aigw/aigw:0.1.0
          args: [controller, --watch-namespace={name}, --claim-envoy-gateway=never]
          env: [{{name: AIGW_CONTROLLER_NAME, value: {controller}}}]
",
        name = space.name,
        controller = controller_of(space)
    )
}

fn kubeconfig(space: &Space<'_>, user: &str, groups: &[&str]) -> PathBuf {
    let file = space
        .cluster
        .folder()
        .join(format!("{}-{user}.kubeconfig", space.name));
    std::fs::write(&file, space.cluster.kubeconfig(user, groups)).unwrap();
    file
}

/// Whether it is content, and what it says.
fn check(kubeconfig: &PathBuf, arguments: &[&str]) -> (bool, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_aigw"))
        .arg("check")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(arguments)
        .output()
        .unwrap();
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("sk-first"), "a key is shown: {text}");
    (out.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_objects_is_said_as_the_operator_says_it() {
    let cluster = cluster().await;
    let space = cluster.space("check").await;
    prepare(&space, &rules()).await;
    space.apply(&operator(&space)).await;
    let whole = one_model(&space.name);
    space.apply(&whole).await;
    let admin = kubeconfig(&space, "admin", &["system:masters"]);
    let name = &space.name;

    let (good, said) = check(&admin, &["--context=test", "--strict", "-n", name]);
    assert!(good, "{said}");
    assert!(
        said.contains(&format!("in {name}, as operator {name}/op plans them")) && said.ends_with("\nok\n"),
        "{said}"
    );

    // Something that is not there is a warning.
    space.delete("", "Secret", "s").await;
    let wanted = format!(
        "\nBackendSecurityPolicy {name}/p: warning: BackendSecurityPolicy \"{name}/p\": no Secret is named \"{name}/s\"\n"
    );
    let (good, said) = check(&admin, &["-n", name]);
    assert!(
        good && said.contains(&wanted) && said.contains("\nok: "),
        "{said}"
    );
    let (good, said) = check(&admin, &["--strict", "-n", name]);
    assert!(
        !good && said.contains(&wanted) && said.contains("\nfailed: "),
        "{said}"
    );

    // Something that is bad is an error, of listeners too, which only conditions tell of.
    let broken = whole
        .replace(
            "  rules:",
            "  llmRequestCosts: [{metadataKey: c, type: CEL, cel: 'no ( such'}]\n  rules:",
        )
        .replace("protocol: HTTP,", "protocol: UDP,");
    space.apply(&broken).await;
    let (good, said) = check(&admin, &["-n", name]);
    assert!(!good, "{said}");
    for start in [
        format!("\nAIGatewayRoute {name}/r: error: spec.llmRequestCosts[0]"),
        format!("\nGateway {name}/gw: error: listener `http`: "),
    ] {
        assert!(said.contains(&start), "{start} is not in {said}");
    }

    // What the operator says is the same.
    let _operator = cluster.operator(&space, "one").await;
    let found = common::condition(&space, common::GROUP, "AIGatewayRoute", "r", "Accepted", "False").await;
    let message = found["message"].as_str().unwrap();
    let told = message.split("; ").next().unwrap();
    assert!(said.contains(told), "{told} is not in {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_asker_may_not_see_is_said() {
    let cluster = cluster().await;
    let space = cluster.space("rights").await;
    prepare(&space, &rules()).await;
    space.apply(&operator(&space)).await;
    space.apply(&one_model(&space.name)).await;

    let nobody = kubeconfig(&space, "nobody", &[]);
    let (good, said) = check(&nobody, &[]);
    assert!(!good, "{said}");
    assert!(
        said.contains("error: you may not list ")
            && said.contains("name the namespaces where you may with --namespace"),
        "{said}"
    );

    // All that an operator may, but for Secrets.
    let mut less = rules();
    let given = less["namespaces"].as_array_mut().unwrap();
    given.retain_mut(|rule| {
        let resources = rule["resources"].as_array_mut().unwrap();
        resources.retain(|one| one != "secrets");
        !resources.is_empty()
    });
    let limited = cluster.space("limited").await;
    prepare(&limited, &less).await;
    limited.apply(&one_model(&limited.name)).await;
    limited.apply(&operator(&limited)).await;
    let user = kubeconfig(&limited, &user_of(&limited), &[]);
    let (good, said) = check(&user, &["-n", &limited.name]);
    assert!(good, "{said}");
    let wanted = format!(
        "note: you may not read Secret {}/s; it counts as missing here",
        limited.name
    );
    assert!(said.contains(&wanted), "{said}");
}

#[test]
fn a_cluster_that_cannot_be_asked_is_no_good_one() {
    let run = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_aigw"))
            .arg("check")
            .args(arguments)
            .env("KUBECONFIG", "/nowhere")
            .output()
            .unwrap();
        assert!(!out.status.success());
        String::from_utf8(out.stderr).unwrap()
    };
    let said = run(&["--kubeconfig=/nowhere"]);
    assert!(said.contains("the kubeconfig /nowhere cannot be used"), "{said}");
    let said = run(&["--context=none"]);
    assert!(said.contains("the context none cannot be used"), "{said}");
    let said = run(&["--context=none", "file.yaml"]);
    assert!(said.contains("cannot be used with"), "{said}");
    let said = run(&[]);
    assert!(said.contains("FILE|DIR"), "{said}");
}
