//! The operator at full size, against a real API server: what it costs, and how soon a change is where it is needed. It measures
//! and is therefore run by hand: `make bench-operator`. The figures are in `docs/benchmarks.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

#[path = "../../aigw-controller/tests/common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aigw_runtime::{Cluster as Reader, SnapshotName, Status, Telemetry};
use common::{
    Cluster, Process, Space, apply_all, controller_of, eventually, kind_api, prepare, rules, user_of,
};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

const ROUTES: usize = 2000;
const POLICIES: usize = 500;
/// Places that the backends lead to.
const PLACES: usize = 50;
const READERS: usize = 100;
/// Changes of which each figure is made.
const CHANGES: usize = 20;
/// The largest object that a cluster holds.
const LARGEST: usize = 1 << 20;
/// What the operator may need at most.
const MEMORY: u64 = 256 << 20;
/// The user that readers are.
const READER: &str = "scale-reader";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "it measures for minutes: make bench-operator"]
async fn the_operator_at_full_size() {
    let cluster = Cluster::start().await;
    let space = cluster.space("scale").await;
    prepare(&space, &rules()).await;
    let began = Instant::now();
    fill(&space).await;
    println!(
        "{ROUTES} routes, {ROUTES} backends, {POLICIES} policies made in {:?}\n",
        began.elapsed()
    );
    println!("| what | figure |\n|---|---|");

    let operator = Operator::start(&cluster, &space);
    let began = Instant::now();
    let first = serves_all(&space).await;
    say(
        "from the operator's start to the first snapshot",
        ms(began.elapsed()),
    );
    operator.settles().await;
    say("CPU until every status is written", ms(operator.cpu()));
    let (largest, whole) = sizes(&space).await;
    say("largest object of the snapshot", kib(largest));
    say(&format!("whole snapshot ({first} shards)"), kib(whole));
    assert!(largest < LARGEST, "{largest}");

    permit(&space).await;
    let mut one = Readers::start(&cluster, &space, 1);
    one.all_have().await;
    route_changes(&space, &operator, &mut one).await;
    one.end().await;

    let mut many = Readers::start(&cluster, &space, READERS);
    many.all_have().await;
    operator.settles().await;
    key_changes(&cluster, &space, &mut many).await;
    many.end().await;

    let peak = operator.peak();
    say(
        "operator's memory at its highest (VmHWM)",
        kib(usize::try_from(peak).unwrap()),
    );
    assert!(peak < MEMORY, "{peak}");
    println!("\noperator: {}", operator.binary.display());
}

fn say(what: &str, figure: String) {
    println!("| {what} | {figure} |");
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes / 1024)
}

/// The median and the longest.
fn spread(mut all: Vec<Duration>) -> String {
    all.sort();
    format!("{} (longest {})", ms(all[all.len() / 2]), ms(all[all.len() - 1]))
}

fn route(n: usize, model: &str) -> Value {
    json!({"apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "AIGatewayRoute", "metadata": {"name": format!("r-{n}")},
        "spec": {"parentRefs": [{"name": "gw", "kind": "Gateway", "group": "gateway.networking.k8s.io"}],
            "rules": [{"matches": [{"headers": [{"type": "Exact", "name": "x-ai-eg-model", "value": model}]}],
                "backendRefs": [{"name": format!("b-{n}")}]}]}})
}

async fn fill(space: &Space<'_>) {
    let gateway = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"},
        "spec": {"gatewayClassName": space.name, "listeners": [{"name": "http", "protocol": "HTTP", "port": 8080}]}});
    apply_all(&space.client, &space.name, vec![gateway]).await;
    let own = "aigateway.envoyproxy.io";
    let places = (0..PLACES).map(|n| {
        json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "Backend", "metadata": {"name": format!("e-{n}")},
            "spec": {"endpoints": [{"fqdn": {"hostname": format!("host-{n}.example.com"), "port": 443}}]}})
    });
    create(space, "gateway.envoyproxy.io", "Backend", places.collect()).await;
    let backends = (0..ROUTES).map(|n| {
        json!({"apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "AIServiceBackend",
            "metadata": {"name": format!("b-{n}")},
            "spec": {"schema": {"name": "OpenAI"}, "backendRef": {"group": "gateway.envoyproxy.io", "kind": "Backend",
                "name": format!("e-{}", n % PLACES)}}})
    });
    create(space, own, "AIServiceBackend", backends.collect()).await;
    let secrets = (0..POLICIES).map(|n| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("s-{n}")},
            "stringData": {"apiKey": format!("sk-{n:064}")}})
    });
    create(space, "", "Secret", secrets.collect()).await;
    let each = ROUTES / POLICIES;
    let policies = (0..POLICIES).map(|n| {
        let targets: Vec<Value> = (0..each)
            .map(|m| json!({"group": own, "kind": "AIServiceBackend", "name": format!("b-{}", n * each + m)}))
            .collect();
        json!({"apiVersion": "aigateway.envoyproxy.io/v1beta1", "kind": "BackendSecurityPolicy",
            "metadata": {"name": format!("p-{n}")},
            "spec": {"targetRefs": targets, "type": "APIKey", "apiKey": {"secretRef": {"name": format!("s-{n}")}}}})
    });
    create(space, own, "BackendSecurityPolicy", policies.collect()).await;
    let routes = (0..ROUTES).map(|n| route(n, &format!("model-{n}")));
    create(space, own, "AIGatewayRoute", routes.collect()).await;
}

