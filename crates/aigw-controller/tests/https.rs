//! HTTPS listeners on a real API server: certificates in Secrets, what the listeners' conditions say of them, and what is written.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::time::Duration;

use aigw_config::shard::Contents;
use common::{Space, TestPod, cluster, eventually, one_model, prepare, read_snapshot, rules, status};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(8);
const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Certificate and key for a name, PEM.
fn made(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

async fn put(space: &Space<'_>, name: &str, (certificate, key): &(String, String)) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": name}, "stringData": {"tls.crt": certificate, "tls.key": key}});
    space.apply(&secret.to_string()).await;
}

/// Waits until a listener's condition has the status and reason (`True/Programmed`); its message.
async fn says(space: &Space<'_>, listener: &str, of: &str, wanted: &str) -> String {
    eventually(SOON, || async {
        let status = status(space, GATEWAY_API, "Gateway", "gw").await;
        let find = |list: &Value, field: &str, value: &str| {
            let found = list.as_array()?.iter().find(|one| one[field] == value)?;
            Some(found.clone())
        };
        let found = find(&status["listeners"], "name", listener)
            .and_then(|one| find(&one["conditions"], "type", of))
            .ok_or_else(|| format!("no {of} of {listener}: {status:#}"))?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        let is = format!("{}/{}", text("status"), text("reason"));
        match is == wanted {
            true => Ok(text("message")),
            false => Err(format!("{listener} is to have {of} {wanted}: {found:#}")),
        }
    })
    .await
}

/// Waits until the snapshot has this text under the id of an entry of a Secret.
async fn holds(space: &Space<'_>, secret: &str, entry: &str, wanted: &str) -> Contents {
    let id = format!("secret/{}/{secret}/{entry}", space.name);
    eventually(SOON, || async {
        let (_, contents) = read_snapshot(&space.api(), "gw").await.ok_or("no snapshot")?;
        let found = contents.credentials.find(&id).map(|one| one.reveal().to_owned());
        match found.as_deref() == Some(wanted.trim()) {
            true => Ok(contents),
            false => Err(format!("{id}: another text, or none ({})", found.is_some())),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_served_renewed_and_kept_when_they_are_bad() {
    let cluster = cluster().await;
    let space = cluster.space("https").await;
    prepare(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    let pod = TestPod::start(&space, "gw", "pod-0").await;
    let (a, b) = (made("a.example.com"), made("b.example.com"));
    put(&space, "a", &a).await;
    put(&space, "b", &b).await;
    let listeners = r"listeners:
    - {name: http, protocol: HTTP, port: 8080}
    - {name: a, protocol: HTTPS, port: 443, hostname: a.example.com, tls: {certificateRefs: [{name: a}]}}
    - {name: b, protocol: HTTPS, port: 443, hostname: '*.b.example.com', tls: {certificateRefs: [{name: b}]}}
    - {name: none, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: gone}]}}";
    let model = one_model(&space.name);
    let model = model.replace("listeners: [{name: http, protocol: HTTP, port: 8080}]", listeners);
    assert!(model.contains("a.example.com"));
    space.apply(&model).await;

    for name in ["http", "a", "b"] {
        says(&space, name, "ResolvedRefs", "True/ResolvedRefs").await;
        says(&space, name, "Programmed", "True/Programmed").await;
    }
    says(&space, "none", "ResolvedRefs", "False/InvalidCertificateRef").await;
    says(&space, "none", "Programmed", "False/Invalid").await;
    let contents = holds(&space, "a", "tls.crt", &a.0).await;
    let listener = format!("{}/gw/443", space.name);
    let https = contents
        .document
        .listeners
        .iter()
        .find(|one| one.name == listener);
    let tls = https.unwrap().tls.clone().unwrap();
    let names: Vec<&String> = tls.certificates.iter().flat_map(|one| &one.hostnames).collect();
    assert_eq!(names, ["a.example.com", "*.b.example.com"]);
    let shown = serde_json::to_string(&contents.document).unwrap();
    assert!(!shown.contains("BEGIN"), "{shown}");

    // Renewed: the whole of it is served, and said.
    let next = made("a.example.com");
    put(&space, "a", &next).await;
    holds(&space, "a", "tls.crt", &next.0).await;
    holds(&space, "a", "tls.key", &next.1).await;
    says(&space, "a", "Programmed", "True/Programmed").await;

    // A key that is another certificate's: the last good pair stays, and the other listener is renewed all the same.
    put(&space, "a", &(next.0.clone(), b.1.clone())).await;
    let message = says(&space, "a", "ResolvedRefs", "False/InvalidCertificateRef").await;
    assert!(
        message.contains("the last good one stays in service"),
        "{message}"
    );
    let other = made("b.example.com");
    put(&space, "b", &other).await;
    holds(&space, "b", "tls.crt", &other.0).await;
    holds(&space, "a", "tls.key", &next.1).await;
    for name in ["a", "b"] {
        says(&space, name, "Programmed", "True/Programmed").await;
    }
    says(&space, "b", "ResolvedRefs", "True/ResolvedRefs").await;
    operator.stop().await;

    // The next operator knows it too.
    let operator = cluster.operator(&space, "two").await;
    let again = made("b.example.com");
    put(&space, "b", &again).await;
    holds(&space, "b", "tls.crt", &again.0).await;
    holds(&space, "a", "tls.key", &next.1).await;
    put(&space, "a", &a).await;
    says(&space, "a", "ResolvedRefs", "True/ResolvedRefs").await;
    holds(&space, "a", "tls.crt", &a.0).await;
    operator.stop().await;
    pod.end().await;
}
