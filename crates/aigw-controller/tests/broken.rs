//! Every element of the wiring broken in turn: the right condition with the right reason, soon, on the right object; others are
//! not disturbed; repaired, it recovers by itself. The status of pods is written by the test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::time::Duration;

use common::{
    GROUP, Operator, Space, TestPod, admit, cluster, condition, eventually, one_model, options, prepare,
    read_snapshot, rules, status, user_of,
};

/// A second model, whose objects nothing here touches.
const HEALTHY: &str = r"
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIGatewayRoute
metadata: {name: healthy}
spec:
  parentRefs: [{name: gw, kind: Gateway, group: gateway.networking.k8s.io}]
  rules:
    - matches: [{headers: [{type: Exact, name: x-ai-eg-model, value: healthy}]}]
      backendRefs: [{name: healthy}]
---
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIServiceBackend
metadata: {name: healthy}
spec:
  schema: {name: OpenAI}
  backendRef: {group: gateway.envoyproxy.io, kind: Backend, name: healthy}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: healthy}
spec:
  endpoints: [{ip: {address: 127.0.0.1, port: 9}}]
";

/// What is broken and what says so: how it is broken (a manifest, or the object to delete), the object with the condition, the
/// condition, its status, its reason.
struct Break {
    how: How,
    says: (&'static str, &'static str),
    condition: &'static str,
    reason: &'static str,
}

