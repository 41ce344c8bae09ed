//! What whoever asks may look at, and whether the operator's account has the chart's rights.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::Value;

use super::finding::Report;
use super::operator::about;
use super::patient::Patient;
use crate::look::{NoAnswer, Operator, SetUp, answered};

/// The chart's rules.
const RULES: &str = include_str!("../../../../charts/aigw/files/rules.yaml");
/// Questions at once.
const AT_ONCE: usize = 16;
/// Rights that are named; the others are counted.
const TOLD: usize = 6;

/// A right: verb, group, resource with its subresource, name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    verb: String,
    group: String,
    resource: String,
    name: Option<String>,
    namespace: Option<String>,
}

impl Right {
    fn new(verb: &str, group: &str, resource: &str, namespace: Option<&str>) -> Self {
        Self {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            name: None,
            namespace: namespace.map(str::to_owned),
        }
    }

    fn attributes(&self) -> ResourceAttributes {
        let (resource, subresource) = match self.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (self.resource.as_str(), None),
        };
        ResourceAttributes {
            group: Some(self.group.clone()),
            resource: Some(resource.to_owned()),
            subresource,
            verb: Some(self.verb.clone()),
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            ..ResourceAttributes::default()
        }
    }

    fn full(&self) -> String {
        match self.group.as_str() {
            "" => self.resource.clone(),
            group => match self.resource.split_once('/') {
                Some((resource, subresource)) => format!("{resource}.{group}/{subresource}"),
                None => format!("{}.{group}", self.resource),
            },
        }
    }
}

/// What the rest of an examination asks for.
pub(super) async fn of_the_asker(patient: &Patient<'_>, set_ups: &[SetUp], report: &mut Report) {
    let mut needed = vec![
        (
            Right::new("create", "authorization.k8s.io", "subjectaccessreviews", None),
            "whether the operator has its rights",
        ),
        (Right::new("list", "", "pods", None), "the pods of data planes"),
        (
            Right::new("get", "", "pods/proxy", None),
            "what the pods of data planes say that they serve",
        ),
    ];
    for operator in set_ups.iter().filter_map(|one| one.operator.as_ref()) {
        let right = Right::new("get", "coordination.k8s.io", "leases", Some(&operator.namespace));
        needed.push((right, "who leads"));
    }
    if let [only] = patient.namespaces {
        for (right, _) in needed.iter_mut().filter(|(right, _)| right.group.is_empty()) {
            right.namespace = Some(only.clone());
        }
    }
    let api: Api<SelfSubjectAccessReview> = Api::all(patient.client.clone());
    let mut lacking = 0;
    for (right, what) in &needed {
        let question = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(right.attributes()),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let answer = answered(api.create(&PostParams::default(), &question)).await;
        if answer.is_ok_and(|one| one.status.is_some_and(|status| !status.allowed)) {
            lacking += 1;
            let place = match &right.namespace {
                Some(name) => format!(" -n {name}"),
                None => " -A".to_owned(),
            };
            let (resource, sub) = match right.resource.split_once('/') {
                Some((resource, sub)) => (resource, format!(" --subresource={sub}")),
                None => (right.resource.as_str(), String::new()),
            };
            let group = match right.group.as_str() {
                "" => String::new(),
                group => format!(".{group}"),
            };
            let fix = patient
                .commands
                .kubectl(format!("auth can-i {} {resource}{group}{sub}{place}", right.verb));
            let what = format!("may not {} {}: {what} is not known", right.verb, right.full());
            report.warning("your account", what, fix);
        }
    }
    if lacking == 0 {
        report.ok("your account", "may look at all that is looked at here");
    }
}