async fn create(space: &Space<'_>, group: &str, kind: &str, objects: Vec<Value>) {
    let api = kind_api(space, group, kind).await;
    let requests = objects.into_iter().map(|one| {
        let api = api.clone();
        async move {
            let object: DynamicObject = serde_json::from_value(one).unwrap();
            api.create(&PostParams::default(), &object).await.unwrap();
        }
    });
    futures_util::stream::iter(requests)
        .buffer_unordered(32)
        .collect::<Vec<()>>()
        .await;
}

/// The operator as a process of its own: `AIGW_BIN`, else the one that was built with this test.
struct Operator {
    process: Process,
    admin: PathBuf,
    binary: PathBuf,
}

impl Operator {
    fn start(cluster: &Cluster, space: &Space<'_>) -> Self {
        let folder = cluster.folder();
        let (kubeconfig, admin) = (folder.join("operator.kubeconfig"), folder.join("operator.json"));
        std::fs::write(&kubeconfig, cluster.kubeconfig(&user_of(space), &[])).unwrap();
        let own = env!("CARGO_BIN_EXE_aigw");
        let binary: PathBuf = std::env::var_os("AIGW_BIN").map_or_else(|| own.into(), PathBuf::from);
        let arguments = [
            "controller".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--namespace={}", space.name),
            format!("--watch-namespace={}", space.name),
            format!("--controller-name={}", controller_of(space)),
            "--claim-envoy-gateway=never".to_owned(),
            "--admin=127.0.0.1:0".to_owned(),
            format!("--ready-file={}", admin.display()),
        ];
        Self {
            process: Process::start(&binary, &arguments, &[], &folder.join("operator.log")),
            admin,
            binary,
        }
    }

    /// Time on processors so far.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.pid())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = fields.split(' ').collect();
        // utime and stime, in hundredths of a second on every Linux that there is.
        let ticks: u64 = fields[11..13].iter().map(|one| one.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Memory at its highest.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// A sum of all numbers at `/metrics` whose names begin so.
    async fn metric(&self, name: &str) -> f64 {
        let ready =
            std::fs::read_to_string(&self.admin).unwrap_or_else(|_| panic!("{}", self.process.tail()));
        let ready: Value = serde_json::from_str(&ready).unwrap();
        let mut stream = tokio::net::TcpStream::connect(ready["admin"].as_str().unwrap())
            .await
            .unwrap();
        let request = "GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Waits until nothing is written any more.
    async fn settles(&self) {
        let mut last = -1.0;
        loop {
            let now = self.metric("aigw_controller_writes").await;
            if now > 0.0 && now.to_bits() == f64::to_bits(last) {
                return;
            }
            last = now;
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
    }
}

/// Waits until the snapshot holds every route; says in how many shards.
async fn serves_all(space: &Space<'_>) -> usize {
    let secrets: kube::Api<Secret> = space.api();
    eventually(Duration::from_secs(300), || async {
        match common::try_read_snapshot(&secrets, "gw").await {
            Ok(Some((index, contents))) if contents.document.routes.len() == ROUTES => {
                assert_eq!(contents.document.backends.len(), ROUTES);
                assert_eq!(contents.credentials.ids().count(), POLICIES);
                Ok(index.shards.len())
            }
            Ok(other) => Err(format!(
                "{:?} routes",
                other.map(|(_, contents)| contents.document.routes.len())
            )),
            Err(error) => Err(error),
        }
    })
    .await
}

/// Bytes of the largest Secret of the snapshot, and of all of them, as the API server sends them.
async fn sizes(space: &Space<'_>) -> (usize, usize) {
    let secrets: kube::Api<Secret> = space.api();
    let params = ListParams::default().labels("app.kubernetes.io/managed-by=aigw");
    let all = secrets.list(&params).await.unwrap().items;
    let sizes: Vec<usize> = all
        .iter()
        .map(|one| serde_json::to_vec(one).unwrap().len())
        .collect();
    (*sizes.iter().max().unwrap(), sizes.iter().sum())
}

/// The rights of a Gateway's pods.
async fn permit(space: &Space<'_>) {
    let names: Vec<String> = aigw_config::shard::names(&aigw_config::shard::base("gw")).collect();
    let (group, api) = ("rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1");
    let role = json!({"apiVersion": api, "kind": "Role", "metadata": {"name": "reader"}, "rules": [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["get", "watch"]}]});
    let binding = json!({"apiVersion": api, "kind": "RoleBinding", "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "reader"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": READER}]});
    apply_all(&space.client, &space.name, vec![role, binding]).await;
}

