//! A cluster: its processes, and clients of its API.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::OnceCell;

use super::keys::{Authority, Signed};
use super::servers::{Process, api_server, etcd, free_port, remove_afterwards, write_files};

/// An API server with its etcd, with our kinds and Gateway API's.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    etcd_port: u16,
    authority: Authority,
    server: Mutex<Option<Process>>,
    etcd: Process,
    broom: Child,
}

static SHARED: OnceCell<Cluster> = OnceCell::const_new();

/// The cluster that the tests of this binary share. It ends with the binary.
pub async fn cluster() -> &'static Cluster {
    SHARED.get_or_init(Cluster::start).await
}

impl Cluster {
    /// Starts a cluster and waits until it is ready.
    pub async fn start() -> Self {
        // The graph holds one provider of cryptography.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new().prefix("aigw-cluster-").tempdir();
        let folder = folder.unwrap().keep();
        let authority = Authority::new();
        write_files(&folder, &authority);
        let (port, etcd_port) = (free_port(), free_port());
        let cluster = Self {
            broom: remove_afterwards(&folder),
            etcd: etcd(&folder, etcd_port),
            server: Mutex::new(None),
            folder,
            port,
            etcd_port,
            authority,
        };
        cluster.start_server().await;
        super::apply_crds(&cluster.admin()).await;
        cluster
    }

    /// Ends the API server as a crash would; etcd goes on.
    pub fn kill_server(&self) {
        drop(self.server.lock().unwrap().take());
    }

    /// Starts the API server again where it was, and waits until it is ready.
    pub async fn start_server(&self) {
        *self.server.lock().unwrap() = Some(api_server(&self.folder, self.port, self.etcd_port));
        let client = self.admin();
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < Duration::from_secs(90) {
            let ready = http::Request::get("/readyz").body(Vec::new()).unwrap();
            match client.request_text(ready).await {
                Ok(text) if text == "ok" => return,
                Ok(text) => last = text,
                Err(error) => last = error.to_string(),
            }
            if self.etcd.ended() || self.server.lock().unwrap().as_ref().is_none_or(Process::ended) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the API server did not get ready: {last}\n{}", self.logs());
    }

    /// A client that may do everything. Like all clients it belongs to the test's runtime.
    pub fn admin(&self) -> Client {
        Client::try_from(self.config("admin", &["system:masters"])).unwrap()
    }

    /// A client of the user `name`, which may do what roles bound to it say.
    pub fn user(&self, name: &str) -> Client {
        Client::try_from(self.config(name, &[])).unwrap()
    }

    /// A client of a service account of a pod, in its usual group; the account itself need not exist.
    pub fn service_account(&self, namespace: &str, name: &str) -> Client {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        Client::try_from(self.config(&user, &["system:serviceaccounts"])).unwrap()
    }

    /// How a user reaches the cluster.
    pub fn config(&self, user: &str, groups: &[&str]) -> Config {
        let text = self.kubeconfig(user, groups);
        let parsed = Kubeconfig::from_yaml(&text).unwrap();
        futures_util::FutureExt::now_or_never(Config::from_custom_kubeconfig(
            parsed,
            &KubeConfigOptions::default(),
        ))
        .unwrap()
        .unwrap()
    }

    /// The same as a kubeconfig.
    pub fn kubeconfig(&self, user: &str, groups: &[&str]) -> String {
        let Signed { certificate, key } = self.authority.user(user, groups);
        let encode = |text: &str| STANDARD.encode(text);
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port),
                "certificate-authority-data": encode(&self.authority.certificate)}}],
            "users": [{"name": user, "user": {
                "client-certificate-data": encode(&certificate), "client-key-data": encode(&key)}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        })
        .to_string()
    }

    /// A folder for the files of a test; it goes with the cluster.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the servers wrote last.
    pub fn logs(&self) -> String {
        let server = self.server.lock().unwrap();
        let server = server
            .as_ref()
            .map_or_else(|| "no server runs".to_owned(), Process::tail);
        format!("{}\n{server}", self.etcd.tail())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The broom waits for its input alone; that the rest of the fields is dropped first does not matter to it.
        drop(self.broom.stdin.take());
    }
}
