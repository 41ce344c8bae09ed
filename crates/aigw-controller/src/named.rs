//! What an object says of itself: its kind and its name.

use kube::core::GroupVersionKind;
use serde_json::Value;

/// Kind and name of an object; empty where it does not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    /// Group of its kind, empty for the core's.
    pub(crate) group: &'a str,
    /// Version of its kind.
    pub(crate) version: &'a str,
    /// Kind.
    pub(crate) kind: &'a str,
    /// Namespace.
    pub(crate) namespace: &'a str,
    /// Name.
    pub(crate) name: &'a str,
}

impl<'a> Named<'a> {
    pub(crate) fn of(object: &'a Value) -> Self {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let api_version = text("/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group,
            version,
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }

    /// Whether it says what an API server needs to know, the namespace aside.
    pub(crate) fn is_object(&self) -> bool {
        let has_version = !self.group.is_empty() || !self.version.is_empty();
        has_version && !self.kind.is_empty() && !self.name.is_empty()
    }

    pub(crate) fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::gvk(self.group, self.version, self.kind)
    }
}
