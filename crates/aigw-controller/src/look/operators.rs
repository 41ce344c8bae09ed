//! Operators of aigw in a cluster, found by what their containers run.

use std::collections::BTreeMap;

use aigw_plan::cluster::Options;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use kube::Client;
use serde_json::Value;

use super::LookError;
use super::list::list;
use crate::surroundings::resource;

/// A Deployment that runs `aigw controller`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Labels of its pods.
    pub selector: BTreeMap<String, String>,
    /// What the container is told after `controller`.
    pub arguments: Vec<String>,
    /// The container's environment, where it is written out.
    pub environment: BTreeMap<String, String>,
    /// Its image.
    pub image: String,
    /// The account that it runs as.
    pub service_account: String,
    /// Pods that are wanted.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready: i32,
}

impl Operator {
    fn of(deployment: Deployment) -> Option<Self> {
        let spec = deployment.spec;
        let pod = spec.template.spec?;
        let (container, arguments) = pod
            .containers
            .iter()
            .find_map(|one| Some((one, arguments(one)?)))?;
        let environment = container.env.iter().flatten();
        Some(Self {
            namespace: deployment.metadata.namespace.unwrap_or_default(),
            name: deployment.metadata.name.unwrap_or_default(),
            labels: deployment.metadata.labels.unwrap_or_default(),
            selector: spec.selector.match_labels.unwrap_or_default(),
            environment: environment
                .filter_map(|one| Some((one.name.clone(), one.value.clone()?)))
                .collect(),
            arguments,
            image: container.image.clone().unwrap_or_default(),
            service_account: pod.service_account_name.unwrap_or_else(|| "default".to_owned()),
            replicas: spec.replicas.unwrap_or(1),
            ready: deployment
                .status
                .and_then(|status| status.ready_replicas)
                .unwrap_or_default(),
        })
    }

    /// The Helm release that it belongs to.
    pub fn release(&self) -> &str {
        let label = self.labels.get("app.kubernetes.io/instance");
        label.map_or(self.name.as_str(), String::as_str)
    }
}

/// How one operator is set up.
#[derive(Clone, Debug, Default)]
pub struct SetUp {
    /// The operator; none where it was not found.
    pub operator: Option<Operator>,
    /// Namespaces that it looks at; empty: all.
    pub namespaces: Vec<String>,
    /// How it plans.
    pub plan: Options,
    /// Why it is not known whether there is one.
    pub hidden: Option<String>,
}

impl SetUp {
    /// Of the namespaces `asked` about (empty: all) those that it looks at (empty: all).
    pub fn within(&self, asked: &[String]) -> Vec<String> {
        match (self.namespaces.as_slice(), asked) {
            (own, []) => own.to_vec(),
            ([], asked) => asked.to_vec(),
            (own, asked) => asked.iter().filter(|one| own.contains(one)).cloned().collect(),
        }
    }

    /// Whether it looks at one of the namespaces `asked` about.
    pub fn concerns(&self, asked: &[String]) -> bool {
        asked.is_empty() || !self.within(asked).is_empty()
    }
}

/// What follows `controller`, where the container runs aigw's.
fn arguments(container: &Container) -> Option<Vec<String>> {
    let command = container.command.iter().flatten();
    let all: Vec<&String> = command.chain(container.args.iter().flatten()).collect();
    let at = all.iter().position(|one| *one == "controller")?;
    let program = at.checked_sub(1).and_then(|before| all.get(before));
    let is_aigw = match program {
        Some(program) => program.rsplit('/').next() == Some("aigw"),
        // The image's own entry point.
        None => {
            container.name == "aigw"
                || container
                    .image
                    .as_ref()
                    .is_some_and(|image| image.contains("aigw"))
        }
    };
    is_aigw.then(|| all.into_iter().skip(at + 1).cloned().collect())
}

/// All of them in `namespaces`, or in the cluster when there are none, sorted.
pub async fn operators(client: &Client, namespaces: &[String]) -> Result<Vec<Operator>, LookError> {
    let deployments = resource("apps", "Deployment", "deployments");
    let found = list(client, &deployments, namespaces, None).await?;
    let read =
        |one| serde_json::from_value::<Deployment>(serde_json::to_value(one).unwrap_or(Value::Null)).ok();
    let mut all: Vec<Operator> = found
        .into_iter()
        .filter_map(read)
        .filter_map(Operator::of)
        .collect();
    all.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn found(container: Value) -> Option<Vec<String>> {
        arguments(&serde_json::from_value(container).unwrap())
    }

    #[test]
    fn operators_are_told_from_other_controllers() {
        let wanted = Some(vec!["--log-format=json".to_owned()]);
        for ours in [
            json!({"name": "aigw", "image": "mirror/gw", "args": ["controller", "--log-format=json"]}),
            json!({"name": "x", "image": "ghcr.io/aigw/aigw:1", "args": ["controller", "--log-format=json"]}),
            json!({"name": "x", "command": ["/usr/local/bin/aigw", "controller"], "args": ["--log-format=json"]}),
        ] {
            assert_eq!(found(ours.clone()), wanted, "{ours}");
        }
        for other in [
            json!({"name": "aigw", "args": ["proxy"]}),
            json!({"name": "manager", "image": "ingress", "args": ["controller"]}),
            json!({"name": "aigw", "command": ["/bin/other", "controller"]}),
        ] {
            assert_eq!(found(other.clone()), None, "{other}");
        }
    }
}
