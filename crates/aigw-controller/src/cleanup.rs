//! `aigw cleanup`: removes what the operator and its chart have made.

use aigw_api::CRDS_ANNOTATION;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::discovery::{Scope, pinned_kind};
use kube::{Client, Error, ResourceExt as _};
use serde_json::Value;
use thiserror::Error;

use crate::crds::Definition;
use crate::managed::{MADE, MANAGED_BY, MANAGER, resource};
use crate::named::Named;

/// Why something was not removed. What was removed before is gone; it can be run again.
#[derive(Debug, Error)]
pub enum CleanupError {
    /// The API server refused, or did not answer: give the user the rights of the chart's Job, or see what it says.
    #[error("cannot {0}: {1}")]
    Refused(String, Error),
    /// A document is no object: it needs `apiVersion`, `kind` and `metadata.name`, and a namespace where its kind has one.
    #[error("a document has no apiVersion, kind, metadata.name or metadata.namespace: {0}")]
    NoObject(String),
}

/// Deletes these objects, the last first. `told` gets a line for each that was there.
///
/// # Errors
/// At the first that cannot be deleted.
pub async fn delete_objects(
    client: &Client,
    objects: &[Value],
    mut told: impl FnMut(String),
) -> Result<(), CleanupError> {
    for object in objects.iter().rev() {
        let named = Named::of(object);
        let no_object = || CleanupError::NoObject(object.to_string());
        if !named.is_object() {
            return Err(no_object());
        }
        let Named {
            kind,
            namespace,
            name,
            ..
        } = named;
        let (resource, found) = match pinned_kind(client, &named.gvk()).await {
            Ok(found) => found,
            Err(error) if is_missing(&error) => continue,
            Err(error) => return Err(refused("find the kind", kind, error)),
        };
        let api: Api<DynamicObject> = match found.scope {
            Scope::Cluster => Api::all_with(client.clone(), &resource),
            Scope::Namespaced if namespace.is_empty() => return Err(no_object()),
            Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, &resource),
        };
        if delete(&api, name).await? {
            told(format!("{kind} {name}: deleted"));
        }
    }
    Ok(())
}

/// Deletes everything with the operator's label in these namespaces (none given: in all). `told` gets a line for each object.
/// An operator that still runs makes it anew: uninstall it first.
///
/// # Errors
/// At the first kind that cannot be listed, and the first object that cannot be deleted.
pub async fn delete_made(
    client: &Client,
    namespaces: &[String],
    mut told: impl FnMut(String),
) -> Result<(), CleanupError> {
    let params = ListParams::default().labels(&format!("{MANAGED_BY}={MANAGER}"));
    for made in MADE {
        let kind = resource(made);
        for api in places(client, namespaces, &kind) {
            let found = api.list_metadata(&params).await;
            for one in found.map_err(|error| refused("list", &kind.plural, error))?.items {
                let (namespace, name) = (one.namespace().unwrap_or_default(), one.name_any());
                let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &kind);
                if delete(&api, &name).await? {
                    told(format!("{} {namespace}/{name}: deleted", kind.kind));
                }
            }
        }
    }
    Ok(())
}

fn places(client: &Client, namespaces: &[String], kind: &ApiResource) -> Vec<Api<DynamicObject>> {
    if namespaces.is_empty() {
        return vec![Api::all_with(client.clone(), kind)];
    }
    let named = |one: &String| Api::namespaced_with(client.clone(), one, kind);
    namespaces.iter().map(named).collect()
}

/// Deletes the definitions that aigw brought and of whose kinds there is no object. `told` gets a line for each of aigw's.
///
/// # Errors
/// At the first definition or kind that cannot be read, or cannot be deleted.
pub async fn delete_definitions(
    client: &Client,
    definitions: &[Definition],
    mut told: impl FnMut(String),
) -> Result<(), CleanupError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in definitions {
        let name = definition.name();
        let found = api.get_opt(name).await;
        let Some(found) = found.map_err(|error| refused("read", name, error))? else {
            continue;
        };
        if !found.annotations().contains_key(CRDS_ANNOTATION) {
            continue;
        }
        let version = found.spec.versions.iter().find(|one| one.storage);
        let version = version.map(|one| one.name.clone()).unwrap_or_default();
        let kind = ApiResource {
            api_version: format!("{}/{version}", found.spec.group),
            group: found.spec.group,
            version,
            kind: found.spec.names.kind,
            plural: found.spec.names.plural,
        };
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        let some = objects.list_metadata(&ListParams::default().limit(1)).await;
        if let Some(one) = some
            .map_err(|error| refused("list", &kind.plural, error))?
            .items
            .first()
        {
            let place = one.namespace().unwrap_or_default();
            told(format!(
                "{name}: left, there is {} {place}/{}",
                kind.kind,
                one.name_any()
            ));
            continue;
        }
        api.delete(name, &DeleteParams::background())
            .await
            .map_err(|error| refused("delete", name, error))?;
        told(format!("{name}: deleted"));
    }
    Ok(())
}

/// Whether there was something to delete.
async fn delete(api: &Api<DynamicObject>, name: &str) -> Result<bool, CleanupError> {
    match api.delete(name, &DeleteParams::background()).await {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(refused("delete", name, error)),
    }
}

fn is_missing(error: &Error) -> bool {
    match error {
        Error::Api(status) => status.code == 404,
        Error::Discovery(_) => true,
        _ => false,
    }
}

fn refused(verb: &str, what: &str, error: Error) -> CleanupError {
    CleanupError::Refused(format!("{verb} {what}"), error)
}
