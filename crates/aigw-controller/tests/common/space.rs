//! A namespace of a test.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};
use kube::{Client, Resource};

use super::cluster::Cluster;

/// A namespace of its own for a test. When the test fails, what the servers wrote last is printed.
pub struct Space<'a> {
    /// The namespace.
    pub name: String,
    /// A client that may do everything.
    pub client: Client,
    /// Where it is.
    pub cluster: &'a Cluster,
}

static NEXT: AtomicU32 = AtomicU32::new(1);

impl Cluster {
    /// Makes a namespace; `name` says what for.
    pub async fn space(&self, name: &str) -> Space<'_> {
        let name = format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let client = self.admin();
        let namespace = Namespace {
            metadata: kube::api::ObjectMeta {
                name: Some(name.clone()),
                ..Default::default()
            },
            ..Default::default()
        };
        let all: Api<Namespace> = Api::all(client.clone());
        all.create(&PostParams::default(), &namespace).await.unwrap();
        Space {
            name,
            client,
            cluster: self,
        }
    }
}

impl Space<'_> {
    /// The objects of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Applies manifests in YAML; those without a namespace go in this one.
    pub async fn apply(&self, yaml: &str) {
        super::apply_all(&self.client, &self.name, super::read_manifests(yaml)).await;
    }

    /// Applies those of the manifests that are of the kind.
    pub async fn apply_kind(&self, yaml: &str, kind: &str) {
        let mut all = super::read_manifests(yaml);
        all.retain(|one| one["kind"] == kind);
        assert!(!all.is_empty(), "no {kind} in {yaml}");
        super::apply_all(&self.client, &self.name, all).await;
    }

    /// Deletes a CustomResourceDefinition, and waits until it is gone.
    pub async fn delete_definition(&self, name: &str) {
        use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let _ = api
            .delete(name, &kube::api::DeleteParams::default())
            .await
            .unwrap();
        eventually(Duration::from_secs(20), || async {
            match api.get_opt(name).await {
                Ok(None) => Ok(()),
                other => Err(format!("{name} is still there: {:?}", other.is_ok())),
            }
        })
        .await;
    }

    /// Deletes an object.
    pub async fn delete(&self, group: &str, kind: &str, name: &str) {
        let api = super::kind_api(self, group, kind).await;
        api.delete(name, &kube::api::DeleteParams::default())
            .await
            .unwrap();
    }
}

impl Drop for Space<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.cluster.logs());
        }
    }
}

/// Asks again and again until there is an answer, and fails with the last `Err` when there is none within `limit`.
pub async fn eventually<T, F>(limit: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(last) => assert!(began.elapsed() < limit, "not within {limit:?}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
