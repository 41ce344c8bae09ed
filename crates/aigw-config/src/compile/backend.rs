//! A backend: preset, schema, endpoint, authentication.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use http::HeaderName;

use super::capability::Capabilities;
use super::report::{Report, unknown};
use super::{credential, endpoint, limits, mutation};
use crate::address::Place;
use crate::diagnostic::Diagnostics;
use crate::document::{Auth, BackendSpec, UpstreamTls};
use crate::schema::{AuthKind, PresetFacts, Quirks, Schema, SchemaName};
use crate::snapshot::{Backend, BackendAuth, Endpoint};

pub(super) fn backends(
    specs: &[BackendSpec],
    credentials: &HashSet<String>,
    places: &HashMap<&str, Arc<[Place]>>,
    capabilities: &dyn Capabilities,
    findings: &mut Diagnostics,
) -> HashMap<String, Arc<Backend>> {
    let mut seen = HashMap::new();
    let mut out = HashMap::new();
    for (index, spec) in specs.iter().enumerate() {
        let place = format!("backends[{index}]");
        let mut report = Report::new(findings, &spec.origin, "backend", &spec.name, place);
        let named = report.check_name(&spec.name, &mut seen);
        let compiled = backend(spec, credentials, capabilities, &mut report);
        if let (true, Some(mut compiled)) = (named, compiled) {
            compiled.places = places.get(compiled.endpoint.name().as_str()).cloned();
            out.insert(spec.name.clone(), Arc::new(compiled));
        }
    }
    out
}

fn backend(
    spec: &BackendSpec,
    credentials: &HashSet<String>,
    capabilities: &dyn Capabilities,
    report: &mut Report<'_>,
) -> Option<Backend> {
    limits::concurrency(spec.max_concurrent, "maxConcurrent", report);
    if let Some(timeouts) = &spec.timeouts {
        limits::check_timeouts(timeouts, "timeouts", report);
    }
    mutation::check(&spec.header_mutation, &spec.body_mutation, "", report);
    let preset = preset(spec, capabilities, report)?;
    let mut schema = schema(spec, preset.as_ref(), capabilities, report)?;
    // What a preset knows of one dialect says nothing of another that the same vendor speaks.
    let preset = preset.map(|facts| (facts.schema.name == schema.name, facts));
    let facts = preset.as_ref().filter(|(same, _)| *same).map(|(_, facts)| facts);
    let endpoint = endpoint(
        spec,
        preset.as_ref().map(|(_, p)| p),
        &mut schema,
        capabilities,
        report,
    )?;
    let placement = facts.map_or_else(|| capabilities.auth(schema.name), |facts| facts.auth);
    let auth = auth(spec, placement, credentials, report)?;
    if auth == BackendAuth::None && spec.auth.is_none() && spec.url.is_none() && placement != AuthKind::None {
        report.warn(
            "apiKey",
            "has no key, so requests go without one; give `apiKey`, or say `auth: {type: none}`",
        );
    }
    Some(Backend {
        name: spec.name.as_str().into(),
        provider: preset
            .as_ref()
            .map_or_else(|| schema.name.provider(), |(_, facts)| facts.id)
            .into(),
        quirks: facts.map_or(Quirks::NONE, |facts| facts.quirks),
        schema,
        endpoint,
        places: None,
        auth,
        max_concurrent: spec.max_concurrent,
    })
}

/// The preset, if one is named; the outer `None` when there is no such.
fn preset(
    spec: &BackendSpec,
    capabilities: &dyn Capabilities,
    report: &mut Report<'_>,
) -> Option<Option<PresetFacts>> {
    let Some(id) = &spec.provider else {
        return Some(None);
    };
    let found = capabilities.preset(id);
    if found.is_none() {
        let mut message = unknown("provider", id, capabilities.preset_ids());
        message.push_str("; for another, give `schema` and `url`");
        report.error("provider", message);
    }
    found.map(Some)
}

fn schema(
    spec: &BackendSpec,
    preset: Option<&PresetFacts>,
    capabilities: &dyn Capabilities,
    report: &mut Report<'_>,
) -> Option<Schema> {
    let supported = || {
        let names = SchemaName::ALL
            .into_iter()
            .filter(|name| capabilities.supports(*name));
        names.map(SchemaName::as_str).collect::<Vec<_>>().join(", ")
    };
    let chosen = spec
        .schema
        .clone()
        .or_else(|| preset.map(|facts| facts.schema.clone()));
    let Some(schema) = chosen else {
        let message = format!(
            "is needed to know which API it speaks; name a `provider`, or give `schema: {{name: …}}` with one of {}",
            supported()
        );
        report.error("schema", message);
        return None;
    };
    if !capabilities.supports(schema.name) {
        let message = format!(
            "{} is not supported; supported are {}",
            schema.name.as_str(),
            supported()
        );
        report.error("schema.name", message);
        return None;
    }
    Some(schema)
}

