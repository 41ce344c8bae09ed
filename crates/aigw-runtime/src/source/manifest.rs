//! Kubernetes manifests: told apart by group and kind, read, and planned.

use std::path::PathBuf;

use aigw_api::{ENVOY_GATEWAY_GROUP, GATEWAY_GROUP, GROUP, Metadata, Secret, SecurityPolicy};
use aigw_config::{Capabilities, Diagnostics, Document, LimitsSpec, Origin};
use aigw_plan::{Kind, Object, Unreadable, plan};
use serde::de::DeserializeOwned;

use super::expand::Environment;
use super::file;
use super::load::Loaded;
use super::node::{Node, Value};
use super::reader;

/// Kinds whose absence changes nothing here.
const HARMLESS: [(&str, &str); 7] = [
    ("", "Service"),
    ("", "ServiceAccount"),
    ("apps", "Deployment"),
    (GATEWAY_GROUP, "GatewayClass"),
    (ENVOY_GATEWAY_GROUP, "EnvoyProxy"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
];

/// Annotations of a Secret that replace an entry by an environment variable or a file.
const FROM_ENV: &str = "substitution.aigw.run/env/";
const FROM_FILE: &str = "substitution.aigw.run/file/";

/// Whether the document is a Kubernetes object.
pub(super) fn is_manifest(document: &Node) -> bool {
    document.member("apiVersion").is_some() || document.member("kind").is_some()
}

/// Plans the manifests and adds what comes out of them.
pub(super) fn add(
    manifests: &[(Node, Origin)],
    environment: Environment<'_>,
    capabilities: &dyn Capabilities,
    loaded: &mut Loaded,
) {
    let mut sorter = Sorter {
        environment,
        findings: &mut loaded.diagnostics,
        files: &mut loaded.files_watched,
        objects: Vec::new(),
    };
    for (node, origin) in manifests {
        sorter.add(node, origin);
    }
    let objects = sorter.objects;
    loaded
        .tolerated
        .extend(objects.iter().map(|object| object.origin.clone()));
    let planned = plan(&objects, capabilities);
    merge(&mut loaded.document, planned.document);
    loaded.credentials.extend(planned.credentials);
    loaded.diagnostics.extend(planned.diagnostics);
}

/// What is in the native form wins where only one can be.
fn merge(into: &mut Document, planned: Document) {
    into.listeners.extend(planned.listeners);
    into.routes.extend(planned.routes);
    into.backends.extend(planned.backends);
    into.credentials.extend(planned.credentials);
    into.endpoints.extend(planned.endpoints);
    if into.limits.max_request_body.is_none() && planned.limits.max_request_body.is_some() {
        into.limits.max_request_body = planned.limits.max_request_body;
        if into.limits.origin == Origin::default() {
            into.limits.origin = LimitsSpec::clone(&planned.limits).origin;
        }
    }
}

struct Sorter<'a> {
    environment: Environment<'a>,
    findings: &'a mut Diagnostics,
    files: &'a mut Vec<PathBuf>,
    objects: Vec<Object>,
}