/// Readers as pods have them, each with a connection of its own. They say when they have another snapshot.
struct Readers {
    tasks: JoinSet<()>,
    had: UnboundedReceiver<Instant>,
    count: usize,
}

impl Readers {
    fn start(cluster: &Cluster, space: &Space<'_>, count: usize) -> Self {
        let (have, had) = unbounded_channel();
        let mut tasks = JoinSet::new();
        let name: SnapshotName = format!("{}/{}", space.name, aigw_config::shard::base("gw"))
            .parse()
            .unwrap();
        for _ in 0..count {
            let status = Status::new(Telemetry::new(None, Box::new(std::io::sink())));
            let mut reader = Reader::new(cluster.user(READER), name.clone(), None, Arc::clone(&status));
            let have = have.clone();
            tasks.spawn(async move {
                loop {
                    reader.next().await;
                    if have.send(Instant::now()).is_err() {
                        return;
                    }
                }
            });
        }
        Self { tasks, had, count }
    }

    /// Waits until each of them has another snapshot; when the last one had it.
    async fn all_have(&mut self) -> Instant {
        let mut last = None;
        for _ in 0..self.count {
            let one = tokio::time::timeout(Duration::from_secs(300), self.had.recv()).await;
            last = last.max(one.unwrap());
        }
        last.unwrap()
    }

    async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// One route after the other gets another model.
async fn route_changes(space: &Space<'_>, operator: &Operator, reader: &mut Readers) {
    let api = kind_api(space, "aigateway.envoyproxy.io", "AIGatewayRoute").await;
    let (mut seen, mut cpu) = (Vec::new(), Vec::new());
    let count = operator.metric("aigw_controller_rebuild_seconds_count").await;
    let sum = operator.metric("aigw_controller_rebuild_seconds_sum").await;
    for change in 0..CHANGES {
        operator.settles().await;
        let n = change * (ROUTES / CHANGES);
        let changed = route(n, &format!("changed-{change}"));
        let params = PatchParams::apply("test").force();
        let (before, began) = (operator.cpu(), Instant::now());
        api.patch(&format!("r-{n}"), &params, &Patch::Apply(&changed))
            .await
            .unwrap();
        seen.push(reader.all_have().await - began);
        operator.settles().await;
        cpu.push(operator.cpu() - before);
    }
    let rebuilds = operator.metric("aigw_controller_rebuild_seconds_count").await - count;
    let took = operator.metric("aigw_controller_rebuild_seconds_sum").await - sum;
    say(
        "one rebuild of the whole plan, by the clock",
        format!("{:.0} ms", took / rebuilds * 1000.0),
    );
    say(
        "CPU of the operator for one changed route: rebuild, snapshot, statuses",
        spread(cpu),
    );
    say("one changed route at a reader", spread(seen));
}

/// One key after the other changes.
async fn key_changes(cluster: &Cluster, space: &Space<'_>, readers: &mut Readers) {
    let secrets: kube::Api<Secret> = space.api();
    let (mut everywhere, mut each) = (Vec::new(), Vec::new());
    for change in 0..CHANGES {
        let before = cluster.audit(READER).len();
        let patch = json!({"stringData": {"apiKey": format!("sk-changed-{change}")}});
        let name = format!("s-{}", change * (POLICIES / CHANGES));
        let began = Instant::now();
        secrets
            .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
        everywhere.push(readers.all_have().await - began);
        // What each was sent: the index by its watch, and the shards that it asked for.
        let mut sizes = HashMap::new();
        let mut sent = size(space, &mut sizes, "aigw-gw-index").await * READERS;
        for get in cluster
            .audit(READER)
            .iter()
            .skip(before)
            .filter(|one| one.verb == "get")
        {
            sent += size(space, &mut sizes, &get.name).await;
        }
        each.push(sent / READERS);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    each.sort_unstable();
    say(&format!("a changed key at {READERS} readers"), spread(everywhere));
    say(
        "sent to each reader for it",
        format!("{} (most {})", kib(each[CHANGES / 2]), kib(each[CHANGES - 1])),
    );
}

/// Bytes of a Secret as the API server sends it.
async fn size(space: &Space<'_>, known: &mut HashMap<String, usize>, name: &str) -> usize {
    if let Some(size) = known.get(name) {
        return *size;
    }
    let secrets: kube::Api<Secret> = space.api();
    let size = serde_json::to_vec(&secrets.get(name).await.unwrap())
        .unwrap()
        .len();
    known.insert(name.to_owned(), size);
    size
}
