//! An operator, a gateway and its Envoy together: what Envoy refuses is told on the Gateway, and a grant that is taken away takes the
//! way to a provider away. The test writes the status of the pod and of the Service.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::task::JoinSet;

use crate::common::{
    Cluster, GROUP, Operator, Space, admit, cluster, condition, eventually, one_model, options, prepare,
    rules, try_read_snapshot, user_of,
};
use crate::pod::{ask, free_address, http, steady_of};
use crate::provider::Provider;
use crate::writer::{READER, Writer};
use crate::{SOON, START};

/// A gateway with an Envoy before it, as in a pod.
struct Serving {
    gateway: Child,
    envoy: Option<Child>,
    folder: tempfile::TempDir,
    status: SocketAddr,
}

impl Serving {
    fn start(cluster: &Cluster, writer: &Writer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("kubeconfig"), cluster.kubeconfig(READER, &[])).unwrap();
        let status = free_address();
        let gateway = Command::new(env!("CARGO_BIN_EXE_aigw"))
            .args(["extproc", "--snapshot", &writer.place(), "--admin", "127.0.0.1:0"])
            .args(["--status", &status.to_string(), "--workers", "2", "--run-dir"])
            .arg(file("run"))
            .arg("--bootstrap-to")
            .arg(file("envoy.yaml"))
            .env("KUBECONFIG", file("kubeconfig"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(file("log")).unwrap())
            .spawn()
            .unwrap();
        Self {
            gateway,
            envoy: None,
            folder,
            status,
        }
    }

    /// Starts Envoy, once its configuration is there.
    async fn start_envoy(&mut self, binary: &Path) {
        let bootstrap = self.folder.path().join("envoy.yaml");
        eventually(START, || async {
            bootstrap.exists().then_some(()).ok_or_else(|| self.log())
        })
        .await;
        let log = std::fs::File::create(self.folder.path().join("envoy.log")).unwrap();
        let envoy = Command::new(binary)
            .arg("-c")
            .arg(&bootstrap)
            .args(["--disable-hot-restart", "--concurrency", "2", "-l", "warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.envoy = Some(envoy);
        eventually(START, || async {
            match http(self.status, "GET", "/ready").await? {
                (200, _) => Ok(()),
                other => Err(format!("{other:?} {}", self.log())),
            }
        })
        .await;
    }

    fn log(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        format!("{}\n--- Envoy\n{}", read("log"), read("envoy.log"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the gateway\n{}", self.log());
        }
        for child in self.envoy.iter_mut().chain([&mut self.gateway]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Copies what the operator writes for the Gateway `gw`, with listeners that are open to this machine alone.
fn relay(space: &Space<'_>) -> (Writer, JoinSet<()>) {
    let secrets: Api<Secret> = space.api();
    let (writer, own) = (Writer::new(space, "relay"), Writer::new(space, "relay"));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut last = String::new();
        loop {
            if let Ok(Some((index, contents))) = try_read_snapshot(&secrets, "gw").await
                && index.version != last
            {
                let mut document = contents.document.as_ref().clone();
                for listener in &mut document.listeners {
                    listener.address = listener.address.replace("0.0.0.0", "127.0.0.1");
                }
                own.copy(&index.gateway_uid, &contents, &document).await;
                last = index.version;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    (writer, tasks)
}

/// What a kubelet and a cloud would write.
async fn write_statuses(space: &Space<'_>, status: SocketAddr) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod-1", "labels": {
            "app.kubernetes.io/managed-by": "aigw", "aigateway.envoyproxy.io/gateway-name": "gw",
            "aigateway.envoyproxy.io/gateway-namespace": space.name}},
        "spec": {"containers": [{"name": "aigw", "image": "none",
            "ports": [{"name": "status", "containerPort": status.port()}]}]}});
    space.apply(&pod.to_string()).await;
    let params = PatchParams::default();
    let ready = json!({"status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}], "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}]}});
    let pods: Api<Pod> = space.api();
    pods.patch_status("pod-1", &params, &Patch::Merge(&ready))
        .await
        .unwrap();
    let address = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    let services: Api<Service> = space.api();
    services
        .patch_status("aigw-gw", &params, &Patch::Merge(&address))
        .await
        .unwrap();
}

/// The model `m`, whose backend is in another namespace, and the model `healthy`, all of which is in this one.
struct Objects {
    here: String,
    there: String,
    grant: String,
}

fn objects(space: &Space<'_>, other: &Space<'_>, [port, far, near]: [u16; 3]) -> Objects {
    let model = one_model(&space.name).replace("port: 8080", &format!("port: {port}"));
    let there = model.replace("port: 9}", &format!("port: {far}}}"));
    let healthy = r"
---
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIGatewayRoute
metadata: {name: healthy}
spec:
  parentRefs: [{name: gw, kind: Gateway, group: gateway.networking.k8s.io}]
  rules:
    - matches: [{headers: [{type: Exact, name: x-ai-eg-model, value: healthy}]}]
      backendRefs: [{name: b}]
";
    let here = model.replace("port: 9}", &format!("port: {near}}}")).replace(
        "backendRefs: [{name: b}]",
        &format!("backendRefs: [{{name: b, namespace: {}}}]", other.name),
    );
    let grant = format!(
        "{{apiVersion: gateway.networking.k8s.io/v1, kind: ReferenceGrant, metadata: {{name: g}}, spec: {{from: [{{group: {GROUP}, kind: \
         AIGatewayRoute, namespace: {}}}], to: [{{group: {GROUP}, kind: AIServiceBackend}}]}}}}",
        space.name
    );
    Objects {
        here: here + healthy,
        there,
        grant,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_envoy_refuses_and_what_is_not_granted_is_told_and_harms_nothing_else() {
    let envoy = match aigw_extproc::find_envoy(None, &|name| std::env::var(name).ok()) {
        Ok(envoy) => envoy,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "this test needs Envoy: {error}");
            eprintln!("skipped: {error}");
            return;
        }
    };
    let cluster = cluster().await;
    let (space, other) = (cluster.space("operated").await, cluster.space("granting").await);
    prepare(&space, &rules()).await;
    admit(&space, &other).await;
    let mut operating = options(&space, "one");
    operating.namespaces.push(other.name.clone());
    let operator = Operator::start(cluster.config(&user_of(&space), &[]), operating);
    operator.ready().await;
    let (far, near) = (Provider::start().await, Provider::start().await);
    let address = free_address();
    let objects = objects(&space, &other, [address.port(), far.port(), near.port()]);
    for kind in ["Backend", "AIServiceBackend", "BackendSecurityPolicy", "Secret"] {
        other.apply_kind(&objects.there, kind).await;
    }
    other.apply(&objects.grant).await;
    space.apply(&objects.here).await;
    let (writer, _relay) = relay(&space);
    writer.permit(&space).await;
    let mut serving = Serving::start(cluster, &writer);
    serving.start_envoy(&envoy).await;
    write_statuses(&space, serving.status).await;
    for route in ["r", "healthy"] {
        condition(&space, GROUP, "AIGatewayRoute", route, "Programmed", "True").await;
    }
    condition(&space, GATEWAY, "Gateway", "gw", "Programmed", "True").await;
    answers(address, "m", 200).await;
    assert_eq!(far.last_key().as_deref(), Some("Bearer sk-first"));
    let steady = steady_of(address, "healthy");

    // The grant is taken away while requests come: nothing gets there any more, and the others do not notice.
    other.delete(GATEWAY, "ReferenceGrant", "g").await;
    let found = condition(&space, GROUP, "AIGatewayRoute", "r", "ResolvedRefs", "False").await;
    assert_eq!(found["reason"], "RefNotPermitted", "{found:#}");
    answers(address, "m", 503).await;
    let before = far.requests();
    for _ in 0..20 {
        assert_eq!(ask(address, "m").await.unwrap().0, 503);
    }
    assert_eq!(far.requests(), before);
    other.apply(&objects.grant).await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "ResolvedRefs", "True").await;
    answers(address, "m", 200).await;
    assert!(far.requests() > before);
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;

