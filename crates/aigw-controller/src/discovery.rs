//! Which of the kinds the cluster has, and in which version.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use kube::Client;
use kube::core::ApiResource;

use crate::kinds::{WATCHED, Watched};

/// What is there: indices into [`WATCHED`] and how each is reached.
pub(crate) type Installed = BTreeMap<usize, ApiResource>;

/// Asks the API server. An error means that nothing is known, not that nothing is there.
pub(crate) async fn discover(client: &Client) -> Result<Installed, kube::Error> {
    let served = client.list_api_groups().await?;
    let mut lists: HashMap<String, Vec<APIResource>> = HashMap::new();
    let mut installed = Installed::new();
    for (index, watched) in WATCHED.iter().enumerate() {
        let group = served.groups.iter().find(|one| one.name == watched.group);
        for version in watched.versions {
            let there = watched.group.is_empty()
                || group.is_some_and(|group| group.versions.iter().any(|one| one.version == *version));
            if !there {
                continue;
            }
            let api_version = api_version(watched.group, version);
            if !lists.contains_key(&api_version) {
                let list = if watched.group.is_empty() {
                    client.list_core_api_resources(version).await?
                } else {
                    client.list_api_group_resources(&api_version).await?
                };
                lists.insert(api_version.clone(), list.resources);
            }
            let list = lists.get(&api_version).map(Vec::as_slice).unwrap_or_default();
            if list
                .iter()
                .any(|one| one.name == watched.plural && one.kind == watched.kind)
            {
                installed.insert(index, resource(watched, version));
                break;
            }
        }
    }
    Ok(installed)
}

/// How a kind is reached in a version.
pub(crate) fn resource(watched: &Watched, version: &str) -> ApiResource {
    ApiResource {
        group: watched.group.to_owned(),
        version: version.to_owned(),
        api_version: api_version(watched.group, version),
        kind: watched.kind.to_owned(),
        plural: watched.plural.to_owned(),
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}
