//! The operator's part: a snapshot's Secrets, and the rights to read them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aigw_config::shard::{
    Contents, Cut, FORMAT, INDEX_KEY, Index, Place, SHARD_KEY, Write, base, cut, names,
};
use aigw_config::{Credentials, Document, Secret as Key};
use aigw_runtime::SnapshotName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::common::Space;

pub const UID: &str = "8d0e";
/// The user that a pod is.
pub const READER: &str = "pod-reader";

pub struct Writer {
    pub base: String,
    namespace: String,
    secrets: Api<Secret>,
}

/// One backend at `url` with the credential `key`, and a route of every model to it.
pub fn document(url: &str) -> Document {
    serde_json::from_value(json!({
        "listeners": [{"name": "http", "address": "127.0.0.1:0"}],
        "routes": [{"name": "r", "rules": [{"backends": [{"name": "a"}]}]}],
        "backends": [{"name": "a", "schema": {"name": "OpenAI"}, "url": url,
            "auth": {"type": "bearer", "credential": "key"}}],
        "credentials": [{"name": "key", "value": "[redacted]"}],
    }))
    .unwrap()
}

/// As many routes and backends.
pub fn large(count: usize) -> Document {
    let backend =
        |n: usize| json!({"name": format!("backend-{n}"), "url": format!("https://host-{n}.example.com")});
    let route = |n: usize| {
        json!({"name": format!("route-{n}"), "rules": [{"models": [format!("m-{n}")],
            "backends": [{"name": format!("backend-{n}")}]}]})
    };
    serde_json::from_value(json!({
        "routes": (0..count).map(route).collect::<Vec<_>>(),
        "backends": (0..count).map(backend).collect::<Vec<_>>(),
    }))
    .unwrap()
}

impl Writer {
    pub fn new(space: &Space<'_>, gateway: &str) -> Self {
        Self {
            base: base(gateway),
            namespace: space.name.clone(),
            secrets: space.api(),
        }
    }

    /// `NAMESPACE/BASE`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.base)
    }

    pub fn name(&self) -> SnapshotName {
        self.place().parse().unwrap()
    }

    /// The rights of a gateway's pods: get and watch, by name.
    pub async fn permit(&self, space: &Space<'_>) {
        self.permit_user(space, READER).await;
    }

    pub async fn permit_user(&self, space: &Space<'_>, user: &str) {
        let names: Vec<String> = names(&self.base).collect();
        let (group, api) = ("rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1");
        let role = json!({"apiVersion": api, "kind": "Role", "metadata": {"name": self.base}, "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["get", "watch"]}]});
        let binding = json!({"apiVersion": api, "kind": "RoleBinding", "metadata": {"name": self.base},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": self.base},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}]});
        crate::common::apply_all(&space.client, &space.name, vec![role, binding]).await;
    }

    /// Writes a snapshot.
    pub async fn write(&self, document: &Document, keys: &[(&str, &str)]) -> Cut {
        let cut = self.cut(document, keys);
        for write in self.writes(&cut).await {
            self.put(&write, write.bytes.reveal()).await;
        }
        cut
    }

    /// Writes what an operator has written elsewhere, with another document.
    pub async fn copy(&self, uid: &str, contents: &Contents, document: &Document) {
        let cut = cut(uid, document, &contents.credentials, &contents.hashes, FORMAT).unwrap();
        for write in self.writes(&cut).await {
            self.put(&write, write.bytes.reveal()).await;
        }
    }

    /// The same, and says how large the objects are as the API server sends them.
    pub async fn write_and_weigh(
        &self,
        document: &Document,
        keys: &[(&str, &str)],
    ) -> HashMap<String, usize> {
        let cut = self.cut(document, keys);
        let mut sizes = HashMap::new();
        for write in self.writes(&cut).await {
            let stored = self.put(&write, write.bytes.reveal()).await;
            sizes.insert(
                write.place.name(&self.base),
                serde_json::to_vec(&stored).unwrap().len(),
            );
        }
        sizes
    }

    /// Writes a snapshot of which one shard holds something else.
    pub async fn write_damaged(&self, document: &Document, keys: &[(&str, &str)]) {
        for write in self.writes(&self.cut(document, keys)).await {
            match write.place {
                Place::Slot(_) => self.put(&write, b"something else").await,
                Place::Index => self.put(&write, write.bytes.reveal()).await,
            };
        }
    }

    /// Marks the snapshot as one of another format.
    pub async fn mark(&self, format: u32, min_reader: u32) {
        let mut index = self.index().await.unwrap();
        (index.format, index.min_reader) = (format, min_reader);
        let write = self
            .writes(&self.cut(&Document::default(), &[]))
            .await
            .pop()
            .unwrap();
        self.put(&write, &serde_json::to_vec(&index).unwrap()).await;
    }

    fn cut(&self, document: &Document, keys: &[(&str, &str)]) -> Cut {
        let mut credentials = Credentials::default();
        for (id, key) in keys {
            credentials.insert(*id, Key::new(*key));
        }
        let hashes = BTreeMap::from([("AIServiceBackend/a".to_owned(), "h1".to_owned())]);
        cut(UID, document, &credentials, &hashes, FORMAT).unwrap()
    }

    async fn index(&self) -> Option<Index> {
        let stored = self
            .secrets
            .get_opt(&Place::Index.name(&self.base))
            .await
            .unwrap()?;
        Some(Index::parse(&stored.data.unwrap()[INDEX_KEY].0).unwrap())
    }

    async fn writes(&self, cut: &Cut) -> Vec<Write> {
        cut.writes(self.index().await.as_ref(), &BTreeSet::new()).unwrap()
    }

    async fn put(&self, write: &Write, bytes: &[u8]) -> Secret {
        let name = write.place.name(&self.base);
        let key = match write.place {
            Place::Index => INDEX_KEY,
            Place::Slot(_) => SHARD_KEY,
        };
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "data": {key: STANDARD.encode(bytes)}});
        let params = PatchParams::apply("test").force();
        self.secrets
            .patch(&name, &params, &Patch::Apply(secret))
            .await
            .unwrap()
    }
}
