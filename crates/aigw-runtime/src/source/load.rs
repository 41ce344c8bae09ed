//! Files and directories into one document, with the secrets beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aigw_config::{
    BackendRef, Capabilities, Credentials, Diagnostics, Document, ListenerTls, Origin, PemSource, RouteSpec,
    RuleSpec,
};

use super::expand::Environment;
use super::native::{self, Native};
use super::node::{self, Node, Value};
use super::secret::Taker;
use super::{file, manifest};

/// A configuration that was read.
#[derive(Debug)]
pub struct Loaded {
    /// The document, without the text of any secret.
    pub document: Document,
    /// The secrets, under the ids that the document's snapshot names.
    pub credentials: Credentials,
    /// Warnings, and errors of objects that were left out.
    pub diagnostics: Diagnostics,
    /// Files and directories that it depends on.
    pub files_watched: Vec<PathBuf>,
    /// Places of objects that may be left out when they are bad: Kubernetes manifests. A bad object of the native form
    /// refuses the whole.
    pub tolerated: Vec<Origin>,
}

/// Reads `inputs`, in order. `Err` when something cannot be read, is no YAML, or is bad in the native form.
pub fn load(
    inputs: &[PathBuf],
    environment: Environment<'_>,
    capabilities: &dyn Capabilities,
) -> Result<Loaded, Diagnostics> {
    let mut findings = Diagnostics::default();
    let mut files_watched = Vec::new();
    let texts = read_all(inputs, &mut files_watched, &mut findings);
    let mut document = Document::default();
    let mut manifests = Vec::new();
    let mut says_routes = false;
    let mut count = 0;
    for text in &texts {
        for node in documents(text, &mut findings) {
            count += 1;
            let origin = Origin::new(Arc::clone(&text.name), node.line);
            if manifest::is_manifest(&node) {
                manifests.push((node, origin));
            } else if native::is_native(&node) {
                says_routes |= node.member("routes").is_some();
                let mut native = Native {
                    file: &text.name,
                    environment,
                    findings: &mut findings,
                };
                native.add(&node, &mut document);
            } else {
                findings.error(&origin, "document", "", NEITHER);
            }
        }
    }
    if count == 0
        && !findings.has_errors()
        && let Some(first) = texts.first()
    {
        let origin = Origin::new(Arc::clone(&first.name), 0);
        findings.error(
            &origin,
            "file",
            "",
            "is empty; it needs at least `backends` and `routes`",
        );
    }
    if !says_routes && manifests.is_empty() {
        imply_route(&mut document, &mut findings);
    }
    resolve_paths(&mut document, environment);
    let mut credentials = Credentials::default();
    let mut taker = Taker {
        environment,
        findings: &mut findings,
        credentials: &mut credentials,
        files: &mut files_watched,
    };
    taker.take(&mut document);
    if findings.has_errors() {
        return Err(findings);
    }
    let mut loaded = Loaded {
        document,
        credentials,
        diagnostics: findings,
        files_watched,
        tolerated: Vec::new(),
    };
    if !manifests.is_empty() {
        manifest::add(&manifests, environment, capabilities, &mut loaded);
    }
    Ok(loaded)
}

const NEITHER: &str =
    "is neither a Kubernetes manifest (`apiVersion`, `kind`) nor a configuration with `backends` or `routes`";

fn read_all(inputs: &[PathBuf], watched: &mut Vec<PathBuf>, findings: &mut Diagnostics) -> Vec<file::Text> {
    let mut texts = Vec::new();
    let mut fail = |path: &Path, message: String| {
        let origin = Origin::new(path.display().to_string(), 0);
        findings.error(&origin, "file", "", message);
    };
    for input in inputs {
        watched.push(input.clone());
        let files = match file::behind(input) {
            Ok(files) => files,
            Err(message) => {
                fail(input, message);
                continue;
            }
        };
        for path in files {
            match file::read(&path) {
                Ok(text) => texts.push(file::Text {
                    name: path.display().to_string().into(),
                    text,
                }),
                Err(message) => fail(&path, message),
            }
            if path != *input {
                watched.push(path);
            }
        }
    }
    texts
}

fn documents(text: &file::Text, findings: &mut Diagnostics) -> Vec<Node> {
    match node::parse(&text.text) {
        Ok(documents) => documents
            .into_iter()
            .filter(|node| node.value != Value::Null)
            .collect(),
        Err(error) => {
            let origin = Origin::new(Arc::clone(&text.name), error.line);
            let message = match error.column {
                0 => error.message,
                column => format!("column {column}: {}", error.message),
            };
            findings.error(&origin, "file", "", format!("is not YAML: {message}"));
            Vec::new()
        }
    }
}

/// One backend and no word about routes: everything goes to it.
fn imply_route(document: &mut Document, findings: &mut Diagnostics) {
    match document.backends.as_slice() {
        [] => {}
        [only] => {
            let to_it = BackendRef::to(&only.name);
            let origin = only.origin.clone();
            document.routes.push(RouteSpec {
                name: "default".to_owned(),
                rules: vec![RuleSpec {
                    backends: vec![to_it],
                    ..RuleSpec::default()
                }],
                origin,
                ..RouteSpec::default()
            });
        }
        [first, ..] => findings.warn(
            &first.origin,
            "document",
            "routes",
            "there is none, so nothing is served; say which models go to which backend",
        ),
    }
}

/// Paths of certificates begin at the file that names them.
fn resolve_paths(document: &mut Document, environment: Environment<'_>) {
    let resolve = |path: &mut String, origin: &Origin| {
        if !path.is_empty() {
            *path = file::resolve(path, &origin.file, environment)
                .display()
                .to_string();
        }
    };
    for listener in &mut document.listeners {
        let sources = listener.tls.iter_mut().flat_map(ListenerTls::sources_mut);
        for source in sources {
            if let PemSource::File(path) = source {
                resolve(path, &listener.origin);
            }
        }
    }
    for backend in &mut document.backends {
        if let Some(ca) = backend.tls.as_mut().and_then(|tls| tls.ca.as_mut()) {
            resolve(ca, &backend.origin);
        }
    }
}
