//! Brings definitions, and objects of their kinds, into a cluster.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::{Decision, Definition, decide};
use crate::managed::MANAGER;
use crate::named::Named;

/// How long the API server may take to serve a definition that it has.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Why definitions or objects could not be brought into the cluster.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The API server refused: give the user the rights of the chart's Job, or see what it says.
    #[error("{name}: {error}")]
    Refused {
        /// The object.
        name: String,
        /// What the API server said.
        error: kube::Error,
    },
    /// It took a definition and does not serve it; its conditions say why.
    #[error("{name} is not served: {state}")]
    NotServed {
        /// The definition.
        name: String,
        /// Its conditions, or what was said last.
        state: String,
    },
    /// A document is no object: it needs `apiVersion`, `kind` and `metadata.name`.
    #[error("a document has no apiVersion, kind or metadata.name: {0}")]
    NoObject(String),
}

/// Creates the definitions that are absent and renews those that are older, and waits until they are served. Says what was done with each.
pub async fn install(
    client: &Client,
    definitions: &[Definition],
) -> Result<Vec<(String, Decision)>, InstallError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut done = Vec::new();
    for definition in definitions {
        let name = definition.name();
        let refused = |error| InstallError::Refused {
            name: name.to_owned(),
            error,
        };
        let installed = api.get_opt(name).await.map_err(refused)?;
        let decision = decide(installed.map(|one| json!(one)).as_ref(), &definition.object);
        if matches!(decision, Decision::Create | Decision::Update) {
            let params = PatchParams::apply(MANAGER).force();
            api.patch(name, &params, &Patch::Apply(&definition.object))
                .await
                .map_err(refused)?;
        }
        done.push((name.to_owned(), decision));
    }
    for (name, decision) in &done {
        if matches!(decision, Decision::Create | Decision::Update) {
            served(&api, name).await?;
        }
    }
    Ok(done)
}

async fn served(api: &Api<CustomResourceDefinition>, name: &str) -> Result<(), InstallError> {
    let began = Instant::now();
    loop {
        let found = api.get(name).await;
        let state = match &found {
            Ok(found) => json!(found.status),
            Err(error) => error.to_string().into(),
        };
        let conditions = state["conditions"].as_array().into_iter().flatten();
        if conditions
            .clone()
            .any(|one| one["type"] == "Established" && one["status"] == "True")
        {
            return Ok(());
        }
        if began.elapsed() > LIMIT {
            return Err(InstallError::NotServed {
                name: name.to_owned(),
                state: state.to_string(),
            });
        }
        sleep(PAUSE).await;
    }
}

/// Applies objects one after the other. A kind that is not served yet is waited for.
pub async fn apply_objects(client: &Client, objects: &[Value]) -> Result<Vec<String>, InstallError> {
    let mut done = Vec::new();
    for object in objects {
        let named = Named::of(object);
        if !named.is_object() {
            return Err(InstallError::NoObject(object.to_string()));
        }
        let kind = named.gvk();
        let title = format!("{} {}", named.kind, named.name);
        let began = Instant::now();
        loop {
            match apply(client, &kind, named.namespace, named.name, object).await {
                Ok(()) => break,
                Err(error) if absent(&error) && began.elapsed() < LIMIT => sleep(PAUSE).await,
                Err(error) => return Err(InstallError::Refused { name: title, error }),
            }
        }
        done.push(title);
    }
    Ok(done)
}

async fn apply(
    client: &Client,
    kind: &GroupVersionKind,
    namespace: &str,
    name: &str,
    object: &Value,
) -> kube::Result<()> {
    let (resource, found) = pinned_kind(client, kind).await?;
    let api: Api<DynamicObject> = match (found.scope, namespace) {
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
        (Scope::Namespaced, "") => Api::default_namespaced_with(client.clone(), &resource),
        (Scope::Namespaced, namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    let params = PatchParams::apply(MANAGER).force();
    api.patch(name, &params, &Patch::Apply(object)).await.map(drop)
}

/// The kind is not known yet.
fn absent(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 404,
        kube::Error::Discovery(_) => true,
        _ => false,
    }
}
