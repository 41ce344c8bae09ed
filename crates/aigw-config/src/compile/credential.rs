//! Named credentials and the keys of clients.

use std::collections::{HashMap, HashSet};

use super::model::pattern;
use super::report::Report;
use crate::certificate::ListenerTls;
use crate::diagnostic::Diagnostics;
use crate::document::{Auth, CredentialSpec, Document, SecretSource};
use crate::snapshot::ClientKey;

/// Names that the document gives to credentials by itself begin with one of these.
const RESERVED: [&str; 2] = ["backend/", "client/"];

/// The names that backends may refer to.
pub(super) fn credentials(document: &Document, findings: &mut Diagnostics) -> HashSet<String> {
    let mut seen = HashMap::new();
    let auths = document.backends.iter().filter_map(|one| one.auth.as_ref());
    let listeners = document.listeners.iter().filter_map(|one| one.tls.as_ref());
    let used: HashSet<&str> = auths
        .filter_map(Auth::credential)
        .chain(listeners.flat_map(ListenerTls::credentials))
        .collect();
    for (index, spec) in document.credentials.iter().enumerate() {
        let CredentialSpec { name, source, origin } = spec;
        let mut report = Report::new(
            findings,
            origin,
            "credential",
            name,
            format!("credentials[{index}]"),
        );
        if !report.check_name(name, &mut seen) {
            continue;
        }
        if let Some(prefix) = RESERVED.iter().find(|prefix| name.starts_with(**prefix)) {
            report.error(
                "name",
                format!("names beginning with `{prefix}` are taken; choose another"),
            );
        }
        source_rule(source, "", &mut report);
        if !used.contains(name.as_str()) {
            report.warn("", "nothing uses it");
        }
    }
    seen.into_keys().collect()
}

/// Notes a source that names nothing.
pub(super) fn source_rule(source: &SecretSource, field: &str, report: &mut Report<'_>) {
    let (member, text) = match source {
        SecretSource::Text(text) => ("", text),
        SecretSource::Value { value } => ("value", value),
        SecretSource::Env { env } => ("env", env),
        SecretSource::File { file } => ("file", file),
    };
    if text.trim().is_empty() {
        let dot = if field.is_empty() || member.is_empty() {
            ""
        } else {
            "."
        };
        report.error(
            format!("{field}{dot}{member}"),
            "is empty; give the text, `{env: VAR}` or `{file: PATH}`",
        );
    }
}

/// The keys of clients; `None` when no key is asked for.
pub(super) fn client_keys(document: &Document, findings: &mut Diagnostics) -> Option<Vec<ClientKey>> {
    let specs = document.client_keys.as_ref()?;
    if specs.is_empty() {
        findings.warn(
            &crate::diagnostic::Origin::default(),
            "clientKeys",
            "",
            "the list is empty, so every request is refused; add a key, or leave `clientKeys` out to ask for none",
        );
    }
    let mut seen = HashMap::new();
    let mut out = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let place = format!("clientKeys[{index}]");
        let mut report = Report::new(findings, &spec.origin, "client key", &spec.name, place);
        report.check_name(&spec.name, &mut seen);
        source_rule(&spec.key, "key", &mut report);
        let models = spec
            .models
            .iter()
            .enumerate()
            .filter_map(|(index, model)| report.check(&format!("models[{index}]"), pattern(model)))
            .collect();
        out.push(ClientKey {
            name: spec.name.as_str().into(),
            credential: spec.credential_id(),
            models,
        });
    }
    Some(out)
}
