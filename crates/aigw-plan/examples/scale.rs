//! How long a plan of a large cluster takes: `cargo run --release -p aigw-plan --example scale [routes] [backends] [policies]`.
//!
//! Prints the CPU time of reading the objects and of several plans, each over one Gateway with all routes, and what one pod
//! reports. The figures are of one thread; nothing is kept between plans.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example that measures"
)]

use std::time::{Duration, Instant};

use aigw_plan::cluster::{Means, Options, Report, World, plan_cluster};
use aigw_plan::{Object, read};
use aigw_translate::host::Registry;
use serde_json::{Value, json};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse().unwrap());
    let routes: usize = numbers.next().unwrap_or(2_000);
    let backends: usize = numbers.next().unwrap_or(2_000);
    let policies: usize = numbers.next().unwrap_or(500);
    let values = cluster(routes, backends, policies);
    let clock = Clock::start();
    let objects: Vec<Object> = values.iter().filter_map(read).collect();
    println!("{} objects, read in {:?}", objects.len(), clock.took());
    let mut world = World {
        objects,
        ..World::default()
    };
    let options = Options::default();
    // No listener has a certificate here.
    let means = Means {
        capabilities: &Registry,
        check_certificate: |_, _| Ok(()),
    };
    for round in 0..5 {
        let clock = Clock::start();
        let plan = plan_cluster(&world, &options, means);
        let took = clock.took();
        let (served, bytes) = plan.gateways.values().fold((0, 0), |(served, bytes), one| {
            let text = serde_json::to_vec(&one.document).unwrap();
            (served + one.document.routes.len(), bytes + text.len())
        });
        let statuses = plan.statuses.len();
        println!("plan {round}: {took:?}, {served} routes, {bytes} bytes of documents, {statuses} statuses");
        world.reports = plan
            .gateways
            .values()
            .map(|one| Report {
                gateway_uid: one.uid.clone(),
                pod: "pod".to_owned(),
                ready: true,
                hashes: one.hashes.clone(),
                ..Report::default()
            })
            .collect();
    }
}

/// Time on the processor where the system tells it (Linux), else time as it passes.
struct Clock {
    on_processor: Option<Duration>,
    begun: Instant,
}

impl Clock {
    fn start() -> Self {
        Self {
            on_processor: on_processor(),
            begun: Instant::now(),
        }
    }

    fn took(&self) -> Duration {
        let on_processor = on_processor().zip(self.on_processor);
        on_processor.map_or_else(|| self.begun.elapsed(), |(now, then)| now.saturating_sub(then))
    }
}

fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// One Gateway, routes with two rules over three backends each, backends by Backend with TLS or by Service, and a policy with
/// a Secret for every so many backends.
fn cluster(routes: usize, backends: usize, policies: usize) -> Vec<Value> {
    let metadata = |name: String| json!({"name": name, "namespace": "ai", "uid": name, "generation": 1});
    let ours = "aigateway.envoyproxy.io/v1beta1";
    let mut out = vec![
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "aigw"},
            "spec": {"controllerName": "aigateway.envoyproxy.io/aigw"}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": metadata("gw".into()),
            "spec": {"gatewayClassName": "aigw", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}),
    ];
    for at in 0..routes {
        let rule = |first: usize| {
            let backend = |step: usize| json!({"name": format!("backend-{}", (first + step) % backends.max(1)), "priority": step});
            json!({
                "matches": [{"headers": [{"name": "x-ai-eg-model", "value": format!("model-{first}")}]}],
                "backendRefs": [backend(0), backend(1), backend(2)],
            })
        };
        out.push(
            json!({"apiVersion": ours, "kind": "AIGatewayRoute", "metadata": metadata(format!("route-{at}")),
            "spec": {"parentRefs": [{"name": "gw"}], "rules": [rule(2 * at), rule(2 * at + 1)],
                "llmRequestCosts": [{"metadataKey": "tokens", "type": "TotalToken"}]}}),
        );
    }
    for at in 0..backends {
        let mut spec = json!({"schema": {"name": "OpenAI"}});
        if at % 2 == 0 {
            spec["backendRef"] =
                json!({"group": "gateway.envoyproxy.io", "kind": "Backend", "name": format!("backend-{at}")});
            out.push(
                json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "Backend",
                "metadata": metadata(format!("backend-{at}")),
                "spec": {"endpoints": [{"fqdn": {"hostname": format!("host-{at}.example"), "port": 443}}]}}),
            );
            out.push(json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
                "metadata": metadata(format!("backend-{at}")),
                "spec": {"targetRefs": [{"group": "gateway.envoyproxy.io", "kind": "Backend", "name": format!("backend-{at}")}],
                    "validation": {"hostname": format!("host-{at}.example"), "wellKnownCACertificates": "System"}}}));
        } else {
            spec["service"] = json!({"name": format!("service-{at}"), "port": 8000});
            out.push(
                json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(format!("service-{at}")),
                "spec": {"ports": [{"port": 8000}]}}),
            );
            out.push(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": format!("service-{at}"), "namespace": "ai", "labels": {"kubernetes.io/service-name": format!("service-{at}")}},
                "addressType": "IPv4", "ports": [{"port": 8000}],
                "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]}));
        }
        out.push(
            json!({"apiVersion": ours, "kind": "AIServiceBackend", "metadata": metadata(format!("backend-{at}")),
            "spec": spec}),
        );
    }
    for at in 0..policies {
        let target = at * backends.max(1) / policies.max(1);
        out.push(json!({"apiVersion": ours, "kind": "BackendSecurityPolicy", "metadata": metadata(format!("policy-{at}")),
            "spec": {"type": "APIKey", "apiKey": {"secretRef": {"name": format!("key-{at}")}},
                "targetRefs": [{"group": "aigateway.envoyproxy.io", "kind": "AIServiceBackend", "name": format!("backend-{target}")}]}}));
        out.push(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata(format!("key-{at}")),
            "data": {"apiKey": "c2stMTIzNDU2Nzg="}}),
        );
    }
    out
}