    // A listener whose port somebody else has: Envoy itself refuses it.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let more = objects.here.replace(
        "listeners: [",
        &format!("listeners: [{{name: taken, protocol: HTTP, port: {port}}}, "),
    );
    space.apply_kind(&more, "Gateway").await;
    let found = condition(&space, GATEWAY, "Gateway", "gw", "Programmed", "False").await;
    assert_eq!(found["reason"], "Rejected", "{found:#}");
    let message = found["message"].as_str().unwrap();
    assert!(
        message.contains("pod pod-1")
            && message.contains("Envoy refuses the listeners")
            && message.contains(&port.to_string()),
        "{message}"
    );
    // Routes are served as they are; one that changes now is not.
    for route in ["r", "healthy"] {
        condition(&space, GROUP, "AIGatewayRoute", route, "Programmed", "True").await;
    }
    answers(address, "m", 200).await;
    let renamed = objects.here.replace("value: m}", "value: renamed}");
    assert_ne!(renamed, objects.here);
    space.apply_kind(&renamed, "AIGatewayRoute").await;
    let found = condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "False").await;
    assert_eq!(found["reason"], "Rejected", "{found:#}");
    condition(&space, GROUP, "AIGatewayRoute", "healthy", "Programmed", "True").await;
    answers(address, "m", 200).await;

    // Without that listener the rest of the change comes too.
    space.apply_kind(&objects.here, "Gateway").await;
    condition(&space, GATEWAY, "Gateway", "gw", "Programmed", "True").await;
    condition(&space, GROUP, "AIGatewayRoute", "r", "Programmed", "True").await;
    answers(address, "renamed", 200).await;
    let (served, failed) = steady.stop().await;
    assert_eq!(failed, Vec::<String>::new());
    assert!(served > 20, "{served}");
    operator.stop().await;
}

const GATEWAY: &str = "gateway.networking.k8s.io";

/// Waits until a model is answered with the status.
async fn answers(gateway: SocketAddr, model: &str, status: u16) {
    eventually(SOON, || async {
        match ask(gateway, model).await? {
            (found, _) if found == status => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}
