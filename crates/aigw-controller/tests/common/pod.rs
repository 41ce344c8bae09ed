//! A pod of a data plane without a kubelet: the test writes the Pod object and its status, and answers for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::{Space, try_read_snapshot};

/// A pod that reads the Gateway's snapshot again and again and says what it holds. It serves nothing.
pub struct TestPod {
    name: String,
    pods: Api<Pod>,
    tasks: JoinSet<()>,
    address: &'static str,
    /// What it says in place of what it reads, once set.
    pub refuses: Arc<Mutex<Option<String>>>,
}

impl TestPod {
    /// Makes the Pod, ready, at 127.0.0.1.
    pub async fn start(space: &Space<'_>, gateway: &str, name: &str) -> Self {
        Self::start_at(space, gateway, name, "127.0.0.1").await
    }

    /// The same with another address in its status; it listens at 127.0.0.1 all the same.
    pub async fn start_at(space: &Space<'_>, gateway: &str, name: &str, address: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said: Arc<Mutex<serde_json::Value>> = Arc::new(Mutex::new(json!({"format": 1})));
        let refuses: Arc<Mutex<Option<String>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let secrets: Api<Secret> = space.api();
        let (gateway_name, board, refusing) = (gateway.to_owned(), Arc::clone(&said), Arc::clone(&refuses));
        tasks.spawn(async move {
            loop {
                let refusal = refusing.lock().unwrap().clone();
                match refusal {
                    Some(why) => board.lock().unwrap()["refused"] = json!({"reason": "host", "detail": why}),
                    None => {
                        if let Ok(Some((index, contents))) = try_read_snapshot(&secrets, &gateway_name).await
                        {
                            *board.lock().unwrap() = json!({"format": 1, "gatewayUid": index.gateway_uid,
                                "snapshot": index.version, "hashes": contents.hashes});
                        }
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        tasks.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let body = said.lock().unwrap().to_string();
                tokio::spawn(async move {
                    let mut head = [0; 1024];
                    let _ = stream.read(&mut head).await;
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ = stream.write_all((head + &body).as_bytes()).await;
                });
            }
        });
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {
                "app.kubernetes.io/managed-by": "aigw",
                "aigateway.envoyproxy.io/gateway-name": gateway,
                "aigateway.envoyproxy.io/gateway-namespace": space.name}},
            "spec": {"containers": [{"name": "aigw", "image": "none",
                "ports": [{"name": "status", "containerPort": port}]}]}});
        space.apply(&pod.to_string()).await;
        let pod = Self {
            name: name.to_owned(),
            pods: space.api(),
            tasks,
            address,
            refuses,
        };
        pod.set_ready(true).await;
        pod
    }

    /// What a kubelet would write.
    pub async fn set_ready(&self, ready: bool) {
        let status = if ready { "True" } else { "False" };
        let patch = json!({"status": {"podIP": self.address, "podIPs": [{"ip": self.address}], "phase": "Running",
            "conditions": [{"type": "Ready", "status": status}]}});
        let patch = Patch::Merge(&patch);
        self.pods
            .patch_status(&self.name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Deletes it at once.
    pub async fn end(mut self) {
        self.tasks.abort_all();
        let now = DeleteParams::default().grace_period(0);
        self.pods.delete(&self.name, &now).await.unwrap();
    }
}