/// Asks for each of the chart's rights whether the operator's account has it.
pub(super) async fn of_operator(
    patient: &Patient<'_>,
    operator: &Operator,
    set_up: &SetUp,
    report: &mut Report,
) {
    let account = format!("{}/{}", operator.namespace, operator.service_account);
    let about = about(operator);
    let rights = match rights(operator, set_up) {
        Ok(rights) => rights,
        Err(error) => return report.warning(about, format!("its rules cannot be read: {error}"), None),
    };
    let count = rights.len();
    let asked = rights.into_iter().map(|right| async move {
        let answer = may(patient.client, operator, &right).await;
        (right, answer)
    });
    let mut answers = futures_util::stream::iter(asked).buffered(AT_ONCE);
    let mut lacking: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some((right, answer)) = answers.next().await {
        match answer {
            Ok(status) if status.allowed => {}
            Ok(_) => {
                let place = right.namespace.as_ref().map(|name| format!(" in {name}"));
                let of = format!("{}{}", right.full(), place.unwrap_or_default());
                lacking.entry(of).or_default().insert(right.verb);
            }
            // Said of the asker already.
            Err(error) if error.forbidden().is_some() => return,
            Err(error) => return report.warning(about, format!("its rights cannot be asked: {error}"), None),
        }
    }
    if lacking.is_empty() {
        return report.ok(
            about,
            format!("ServiceAccount {account} has the {count} rights of the chart"),
        );
    }
    let verbs = |verbs: &BTreeSet<String>| verbs.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut told: Vec<String> = lacking
        .iter()
        .take(TOLD)
        .map(|(of, missing)| format!("{} {of}", verbs(missing)))
        .collect();
    if lacking.len() > TOLD {
        told.push(format!("and {} more", lacking.len() - TOLD));
    }
    report.problem(
        about,
        format!("ServiceAccount {account} may not: {}", told.join("; ")),
        patient.commands.helm(format!(
            "upgrade {} charts/aigw --namespace {} --reuse-values --wait",
            operator.release(),
            operator.namespace
        )),
    );
}

async fn may(
    client: &Client,
    operator: &Operator,
    right: &Right,
) -> Result<SubjectAccessReviewStatus, NoAnswer> {
    let (namespace, account) = (&operator.namespace, &operator.service_account);
    let question = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{namespace}:{account}")),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ]),
            resource_attributes: Some(right.attributes()),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = answered(api.create(&PostParams::default(), &question)).await?;
    Ok(answer.status.unwrap_or_default())
}

/// The chart's rules, each verb of each resource by itself, in each namespace that is watched.
fn rights(operator: &Operator, set_up: &SetUp) -> Result<BTreeSet<Right>, String> {
    let rules: Value = serde_yaml::from_str(RULES).map_err(|error| error.to_string())?;
    let mut out = BTreeSet::new();
    let everywhere = vec![None];
    let watched: Vec<Option<&str>> = set_up.namespaces.iter().map(|one| Some(one.as_str())).collect();
    let watched = if watched.is_empty() { &everywhere } else { &watched };
    let own = vec![Some(operator.namespace.as_str())];
    for (part, places) in [("cluster", &everywhere), ("namespaces", watched), ("own", &own)] {
        for rule in rules[part].as_array().into_iter().flatten() {
            let words = |name: &str| {
                let all = rule[name].as_array().cloned().unwrap_or_default();
                let texts = all.iter().filter_map(|one| one.as_str().map(str::to_owned));
                texts.collect::<Vec<String>>()
            };
            let names = words("resourceNames");
            for (group, resource, verb) in words("apiGroups").iter().flat_map(|group| {
                let verbs = words("verbs");
                let resources = words("resources").into_iter();
                resources.flat_map(move |resource| {
                    let verbs = verbs.clone().into_iter();
                    verbs.map(move |verb| (group.clone(), resource.clone(), verb))
                })
            }) {
                for place in places {
                    out.insert(Right {
                        name: names.first().cloned(),
                        ..Right::new(&verb, &group, &resource, *place)
                    });
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_chart_s_rules_become_questions() {
        let operator = Operator {
            namespace: "sys".to_owned(),
            ..Operator::default()
        };
        let set_up = SetUp {
            namespaces: vec!["a".to_owned(), "b".to_owned()],
            ..SetUp::default()
        };
        let all = rights(&operator, &set_up).unwrap();
        let has = |right: Right| assert!(all.contains(&right), "{right:?}");
        has(Right::new("list", "", "namespaces", None));
        has(Right::new("get", "", "secrets", Some("a")));
        has(Right::new(
            "patch",
            "gateway.networking.k8s.io",
            "gateways/status",
            Some("b"),
        ));
        has(Right {
            name: Some("aigw-controller".to_owned()),
            ..Right::new("update", "coordination.k8s.io", "leases", Some("sys"))
        });
        let right = Right::new("patch", "gateway.networking.k8s.io", "gateways/status", None);
        assert_eq!(right.full(), "gateways.gateway.networking.k8s.io/status");
        assert_eq!(right.attributes().subresource.as_deref(), Some("status"));
    }
}
