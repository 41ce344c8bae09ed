//! The requests that change the cluster: server-side apply with one field manager, and deletion.

use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy,
};
use kube::core::metadata::PartialObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use serde_json::{Value, json};

use crate::managed::{MANAGED_BY, MANAGER, Mark};
use crate::table::Key;
use crate::term::{Refused, Right};

/// Makes changes while this process leads.
#[derive(Clone)]
pub(crate) struct Applier {
    pub(crate) client: Client,
    pub(crate) right: Right,
}

/// What became of an object.
#[derive(Debug)]
pub(crate) enum Put {
    /// It is as wanted now.
    Done(Mark),
    /// Somebody else's object has its name; it was not touched.
    Foreign,
}

impl Applier {
    pub(crate) fn api<K>(&self, resource: &ApiResource, namespace: &str) -> Api<K>
    where
        K: kube::Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        }
    }

    /// Makes or changes an object; `mark` is what is known to be there of it. Objects without our label are left alone.
    pub(crate) async fn put(
        &self,
        resource: &ApiResource,
        key: &Key,
        mark: Option<&Mark>,
        object: &Value,
    ) -> Result<Put, Refused> {
        let (namespace, name) = key;
        if mark.is_none() {
            let there: Api<PartialObjectMeta<DynamicObject>> = self.api(resource, namespace);
            // A list, for which the operator has the right anyway.
            let by_name = ListParams::default().fields(&format!("metadata.name={name}"));
            let there = self.right.write(there.list_metadata(&by_name)).await?;
            if there.items.iter().any(|one| !is_ours(&one.metadata)) {
                return Ok(Put::Foreign);
            }
        }
        let api: Api<DynamicObject> = self.api(resource, namespace);
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(object);
        let done = self.right.write(api.patch(name, &params, &patch)).await?;
        Ok(Put::Done(Mark::of_meta(&done.metadata)))
    }

    /// Writes a status. `version` makes it fail when the object has changed since.
    pub(crate) async fn put_status(
        &self,
        resource: &ApiResource,
        key: &Key,
        uid: &str,
        version: Option<&str>,
        status: &Value,
    ) -> Result<Value, Refused> {
        let (namespace, name) = key;
        let mut metadata = json!({"name": name, "uid": uid});
        if let Value::Object(members) = &mut metadata {
            if !namespace.is_empty() {
                members.insert("namespace".to_owned(), Value::from(namespace.as_str()));
            }
            if let Some(version) = version {
                members.insert("resourceVersion".to_owned(), Value::from(version));
            }
        }
        let body = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": metadata,
            "status": status,
        });
        let api: Api<DynamicObject> = self.api(resource, namespace);
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(&body);
        let done = self.right.write(api.patch_status(name, &params, &patch)).await?;
        Ok(done.data.get("status").cloned().unwrap_or_default())
    }

    /// Deletes the object of this uid; one that is gone already is no error.
    pub(crate) async fn delete(&self, resource: &ApiResource, key: &Key, uid: &str) -> Result<(), Refused> {
        let (namespace, name) = key;
        let api: Api<PartialObjectMeta<DynamicObject>> = self.api(resource, namespace);
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match self.right.write(api.delete(name, &params)).await {
            Ok(_) => Ok(()),
            Err(refused) if matches!(refused.code(), Some(404 | 409)) => Ok(()),
            Err(refused) => Err(refused),
        }
    }
}

/// Whether the operator made it.
pub(crate) fn is_ours(metadata: &kube::api::ObjectMeta) -> bool {
    let labels = metadata.labels.as_ref();
    labels.and_then(|all| all.get(MANAGED_BY)).map(String::as_str) == Some(MANAGER)
}