impl Sorter<'_> {
    fn add(&mut self, node: &Node, origin: &Origin) {
        let api_version = node.member("apiVersion").and_then(Node::text).unwrap_or_default();
        let kind = node.member("kind").and_then(Node::text).unwrap_or_default();
        if api_version.is_empty() || kind.is_empty() {
            self.findings.error(
                origin,
                label(node),
                "",
                "a manifest needs `apiVersion` and `kind`; it is left out",
            );
            return;
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if kind.ends_with("List") && node.member("items").is_some() {
            for item in node.member("items").and_then(Node::items).unwrap_or_default() {
                self.add(item, &Origin::new(origin.file.clone(), item.line));
            }
            return;
        }
        if group == GROUP && !matches!(version, "v1alpha1" | "v1beta1") {
            let message = format!("version `{version}` is unknown, so the object is left out; use v1beta1");
            self.findings.error(origin, label(node), "apiVersion", message);
            return;
        }
        let read = match (group, kind) {
            (GROUP, "AIGatewayRoute") => self.read(node, origin).map(Kind::AIGatewayRoute),
            (GROUP, "AIServiceBackend") => self.read(node, origin).map(Kind::AIServiceBackend),
            (GROUP, "BackendSecurityPolicy") => {
                let read = self.read(node, origin).map(Kind::BackendSecurityPolicy);
                read.or_else(|| Some(unreadable("BackendSecurityPolicy", node)))
            }
            (GROUP, "GatewayConfig") => self.read(node, origin).map(Kind::GatewayConfig),
            (ENVOY_GATEWAY_GROUP, "Backend") => self.read(node, origin).map(Kind::Backend),
            (ENVOY_GATEWAY_GROUP, "BackendTrafficPolicy") => {
                self.read(node, origin).map(Kind::BackendTrafficPolicy)
            }
            (ENVOY_GATEWAY_GROUP, "ClientTrafficPolicy") => {
                self.read(node, origin).map(Kind::ClientTrafficPolicy)
            }
            (ENVOY_GATEWAY_GROUP, "SecurityPolicy") => {
                Some(Kind::SecurityPolicy(self.security_policy(node, origin)))
            }
            (GATEWAY_GROUP, "Gateway") => self.read(node, origin).map(Kind::Gateway),
            (GATEWAY_GROUP, "BackendTLSPolicy") => {
                let read = self.read(node, origin).map(Kind::BackendTLSPolicy);
                read.or_else(|| Some(unreadable("BackendTLSPolicy", node)))
            }
            (GATEWAY_GROUP, "ReferenceGrant") => self.read(node, origin).map(Kind::ReferenceGrant),
            ("", "Secret") => self
                .read(node, origin)
                .map(|secret| Kind::Secret(self.substituted(secret, origin))),
            ("", "ConfigMap") => self.read(node, origin).map(Kind::ConfigMap),
            ("", "Namespace") => self.read(node, origin).map(Kind::Namespace),
            other => {
                if !HARMLESS.contains(&other) {
                    let message = "the kind is not supported yet; the object has no effect";
                    self.findings.warn(origin, label(node), "kind", message);
                }
                None
            }
        };
        if let Some(kind) = read {
            self.objects.push(Object::new(kind, origin.clone()));
        }
    }

    /// The object; an ill-formed one is noted.
    fn read<T: DeserializeOwned>(&mut self, node: &Node, origin: &Origin) -> Option<T> {
        let at = |line: u32| Origin::new(origin.file.clone(), line);
        match reader::read(node, self.environment) {
            Ok((object, unknown)) => {
                for one in unknown.iter().filter(|one| is_ours(&one.field)) {
                    let message = super::native::no_effect(one);
                    self.findings
                        .warn(&at(one.line), label(node), one.field.as_str(), message);
                }
                Some(object)
            }
            Err(error) => {
                let message = format!("{}; the object is left out", error.message);
                self.findings
                    .error(&at(error.line), label(node), error.field, message);
                None
            }
        }
    }

    /// A policy that cannot be read still restricts access: it closes its namespace.
    fn security_policy(&mut self, node: &Node, origin: &Origin) -> SecurityPolicy {
        // What it demands is not looked at, so members that are not known say nothing.
        match reader::read(node, self.environment) {
            Ok((policy, _)) => policy,
            Err(error) => {
                let at = Origin::new(origin.file.clone(), error.line);
                let message = format!("{}; routes of its namespace are not served", error.message);
                self.findings.error(&at, label(node), error.field, message);
                let mut policy = SecurityPolicy {
                    metadata: metadata(node),
                    ..SecurityPolicy::default()
                };
                policy.spec.target_selectors = Some(serde_json::Value::Bool(true));
                policy
            }
        }
    }

    /// The Secret with entries out of the environment and out of files, as its annotations say. Only entries that are there
    /// are replaced; one that cannot be replaced keeps its value, and that is noted.
    fn substituted(&mut self, mut secret: Secret, origin: &Origin) -> Secret {
        let annotations = secret.metadata.annotations.clone();
        for (annotation, source) in &annotations {
            let (entry, value) = if let Some(entry) = annotation.strip_prefix(FROM_ENV) {
                let value = (self.environment)(source);
                (
                    entry,
                    value.ok_or_else(|| format!("the environment variable {source} is not set")),
                )
            } else if let Some(entry) = annotation.strip_prefix(FROM_FILE) {
                let path = file::resolve(source, &origin.file, self.environment);
                let value = file::read(&path).map_err(|message| format!("{}: {message}", path.display()));
                self.files.push(path);
                (entry, value)
            } else {
                continue;
            };
            if !secret.data.contains_key(entry) && !secret.string_data.contains_key(entry) {
                continue;
            }
            match value {
                Ok(value) => {
                    secret.string_data.insert(entry.to_owned(), value);
                }
                Err(message) => {
                    let object = format!(
                        "Secret \"{}/{}\"",
                        secret.metadata.namespace(),
                        secret.metadata.name
                    );
                    let field = format!("metadata.annotations.{annotation}");
                    self.findings.warn(
                        origin,
                        object,
                        field,
                        format!("{message}; the value stays as written"),
                    );
                }
            }
        }
        secret
    }
}

/// Members that the API server writes, and those of all objects, are nobody's mistake.
fn is_ours(field: &str) -> bool {
    let first = field.split(['.', '[']).next().unwrap_or_default();
    !matches!(first, "apiVersion" | "kind" | "metadata" | "status")
}

/// What can be known of a policy that could not be read.
fn unreadable(kind: &'static str, node: &Node) -> Kind {
    let spec = node.member("spec");
    let refs = spec
        .and_then(|spec| spec.member("targetRefs"))
        .and_then(Node::items);
    let names = refs
        .unwrap_or_default()
        .iter()
        .filter_map(|target| target.member("name")?.text());
    Kind::Unreadable(Unreadable {
        kind,
        metadata: metadata(node),
        targets: names.map(str::to_owned).collect(),
        message: None,
    })
}

fn metadata(node: &Node) -> Metadata {
    Metadata {
        name: member_of_metadata(node, "name").unwrap_or("unnamed").to_owned(),
        namespace: member_of_metadata(node, "namespace").map(str::to_owned),
        ..Metadata::default()
    }
}

fn member_of_metadata<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    node.member("metadata")?.member(name).and_then(Node::text)
}

/// `Kind "namespace/name"`, as far as it is known.
fn label(node: &Node) -> String {
    let kind = node.member("kind").and_then(Node::text).unwrap_or("manifest");
    let namespace = member_of_metadata(node, "namespace").unwrap_or("default");
    match (member_of_metadata(node, "name"), &node.value) {
        (Some(name), _) => format!("{kind} \"{namespace}/{name}\""),
        (None, Value::Map(_)) => kind.to_owned(),
        (None, _) => "manifest".to_owned(),
    }
}