/// The endpoint; a path of the URL becomes the schema's prefix.
fn endpoint(
    spec: &BackendSpec,
    preset: Option<&PresetFacts>,
    schema: &mut Schema,
    capabilities: &dyn Capabilities,
    report: &mut Report<'_>,
) -> Option<Endpoint> {
    let url = spec
        .url
        .as_deref()
        .or_else(|| preset.map(|facts| facts.url))
        .or_else(|| capabilities.url(schema.name));
    let Some(url) = url else {
        report.error(
            "url",
            "is needed to know where it is, such as https://api.example.com",
        );
        return None;
    };
    let mut base = report.check("url", endpoint::parse(url))?;
    if !base.path.is_empty() {
        let written = spec.schema.as_ref().and_then(Schema::written_prefix);
        if let Some(prefix) = written.filter(|prefix| *prefix != base.path) {
            let message = format!(
                "has the path `{}` while `schema` has the prefix `{prefix}`; keep one",
                base.path
            );
            report.error("url", message);
            return None;
        }
        schema.prefix = Some(base.path);
    }
    if let Some(tls) = &spec.tls {
        upstream_tls(tls, &mut base.endpoint, report);
    }
    Some(base.endpoint)
}

fn upstream_tls(tls: &UpstreamTls, endpoint: &mut Endpoint, report: &mut Report<'_>) {
    if !endpoint.https {
        report.error(
            "tls",
            "has no effect on an http URL; write https:// or remove `tls`",
        );
    }
    if tls.ca.is_some() && tls.ca_pem.is_some() {
        report.error("tls.ca", "`ca` and `caPem` exclude each other; keep one");
    }
    if tls.ca.as_deref() == Some("") {
        report.error("tls.ca", "is empty; give the path of a PEM file");
    }
    if tls
        .ca_pem
        .as_ref()
        .is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----"))
    {
        report.error("tls.caPem", "holds no certificate in PEM form");
    }
    if let Some(name) = &tls.server_name {
        let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
        if !good {
            report.error("tls.serverName", format!("`{name}` is not a host name"));
        }
    }
    endpoint.ca = tls.ca_pem.clone().or_else(|| tls.ca.clone());
    endpoint.server_name = tls.server_name.clone();
}

/// Who signs; `None` after an error was noted.
fn auth(
    spec: &BackendSpec,
    placement: AuthKind,
    credentials: &HashSet<String>,
    report: &mut Report<'_>,
) -> Option<BackendAuth> {
    if let Some(source) = &spec.api_key {
        credential::source_rule(source, "apiKey", report);
    }
    let named = spec.auth.as_ref().and_then(Auth::credential);
    let keyless = matches!(&spec.auth, Some(Auth::None | Auth::Passthrough));
    if spec.api_key.is_some() && (named.is_some() || keyless) {
        report.error(
            "apiKey",
            "`auth` already says how requests are authenticated; keep one of the two",
        );
        return None;
    }
    if let Some(name) = named.filter(|name| !credentials.contains(*name)) {
        let known = credentials.iter().map(String::as_str);
        report.error("auth.credential", unknown("credential", name, known));
        return None;
    }
    let own = || spec.api_key.as_ref().map(|_| spec.credential_id());
    let id: Option<Arc<str>> = named.map(str::to_owned).or_else(own).map(Arc::from);
    match (&spec.auth, id) {
        (Some(Auth::None), _) | (None, None) => Some(BackendAuth::None),
        (Some(Auth::Passthrough), _) => Some(BackendAuth::Passthrough),
        (Some(_), None) => {
            report.error(
                "auth.credential",
                "names no credential; give its name here, or the key as `apiKey`",
            );
            None
        }
        (Some(Auth::Bearer { .. }), Some(id)) => Some(BackendAuth::Bearer(id)),
        (Some(Auth::Header { name, .. }), Some(id)) => {
            let name = report.check("auth.name", mutation::header_name(name))?;
            Some(BackendAuth::Header(name, id))
        }
        (Some(Auth::ApiKey { .. }) | None, Some(id)) => Some(match placement {
            AuthKind::None | AuthKind::Bearer => BackendAuth::Bearer(id),
            AuthKind::Header(name) => BackendAuth::Header(HeaderName::from_static(name), id),
        }),
    }
}