enum How {
    Delete(&'static str, &'static str, &'static str),
    Apply(String),
}

fn breaks() -> Vec<Break> {
    let one = |how, says, condition, reason| Break {
        how,
        says,
        condition,
        reason,
    };
    let route = ("AIGatewayRoute", "r");
    let policy = ("BackendSecurityPolicy", "p");
    let backend = ("AIServiceBackend", "b");
    vec![
        one(
            How::Delete(GROUP, "AIServiceBackend", "b"),
            route,
            "ResolvedRefs",
            "BackendNotFound",
        ),
        one(
            How::Delete("gateway.envoyproxy.io", "Backend", "e"),
            backend,
            "ResolvedRefs",
            "BackendNotFound",
        ),
        one(
            How::Delete("", "Secret", "s"),
            policy,
            "CredentialsReady",
            "SecretNotFound",
        ),
        one(
            How::Apply(
                "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {wrong: sk-first}}"
                    .to_owned(),
            ),
            policy,
            "CredentialsReady",
            "KeyNotFound",
        ),
        one(
            How::Apply(one_model("none").replace(
                "  rules:",
                "  llmRequestCosts: [{metadataKey: c, type: CEL, cel: 'no ( such'}]\n  rules:",
            )),
            route,
            "Accepted",
            "Invalid",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_break_is_told_where_it_is_and_heals() {
    let cluster = cluster().await;
    let space = cluster.space("broken").await;
    prepare(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    let whole = one_model(&space.name);
    space.apply(&whole).await;
    space.apply(HEALTHY).await;
    let pod = TestPod::start(&space, "gw", "pod-1").await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    condition(&space, GROUP, "AIGatewayRoute", "healthy", "Programmed", "True").await;
    let healthy = status(&space, GROUP, "AIGatewayRoute", "healthy").await;
    let backend = status(&space, GROUP, "AIServiceBackend", "healthy").await;

    for broken in breaks() {
        match &broken.how {
            How::Delete(group, kind, name) => space.delete(group, kind, name).await,
            How::Apply(yaml) if yaml.contains("Gateway") => space.apply_kind(yaml, "AIGatewayRoute").await,
            How::Apply(yaml) => {
                space.delete("", "Secret", "s").await;
                space.apply(yaml).await;
            }
        }
        let (kind, name) = broken.says;
        let found = condition(&space, GROUP, kind, name, broken.condition, "False").await;
        assert_eq!(found["reason"], broken.reason, "{kind} {name}: {found:#}");
        assert_eq!(status(&space, GROUP, "AIGatewayRoute", "healthy").await, healthy);
        assert_eq!(
            status(&space, GROUP, "AIServiceBackend", "healthy").await,
            backend
        );

        space.apply(&whole).await;
        condition(&space, GROUP, kind, name, broken.condition, "True").await;
        condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    }
    assert_eq!(status(&space, GROUP, "AIGatewayRoute", "healthy").await, healthy);

    // The data plane is down.
    pod.set_ready(false).await;
    let found = condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "False").await;
    assert_eq!(found["reason"], "NoReadyPods");
    pod.set_ready(true).await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;

    // The data plane refuses what comes next; what it serves goes on.
    *pod.refuses.lock().unwrap() = Some("a test says so".to_owned());
    space.apply(&whole.replace("value: m", "value: other")).await;
    let found = condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "False").await;
    assert_eq!(found["reason"], "Rejected", "{found:#}");
    let found = condition(&space, GROUP, "AIGatewayRoute", "healthy", "Programmed", "True").await;
    assert_eq!(found["reason"], "Programmed");
    *pod.refuses.lock().unwrap() = None;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;

    let events = told(&space).await;
    for reason in [
        "BackendNotFound",
        "SecretNotFound",
        "Rejected",
        "NoReadyPods",
        "Programmed",
    ] {
        assert!(
            events.iter().any(|one| one == reason),
            "{reason} is not among {events:?}"
        );
    }
    pod.end().await;
    operator.stop().await;
}

/// Reasons of the Events in the space.
async fn told(space: &Space<'_>) -> Vec<String> {
    let events: kube::Api<k8s_openapi::api::events::v1::Event> = space.api();
    let all = events.list(&kube::api::ListParams::default()).await.unwrap();
    all.items.into_iter().filter_map(|one| one.reason).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_read_any_more_stays_in_service_even_for_the_next_operator() {
    let cluster = cluster().await;
    let space = cluster.space("last-good").await;
    prepare(&space, &rules()).await;
    let operator = cluster.operator(&space, "one").await;
    space.apply(&one_model(&space.name)).await;
    key_is(&space, "sk-first").await;
    space
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {apiKey: ''}}")
        .await;
    let found = condition(
        &space,
        GROUP,
        "BackendSecurityPolicy",
        "p",
        "CredentialsReady",
        "False",
    )
    .await;
    assert_eq!(found["reason"], "SecretInvalid");
    key_is(&space, "sk-first").await;
    operator.stop().await;

    let operator = cluster.operator(&space, "two").await;
    // A change, so that the next operator has to write the snapshot anew.
    space
        .apply_kind(
            &one_model(&space.name).replace("value: m", "value: other"),
            "AIGatewayRoute",
        )
        .await;
    eventually(Duration::from_secs(8), || async {
        let (_, contents) = read_snapshot(&space.api(), "gw").await.unwrap();
        let text = serde_json::to_string(&contents.document).unwrap();
        text.contains("other").then_some(()).ok_or(text)
    })
    .await;
    key_is(&space, "sk-first").await;
    space
        .apply("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {apiKey: sk-second}}")
        .await;
    key_is(&space, "sk-second").await;
    condition(
        &space,
        GROUP,
        "BackendSecurityPolicy",
        "p",
        "CredentialsReady",
        "True",
    )
    .await;
    operator.stop().await;
}

async fn key_is(space: &Space<'_>, wanted: &str) {
    eventually(Duration::from_secs(5), || async {
        let (_, contents) = read_snapshot(&space.api(), "gw").await.ok_or("no snapshot")?;
        let credentials = &contents.credentials;
        let keys: Vec<&str> = credentials
            .ids()
            .filter_map(|id| Some(credentials.find(id)?.reveal()))
            .collect();
        (keys == [wanted]).then_some(()).ok_or(format!("{keys:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_taken_away_takes_the_backend_away_until_it_is_given_again() {
    let cluster = cluster().await;
    let space = cluster.space("grants").await;
    let other = cluster.space("granting").await;
    prepare(&space, &rules()).await;
    admit(&space, &other).await;
    let mut options = options(&space, "one");
    options.namespaces.push(other.name.clone());
    let operator = Operator::start(cluster.config(&user_of(&space), &[]), options);
    operator.ready().await;

    // The route here, what it leads to there.
    let model = one_model(&space.name);
    for kind in ["Backend", "AIServiceBackend", "BackendSecurityPolicy", "Secret"] {
        other.apply_kind(&model, kind).await;
    }
    let across = model.replace(
        "[{name: b}]",
        &format!("[{{name: b, namespace: {}}}]", other.name),
    );
    let grant = format!(
        "{{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {{name: g}}, spec: {{from: [{{group: {GROUP}, kind: \
         AIGatewayRoute, namespace: {}}}], to: [{{group: {GROUP}, kind: AIServiceBackend}}]}}}}",
        space.name
    );
    other.apply(&grant).await;
    for kind in ["Gateway", "AIGatewayRoute"] {
        space.apply_kind(&across, kind).await;
    }
    space.apply(HEALTHY).await;
    let pod = TestPod::start(&space, "gw", "pod-1").await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    condition(&space, GROUP, "AIGatewayRoute", "healthy", "Programmed", "True").await;
    let healthy = status(&space, GROUP, "AIGatewayRoute", "healthy").await;
    let (there, here) = (format!("{}/b", other.name), format!("{}/healthy", space.name));
    leads_to(&space, &[&there, &here], &["sk-first"]).await;

    other
        .delete("gateway.networking.k8s.io", "ReferenceGrant", "g")
        .await;
    let found = condition(&space, GROUP, "AIGatewayRoute", "r", "ResolvedRefs", "False").await;
    assert_eq!(found["reason"], "RefNotPermitted", "{found:#}");
    // Neither the place nor its key.
    leads_to(&space, &[&here], &[]).await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    assert_eq!(status(&space, GROUP, "AIGatewayRoute", "healthy").await, healthy);

    other.apply(&grant).await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "ResolvedRefs", "True").await;
    leads_to(&space, &[&there, &here], &["sk-first"]).await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    assert_eq!(status(&space, GROUP, "AIGatewayRoute", "healthy").await, healthy);
    pod.end().await;
    operator.stop().await;
}

/// Waits until the snapshot has exactly these backends, which routes lead to, and these keys.
async fn leads_to(space: &Space<'_>, backends: &[&str], keys: &[&str]) {
    eventually(Duration::from_secs(5), || async {
        let (_, contents) = read_snapshot(&space.api(), "gw").await.ok_or("no snapshot")?;
        let document = &contents.document;
        let mut there: Vec<&str> = document.backends.iter().map(|one| one.name.as_str()).collect();
        there.sort_unstable();
        let rules = document.routes.iter().flat_map(|route| &route.rules);
        let mut led: Vec<&str> = rules
            .flat_map(|rule| &rule.backends)
            .map(|one| one.name.as_str())
            .collect();
        led.sort_unstable();
        let credentials = &contents.credentials;
        let held: Vec<&str> = credentials
            .ids()
            .filter_map(|id| Some(credentials.find(id)?.reveal()))
            .collect();
        let mut wanted = backends.to_vec();
        wanted.sort_unstable();
        (there == wanted && led == wanted && held == keys)
            .then_some(())
            .ok_or(format!("{there:?} {led:?} {held:?}"))
    })
    .await;
}
