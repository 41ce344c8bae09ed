//! Equal worlds give equal bytes, in whatever order their objects come.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::fmt::Write as _;

use aigw_plan::cluster::{ClusterPlan, plan_cluster};
use common::{MEANS, cluster, objects, options, report, world};
use proptest::prelude::*;
use serde_json::Value;

/// Everything that comes out, as text.
fn bytes(plan: &ClusterPlan) -> String {
    let mut out = String::new();
    for (key, one) in &plan.gateways {
        let mut credentials: Vec<(&str, &str)> = one
            .credentials
            .ids()
            .map(|id| (id, one.credentials.find(id).unwrap().reveal()))
            .collect();
        credentials.sort_unstable();
        let document = serde_json::to_string(&one.document).unwrap();
        write!(
            out,
            "{key} {} {document} {credentials:?} {:?} {:?} {:?}",
            one.uid, one.hashes, one.ports, one.objects
        )
        .unwrap();
    }
    for status in &plan.statuses {
        writeln!(
            out,
            "{} {} {} {}",
            status.kind, status.namespace, status.name, status.value
        )
        .unwrap();
    }
    write!(out, "{:?}", plan.wanted).unwrap();
    out
}

/// The small cluster with more to trip over: conflicts, policies, several Gateways, equal ages.
fn crowded() -> Vec<Value> {
    let mut all = cluster();
    for name in ["b", "a", "c"] {
        let text = r#"
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw-NAME, namespace: ai, uid: u-NAME},
 spec: {gatewayClassName: aigw, listeners: [{name: one, port: 80, protocol: HTTP}, {name: two, port: 80, protocol: HTTP, hostname: NAME.example.com}]}}
---
{apiVersion: aigateway.envoyproxy.io/v1beta1, kind: AIGatewayRoute, metadata: {name: route-NAME, namespace: ai},
 spec: {parentRefs: [{name: gw-a}, {name: gw-NAME}, {name: gw}], hostnames: [z.example.com, NAME.example.com],
        rules: [{backendRefs: [{name: missing}, {name: bystander}]}]}}
---
{apiVersion: aigateway.envoyproxy.io/v1beta1, kind: BackendSecurityPolicy, metadata: {name: twice-NAME, namespace: ai},
 spec: {type: APIKey, apiKey: {secretRef: {name: NAME}}, targetRefs: [{group: aigateway.envoyproxy.io, kind: AIServiceBackend, name: pods}]}}
---
{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: BackendTrafficPolicy, metadata: {name: retry-NAME, namespace: ai},
 spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw-a}, {group: gateway.networking.k8s.io, kind: HTTPRoute, name: chat}],
        retry: {numRetries: 3}, rateLimit: {type: Global}}}
---
{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: SecurityPolicy, metadata: {name: access-NAME, namespace: ai},
 spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route-b}], basicAuth: {}}}
---
{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: ClientTrafficPolicy, metadata: {name: client-NAME, namespace: ai},
 spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gw-a}], connection: {bufferLimit: 1Mi}}}
"#;
        all.extend(objects(&text.replace("NAME", name)));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_objects_and_reports_does_not_matter(shuffled in Just(crowded()).prop_shuffle()) {
        let plan_of = |objects: &[Value], pods: [&str; 2]| {
            let mut world = world(objects);
            let first = plan_cluster(&world, &options(), MEANS);
            for pod in pods {
                for plan in first.gateways.values() {
                    let mut one = report(plan, pod);
                    one.rejected = Some(format!("no, says {pod}"));
                    one.hashes.retain(|object, _| object.contains("chat"));
                    world.reports.push(one);
                }
            }
            bytes(&plan_cluster(&world, &options(), MEANS))
        };
        prop_assert_eq!(plan_of(&crowded(), ["a", "b"]), plan_of(&shuffled, ["b", "a"]));
    }
}
