//! An attempt's request: translated or edited, mutated, signed.

use std::sync::Arc;

use aigw_config::{BackendAuth, Candidate};
use aigw_translate::host::{Service, service, upstream_path};
use aigw_translate::request::{Outgoing, PrepareInputs};
use http::HeaderMap;
use http::header::{self, HeaderValue};

use super::Exchange;
use super::dispatch::internal;
use crate::effect::{Attempt, AttemptBody};
use crate::event::Inputs;
use crate::headers;
use crate::ledger::{ErrorClass, brief};
use crate::mutate;
use crate::reply::Refusal;

/// A ready attempt and what to remember of it.
pub(super) struct Prepared {
    pub attempt: Box<Attempt>,
    pub translated: bool,
    pub forced_usage: bool,
    pub losses: u32,
    pub dropped: Option<String>,
    pub model: Arc<str>,
}

impl Exchange {
    pub(super) fn prepare(&self, candidate: &Candidate, inputs: Inputs<'_>) -> Result<Prepared, Refusal> {
        let backend = &candidate.backend;
        let (Some(operation), Some(request)) = (self.operation, &self.request) else {
            return Err(internal("no request"));
        };
        let how = service(backend.schema.name, operation)
            .ok_or_else(|| internal("the backend cannot serve the operation"))?;
        let translated = matches!(how, Service::Translate(_));
        let passthrough = backend.auth == BackendAuth::Passthrough;
        let mut headers = headers::request(&request.headers, backend.schema.name, translated, passthrough);
        let model = candidate
            .model
            .as_ref()
            .or(self.model.as_ref())
            .cloned()
            .unwrap_or_default();
        let stream = self.inbound.as_ref().is_some_and(|inbound| inbound.stream());
        let outgoing = match &self.inbound {
            None => Outgoing::default(),
            Some(inbound) => inbound
                .prepare(PrepareInputs {
                    service: how,
                    model: &model,
                    quirks: backend.quirks,
                })
                .map_err(|error| Refusal {
                    error,
                    class: ErrorClass::Caller,
                    retry_after: None,
                    allow: None,
                })?,
        };
        if self.strict && !outgoing.losses.is_empty() {
            return Err(strict_refusal(&outgoing, &backend.name));
        }
        let is_json = self.inbound.as_ref().is_some_and(|inbound| inbound.is_json());
        if let Some(kind) = &outgoing.content_type {
            headers.insert(header::CONTENT_TYPE, kind.clone());
        } else if is_json && !headers.contains_key(header::CONTENT_TYPE) {
            // What was read as JSON is JSON, though the client did not say so.
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        accept_encoding(&mut headers, request, translated || stream);
        headers::complete(&mut headers, backend.schema.name, stream);
        // The key that opened this gateway is not for the provider.
        for name in &self.key_headers {
            headers.remove(name);
        }
        mutate::headers(candidate, &mut headers);
        let body = match (outgoing.body, is_json) {
            (Some(body), true) => AttemptBody::Whole(mutate::body(candidate, body).map_err(|detail| {
                internal(&format!(
                    "the body mutation of backend {} failed: {detail}",
                    backend.name
                ))
            })?),
            (Some(body), false) => AttemptBody::Whole(body),
            (None, _) => AttemptBody::None,
        };
        aigw_sign::sign(&backend.auth, inputs.credentials, &mut headers).map_err(|error| {
            let message = format!("The backend `{}` cannot be authenticated: {error}.", backend.name);
            Refusal::new(503, "credential_unavailable", ErrorClass::Credential, message)
        })?;
        let path = upstream_path(&backend.schema, operation, self.path_id.as_deref())
            .ok_or_else(|| internal("the backend has no path for the operation"))?;
        Ok(Prepared {
            attempt: Box::new(Attempt {
                attempt: 0,
                fresh: false,
                backend: Arc::clone(backend),
                method: request.method.clone(),
                path: with_query(path, request.uri.query(), translated),
                headers,
                body,
                timeouts: candidate.timeouts,
            }),
            translated,
            forced_usage: outgoing.forced_usage,
            losses: u32::try_from(outgoing.losses.pointers().len()).unwrap_or(u32::MAX),
            dropped: (!outgoing.losses.is_empty()).then(|| outgoing.losses.header()),
            model: brief(&model),
        })
    }
}

/// Dialect-neutral query parameters go along; a translated request has its own path and none.
fn with_query(path: String, query: Option<&str>, translated: bool) -> String {
    match query {
        // `beta=true` and the like are the client vendor's own.
        Some(query) if !translated && !query.is_empty() => format!("{path}?{query}"),
        _ => path,
    }
}

/// What the gateway reads or edits must not come compressed; what it only watches may, in the client's own encodings.
fn accept_encoding(headers: &mut HeaderMap, request: &crate::event::RequestHead, plain: bool) {
    if plain {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        return;
    }
    for value in request.headers.get_all(header::ACCEPT_ENCODING) {
        headers.append(header::ACCEPT_ENCODING, value.clone());
    }
}

fn strict_refusal(outgoing: &Outgoing, backend: &str) -> Refusal {
    Refusal::new(
        400,
        "lossy_translation",
        ErrorClass::Caller,
        format!(
            "The backend `{backend}` cannot express: {}. Leave these out, or turn strict mode off.",
            outgoing.losses.header()
        ),
    )
}
