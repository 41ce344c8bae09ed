//! A request body, parsed once: for the record and for the handler.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::error::{Checked, Refusal};
use crate::multipart::{self, Part};

/// What a body turned out to be.
pub(crate) enum Payload {
    Empty,
    Json(Value),
    Form(Vec<Part>),
    /// Neither JSON nor a form, with the reason.
    Raw(Bytes, String),
}

impl Payload {
    pub(crate) fn read(headers: &HeaderMap, body: &Bytes) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        let content_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if content_type
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("multipart/")
        {
            let parts = match multipart::boundary(content_type) {
                Some(boundary) => multipart::parse(body, boundary),
                None => Err("the content type names no boundary"),
            };
            return match parts {
                Ok(parts) => Self::Form(parts),
                Err(reason) => Self::Raw(body.clone(), format!("Could not parse multipart form: {reason}.")),
            };
        }
        match serde_json::from_slice(body) {
            Ok(value) => Self::Json(value),
            Err(error) => {
                let reason = format!("We could not parse the JSON body of your request. ({error})");
                Self::Raw(body.clone(), reason)
            }
        }
    }

    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Checked<&Value> {
        match self {
            Self::Json(value) if value.is_object() => Ok(value),
            Self::Json(_) => Err(Refusal::bad("The JSON body of your request must be an object.")),
            Self::Raw(_, reason) => Err(Refusal::bad(reason.clone())),
            Self::Empty => Err(Refusal::bad("The request has no body.")),
            Self::Form(_) => Err(Refusal::bad("Expected a body of type application/json.")),
        }
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Checked<&[Part]> {
        match self {
            Self::Form(parts) => Ok(parts),
            Self::Raw(_, reason) => Err(Refusal::bad(reason.clone())),
            _ => Err(Refusal::bad("Expected a body of type multipart/form-data.")),
        }
    }

    /// The model named in the body.
    pub(crate) fn model(&self) -> Option<String> {
        match self {
            Self::Json(value) => value.get("model")?.as_str().map(str::to_owned),
            Self::Form(parts) => parts.iter().find(|part| part.name == "model").map(Part::text),
            _ => None,
        }
    }

    /// The body as it is recorded.
    pub(crate) fn record(self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Json(value) => value,
            Self::Form(parts) => json!({"multipart": parts.iter().map(part).collect::<Vec<_>>()}),
            Self::Raw(body, _) => json!({"base64": STANDARD.encode(&body)}),
        }
    }
}

fn part(part: &Part) -> Value {
    let mut value = json!({
        "name": part.name,
        "filename": part.filename,
        "content_type": part.content_type,
        "size": part.data.len(),
    });
    if part.filename.is_none()
        && let Some(members) = value.as_object_mut()
    {
        members.insert("value".to_owned(), part.text().into());
    }
    value
}
