//! The cluster under examination.

use kube::Client;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::Value;

use super::commands::Commands;
use super::finding::Report;
use crate::discovery;
use crate::kinds::{WATCHED, index_of};
use crate::look::{LookError, answered, list};

/// What examinations are made with.
pub(super) struct Patient<'a> {
    pub(super) client: &'a Client,
    /// Namespaces that are looked at; empty: all.
    pub(super) namespaces: &'a [String],
    pub(super) commands: &'a Commands,
}

impl Patient<'_> {
    /// All objects of a kind that operators watch, as they are; none when the cluster does not have the kind. What may not be
    /// listed is told.
    pub(super) async fn objects(
        &self,
        group: &str,
        kind: &str,
        namespaces: &[String],
        report: &mut Report,
    ) -> Option<Vec<DynamicObject>> {
        let watched = index_of(group, kind).and_then(|index| Some((index, WATCHED.get(index)?)));
        let (index, watched) = watched?;
        let found = match answered(discovery::discover(self.client)).await {
            Ok(installed) => installed.get(&index).cloned(),
            Err(error) => {
                report.warning(
                    kind,
                    format!("the kinds of the cluster cannot be asked: {error}"),
                    None,
                );
                return None;
            }
        };
        let within = if watched.namespaced { namespaces } else { &[] };
        self.list(&found?, within, None, report).await
    }

    /// All objects of a kind.
    pub(super) async fn list(
        &self,
        resource: &ApiResource,
        namespaces: &[String],
        labels: Option<&str>,
        report: &mut Report,
    ) -> Option<Vec<DynamicObject>> {
        match list(self.client, resource, namespaces, labels).await {
            Ok(found) => Some(found),
            Err(error) => {
                let place = match &error {
                    LookError::Forbidden {
                        namespace: Some(name),
                        ..
                    } => format!("-n {name}"),
                    _ => "-A".to_owned(),
                };
                let name = match resource.group.as_str() {
                    "" => resource.plural.clone(),
                    group => format!("{}.{group}", resource.plural),
                };
                let fix = self.commands.kubectl(format!("auth can-i list {name} {place}"));
                report.warning(&resource.kind, format!("not looked at: {error}"), fix);
                None
            }
        }
    }
}

/// A condition of an object.
pub(super) struct Condition<'a> {
    pub(super) status: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
    /// Whether it is about the object as it is now.
    pub(super) current: bool,
}

/// The condition of this type, where the object has one.
pub(super) fn condition<'a>(object: &'a DynamicObject, kind: &str) -> Option<Condition<'a>> {
    let all = object.data.pointer("/status/conditions")?.as_array()?;
    let found = all
        .iter()
        .find(|one| one.get("type").and_then(Value::as_str) == Some(kind))?;
    let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
    let observed = found.get("observedGeneration").and_then(Value::as_i64);
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
        current: observed.is_none_or(|observed| Some(observed) >= object.metadata.generation),
    })
}

/// Text at a pointer into what is not metadata; empty where there is none.
pub(super) fn text<'a>(object: &'a DynamicObject, pointer: &str) -> &'a str {
    object
        .data
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// `namespace/name`, or the name alone.
pub(super) fn name(object: &DynamicObject) -> String {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    match object.metadata.namespace.as_deref() {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}
