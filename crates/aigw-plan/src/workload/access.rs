//! Who pods are, and the little that they may do: read the Secrets of their own snapshot.

use std::collections::BTreeMap;

use aigw_config::shard;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::labels::Marks;
use super::settings::Settings;

pub(super) fn account(marks: &Marks, settings: &Settings) -> ServiceAccount {
    let wanted = &settings.account;
    let mut metadata = marks.with(&wanted.labels, &wanted.annotations);
    metadata.name = Some(account_name(marks, settings).to_owned());
    ServiceAccount {
        metadata,
        // The one container that needs a token has it projected.
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

pub(super) fn account_name<'a>(marks: &'a Marks, settings: &'a Settings) -> &'a str {
    settings.account.name.as_deref().unwrap_or(marks.base())
}

pub(super) fn role(marks: &Marks) -> Role {
    Role {
        metadata: marks.object(),
        rules: Some(vec![PolicyRule {
            api_groups: Some(vec![String::new()]),
            resources: Some(vec!["secrets".to_owned()]),
            resource_names: Some(shard::names(marks.base()).collect()),
            verbs: vec!["get".to_owned(), "watch".to_owned()],
            ..PolicyRule::default()
        }]),
    }
}

pub(super) fn binding(marks: &Marks, settings: &Settings) -> RoleBinding {
    RoleBinding {
        metadata: marks.with(&BTreeMap::new(), &BTreeMap::new()),
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "Role".to_owned(),
            name: marks.base().to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: account_name(marks, settings).to_owned(),
            namespace: Some(marks.namespace().to_owned()),
            ..Subject::default()
        }]),
    }
}
