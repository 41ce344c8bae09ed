//! The native form: one YAML document, section by section, so that one bad object does not hide the findings of others.

use std::sync::Arc;

use aigw_config::{Diagnostics, Document, LimitsSpec, Origin, nearest};
use serde::de::DeserializeOwned;

use super::expand::Environment;
use super::node::{Node, Value};
use super::reader::{self, Unknown};

/// Sections, and what one object of each is called.
const SECTIONS: [(&str, &str); 9] = [
    ("listeners", "listener"),
    ("routes", "route"),
    ("models", "alias"),
    ("backends", "backend"),
    ("credentials", "credential"),
    ("clientKeys", "client key"),
    ("costs", "cost"),
    ("endpoints", "endpoints of"),
    ("limits", "limits"),
];

/// Whether the document is in the native form.
pub(super) fn is_native(document: &Node) -> bool {
    SECTIONS
        .iter()
        .any(|(section, _)| document.member(section).is_some())
}

/// Reads native documents of one file.
pub(super) struct Native<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) environment: Environment<'a>,
    pub(super) findings: &'a mut Diagnostics,
}

impl Native<'_> {
    /// Adds what `node` says to `document`.
    pub(super) fn add(&mut self, node: &Node, document: &mut Document) {
        self.unknown_sections(node);
        document.listeners.extend(self.section(
            node,
            "listeners",
            |one: &mut aigw_config::ListenerSpec, origin| {
                one.origin = origin;
            },
        ));
        document.routes.extend(
            self.section(node, "routes", |one: &mut aigw_config::RouteSpec, origin| {
                one.origin = origin
            }),
        );
        document.models.extend(
            self.section(node, "models", |one: &mut aigw_config::Alias, origin| {
                one.origin = origin
            }),
        );
        document.backends.extend(self.section(
            node,
            "backends",
            |one: &mut aigw_config::BackendSpec, origin| {
                one.origin = origin;
            },
        ));
        document.credentials.extend(self.section(
            node,
            "credentials",
            |one: &mut aigw_config::CredentialSpec, origin| one.origin = origin,
        ));
        if node.member("clientKeys").is_some() {
            let keys = self.section(
                node,
                "clientKeys",
                |one: &mut aigw_config::ClientKeySpec, origin| {
                    one.origin = origin;
                },
            );
            document.client_keys.get_or_insert_default().extend(keys);
        }
        document.costs.extend(
            self.section(node, "costs", |one: &mut aigw_config::CostSpec, origin| {
                one.origin = origin
            }),
        );
        document.endpoints.extend(self.section(
            node,
            "endpoints",
            |one: &mut aigw_config::EndpointsSpec, origin| one.origin = origin,
        ));
        self.limits(node, document);
    }

    fn unknown_sections(&mut self, node: &Node) {
        let Value::Map(members) = &node.value else {
            return;
        };
        let names = || SECTIONS.iter().map(|(section, _)| *section);
        for (key, value) in members {
            if names().any(|name| name == key) {
                continue;
            }
            let mut message = "is unknown and has no effect".to_owned();
            match nearest(key, names()) {
                Some(like) => message.push_str(&format!("; did you mean `{like}`?")),
                None => message.push_str(&format!("; known are {}", names().collect::<Vec<_>>().join(", "))),
            }
            self.findings
                .warn(&self.at(value.line), "document", key.as_str(), message);
        }
    }

    fn at(&self, line: u32) -> Origin {
        Origin::new(Arc::clone(self.file), line)
    }

    /// The objects of a section; ill-formed ones are noted and left out.
    fn section<T: DeserializeOwned>(
        &mut self,
        node: &Node,
        section: &str,
        place: fn(&mut T, Origin),
    ) -> Vec<T> {
        let Some(list) = node.member(section) else {
            return Vec::new();
        };
        let Some(items) = list.items() else {
            let message = format!("is a list; begin each item with `- `, as in `{section}: [{{name: …}}]`");
            self.findings
                .error(&self.at(list.line), "document", section, message);
            return Vec::new();
        };
        let kind = SECTIONS
            .iter()
            .find(|(name, _)| *name == section)
            .map_or("", |(_, kind)| kind);
        let mut out = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let name = item.member("name").or_else(|| item.member("metadataKey"));
            let object = match name.and_then(Node::text) {
                Some(name) => format!("{kind} \"{name}\""),
                None => format!("{section}[{index}]"),
            };
            if let Some(mut one) = self.object::<T>(item, &object) {
                place(&mut one, self.at(item.line));
                out.push(one);
            }
        }
        out
    }

    fn object<T: DeserializeOwned>(&mut self, node: &Node, object: &str) -> Option<T> {
        match reader::read(node, self.environment) {
            Ok((value, unknown)) => {
                for one in &unknown {
                    self.findings
                        .warn(&self.at(one.line), object, one.field.as_str(), no_effect(one));
                }
                Some(value)
            }
            Err(error) => {
                self.findings
                    .error(&self.at(error.line), object, error.field, error.message);
                None
            }
        }
    }

    fn limits(&mut self, node: &Node, document: &mut Document) {
        let Some(limits) = node.member("limits").filter(|node| node.value != Value::Null) else {
            return;
        };
        let origin = self.at(limits.line);
        if document.limits != LimitsSpec::default() {
            let message = format!("are given twice, first at {}; keep one", document.limits.origin);
            self.findings.error(&origin, "limits", "", message);
            return;
        }
        if let Some(spec) = self.object::<LimitsSpec>(limits, "limits") {
            document.limits = LimitsSpec { origin, ..spec };
        }
    }
}

/// What is said about a member that nobody asked for.
pub(super) fn no_effect(unknown: &Unknown) -> String {
    match unknown.suggestion {
        Some(like) => format!("is unknown and has no effect; did you mean `{like}`?"),
        None => "is unknown and has no effect".to_owned(),
    }
}
