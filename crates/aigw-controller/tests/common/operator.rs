//! An operator that runs in the test's process, as its own user, with exactly the rules of the chart.

use std::path::Path;
use std::time::Duration;

use aigw_controller::{Election, Options};
use aigw_plan::cluster::Means;
use aigw_translate::host::Registry;
use kube::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::{Cluster, Space, apply_all, eventually};

/// An operator with threads of its own. Dropping it ends it as a crash would: nothing is given back.
pub struct Operator {
    /// Address of its admin port.
    pub admin: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<Result<(), String>>>,
    threads: Option<Runtime>,
}

/// The rules of the chart.
pub fn rules() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/aigw/files/rules.yaml");
    serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The user that operators of a space run as.
pub fn user_of(space: &Space<'_>) -> String {
    format!("operator-of-{}", space.name)
}

/// The controller that an operator of a space is; the space's name is that of its GatewayClass.
pub fn controller_of(space: &Space<'_>) -> String {
    format!("aigw.test/{}", space.name)
}

/// Gives the user of a space the chart's rights there, `rules` being those of [`rules`] or less, and makes its GatewayClass.
pub async fn prepare(space: &Space<'_>, rules: &Value) {
    let (name, user) = (&space.name, user_of(space));
    let bound = |kind: &str, of: &str, role: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": of, "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]})
    };
    let role = |kind: &str, role: &str, rules: &Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": role}, "rules": rules});
    let objects = vec![
        role("ClusterRole", name, &rules["cluster"]),
        bound("ClusterRoleBinding", "ClusterRole", name),
        role("Role", "namespaces", &rules["namespaces"]),
        bound("RoleBinding", "Role", "namespaces"),
        role("Role", "own", &rules["own"]),
        bound("RoleBinding", "Role", "own"),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": name},
            "spec": {"controllerName": controller_of(space)}}),
    ];
    apply_all(&space.client, name, objects).await;
}

/// Gives the user of a space the chart's rights in another one too.
pub async fn admit(space: &Space<'_>, other: &Space<'_>) {
    let group = "rbac.authorization.k8s.io";
    let role = json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": "guest"},
        "rules": rules()["namespaces"]});
    let bound = json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": "guest"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "guest"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user_of(space)}]});
    apply_all(&other.client, &other.name, vec![role, bound]).await;
}

/// Options of an operator that looks at the space alone.
pub fn options(space: &Space<'_>, identity: &str) -> Options {
    Options {
        namespace: space.name.clone(),
        identity: identity.to_owned(),
        namespaces: vec![space.name.clone()],
        election: Some(Election {
            duration: Duration::from_secs(2),
            renew_deadline: Duration::from_millis(1500),
            retry: Duration::from_millis(250),
            ..Election::default()
        }),
        plan: aigw_plan::cluster::Options {
            controller_name: controller_of(space),
            claim: aigw_plan::cluster::Claim::Never,
            ..aigw_plan::cluster::Options::default()
        },
    }
}

impl Cluster {
    /// Starts an operator in a space that was [prepared](prepare), and waits until it has seen everything.
    pub async fn operator(&self, space: &Space<'_>, identity: &str) -> Operator {
        let operator = self.unready_operator(space, identity);
        operator.ready().await;
        operator
    }

    /// The same without waiting.
    pub fn unready_operator(&self, space: &Space<'_>, identity: &str) -> Operator {
        let config = self.config(&user_of(space), &[]);
        Operator::start(config, options(space, identity))
    }
}

impl Operator {
    /// Starts one.
    pub fn start(config: kube::Config, options: Options) -> Self {
        Self::start_with(config, options, |client| client)
    }

    /// Starts one whose requests go through what `wrap` makes of its client.
    pub fn start_with(
        mut config: kube::Config,
        options: Options,
        wrap: impl FnOnce(Client) -> Client + Send + 'static,
    ) -> Self {
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(5));
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_env("AIGW_LOG"))
            .with_test_writer()
            .try_init();
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let admin = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        threads.spawn(async move {
            let client = wrap(Client::try_from(config).unwrap());
            let listener = TcpListener::from_std(listener).unwrap();
            let stopped = async {
                let _ = stopped.await;
            };
            let means = Means {
                capabilities: &Registry,
                check_certificate: aigw_proxy::check_certificate,
            };
            let done = aigw_controller::run(client, options, means, listener, stopped).await;
            let _ = end.send(done.map_err(|error| error.to_string()));
        });
        Self {
            admin,
            stop: Some(stop),
            ended: Some(ended),
            threads: Some(threads),
        }
    }

    /// Asks its admin port; status and text.
    pub async fn ask(&self, path: &str) -> (u16, String) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let Ok(mut stream) = tokio::net::TcpStream::connect(self.admin).await else {
            return (0, String::new());
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// A number at `/metrics`, 0 when it is not there.
    pub async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.ask("/metrics").await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().unwrap())
    }

    /// Waits until it has seen everything.
    pub async fn ready(&self) {
        eventually(Duration::from_secs(20), || async {
            match self.ask("/ready").await {
                (200, _) => Ok(()),
                (_, text) => Err(text),
            }
        })
        .await;
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.ended.take().unwrap().await.unwrap().unwrap();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // Tasks end where they are; the Lease stays held.
        if let Some(stop) = self.stop.take() {
            std::mem::forget(stop);
        }
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}
