//! A client's request as the desk reads it, and what is sent upstream for it.

use std::sync::Arc;

use aigw_config::Quirks;
use bytes::Bytes;
use http::HeaderValue;

use crate::codec::multipart;
use crate::dialect::{self, Target};
use crate::host::Service;
use crate::ir::{Error, Losses};
use crate::json::{Edit, Peeked, Value, patch_peeked, peek, quote};
use crate::operation::{BodyKind, Operation};

/// Members that routing and pass-through need to know.
const MEMBERS: [&str; 5] = [
    "model",
    "stream",
    "stream_options",
    "max_completion_tokens",
    "max_tokens",
];

/// A client's request body with what routing needs to know of it. The original bytes are never changed.
#[derive(Debug)]
pub struct Inbound {
    operation: Operation,
    body: Bytes,
    form: Form,
    model: Arc<str>,
    stream: bool,
    wants_usage: bool,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every body is JSON: a box would cost an allocation a request"
)]
enum Form {
    Json(Peeked<'static, { MEMBERS.len() }>),
    Multipart(multipart::Form),
}

/// How a request is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct PrepareInputs<'a> {
    /// Passed through or translated.
    pub service: Service,
    /// Model to ask for.
    pub model: &'a str,
    /// Departures of the backend.
    pub quirks: Quirks,
}

/// What is sent upstream.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The body.
    pub body: Option<Bytes>,
    /// Its content type, where it is not the client's own.
    pub content_type: Option<HeaderValue>,
    /// What the upstream's dialect cannot say.
    pub losses: Losses,
    /// Usage was asked for in the client's stead; the chunk that answers it is not the client's.
    pub forced_usage: bool,
}

impl Inbound {
    /// Reads what routing needs. Errors are the client's (400, 415).
    pub fn read(operation: Operation, content_type: Option<&str>, body: Bytes) -> Result<Self, Error> {
        let is_form = content_type.is_some_and(|kind| {
            kind.trim_start()
                .get(..19)
                .is_some_and(|start| start.eq_ignore_ascii_case("multipart/form-data"))
        });
        match (operation.body(), is_form) {
            (BodyKind::Multipart, false) => Err(Error::gateway(
                400,
                "multipart_expected",
                format!(
                    "{} takes multipart/form-data with a `model` field and a file.",
                    operation.label()
                ),
            )),
            (BodyKind::Json, true) => Err(Error::gateway(
                400,
                "json_expected",
                format!(
                    "{} takes a JSON body; send `content-type: application/json`.",
                    operation.label()
                ),
            )),
            (_, true) => Self::read_form(operation, content_type.unwrap_or_default(), body),
            (_, false) => Self::read_json(operation, body),
        }
    }

    fn read_json(operation: Operation, body: Bytes) -> Result<Self, Error> {
        let peeked = peek(&body, MEMBERS).map_err(|error| {
            Error::gateway(
                400,
                "invalid_json",
                format!("The request body cannot be read: {error}."),
            )
        })?;
        let model = match peeked.value(&body, "model") {
            Some(Value::String(model)) if !model.is_empty() => Arc::from(model.as_ref()),
            Some(Value::String(_)) | None | Some(Value::Null) => return Err(missing_model()),
            Some(_) => return Err(wrong_type("model", "a string")),
        };
        let stream = match peeked.value(&body, "stream") {
            Some(Value::Bool(stream)) => stream,
            None | Some(Value::Null) => false,
            Some(_) => return Err(wrong_type("stream", "true or false")),
        };
        let wants_usage = match peeked.member("stream_options") {
            None => false,
            Some(options) => options
                .peek(&body, ["include_usage"])
                .map_err(|error| {
                    Error::gateway(
                        400,
                        "invalid_json",
                        format!("`stream_options` cannot be read: {error}."),
                    )
                })?
                .is_some_and(|options| options.is_true(&body, "include_usage")),
        };
        Ok(Self {
            operation,
            body,
            form: Form::Json(peeked),
            model,
            stream,
            wants_usage,
        })
    }

    fn read_form(operation: Operation, content_type: &str, body: Bytes) -> Result<Self, Error> {
        let invalid = |detail: String| Error::gateway(400, "invalid_multipart", detail);
        let form = multipart::parse(content_type, &body)
            .map_err(|error| invalid(format!("The multipart body cannot be read: {error}.")))?;
        let field = |name: &str| {
            form.field(name)
                .map_err(|error| invalid(format!("The multipart body cannot be read: {error}.")))
        };
        let text = |part: Option<&multipart::Part>| {
            part.and_then(|part| std::str::from_utf8(part.value(&body)).ok())
                .map(str::trim)
                .unwrap_or_default()
                .to_owned()
        };
        let model = text(field("model")?);
        if model.is_empty() {
            return Err(missing_model());
        }
        let stream = text(field("stream")?).eq_ignore_ascii_case("true");
        Ok(Self {
            operation,
            body,
            form: Form::Multipart(form),
            model: model.into(),
            stream,
            wants_usage: false,
        })
    }

    /// The model as the client wrote it.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The same, to keep.
    pub fn shared_model(&self) -> Arc<str> {
        Arc::clone(&self.model)
    }

    /// A stream was asked for.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// The client itself asked for usage in its stream.
    pub fn wants_usage(&self) -> bool {
        self.wants_usage
    }

    /// The body is JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.form, Form::Json(_))
    }

    /// Bytes of the body.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// True for a body of no bytes.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Makes the upstream's request out of the original. Errors are the client's.
    pub fn prepare(&self, inputs: PrepareInputs<'_>) -> Result<Outgoing, Error> {
        match inputs.service {
            Service::Translate(upstream) => self.translate(upstream, inputs),
            Service::PassThrough => self.pass(inputs),
        }
    }

    fn translate(
        &self,
        upstream: crate::ir::DialectId,
        inputs: PrepareInputs<'_>,
    ) -> Result<Outgoing, Error> {
        let unbuilt = || Error::gateway(500, "internal_error", "The dialect is not built.");
        let client = self
            .operation
            .conversation()
            .and_then(dialect::find)
            .ok_or_else(unbuilt)?;
        let target = dialect::find(upstream).ok_or_else(unbuilt)?;
        let request = client.decode_request(&self.body)?;
        let mut losses = Losses::default();
        let want_stream_usage = self.stream && inputs.quirks.stream_options;
        let target_of = Target {
            model: inputs.model,
            quirks: inputs.quirks,
            want_stream_usage,
        };
        let body = target.encode_request(&request, target_of, &mut losses)?;
        Ok(Outgoing {
            body: Some(Bytes::from(body)),
            content_type: Some(HeaderValue::from_static("application/json")),
            losses,
            forced_usage: false,
        })
    }

    fn pass(&self, inputs: PrepareInputs<'_>) -> Result<Outgoing, Error> {
        let broken = |detail: String| {
            Error::gateway(
                400,
                "invalid_json",
                format!("The request body cannot be edited: {detail}."),
            )
        };
        let mut out = Outgoing::default();
        let body = match &self.form {
            Form::Multipart(form) if inputs.model != self.model.as_ref() => {
                let edited = form.replace(&self.body, "model", inputs.model.as_bytes());
                Bytes::from(edited.map_err(|error| broken(error.to_string()))?)
            }
            Form::Multipart(_) => self.body.clone(),
            Form::Json(peeked) => {
                let model = (inputs.model != self.model.as_ref()).then(|| quote(inputs.model));
                let edits = self.edits(peeked, model.as_deref(), inputs.quirks);
                out.forced_usage = edits.iter().any(|edit| matches!(edit, Edit::SetNested { .. }));
                match edits.as_slice() {
                    [] => self.body.clone(),
                    edits => Bytes::from(
                        patch_peeked(&self.body, peeked, edits).map_err(|error| broken(error.to_string()))?,
                    ),
                }
            }
        };
        out.body = Some(body);
        Ok(out)
    }

    /// What must be different for a backend; `model` is its name for the model, as JSON, where it is not the client's.
    fn edits<'a>(
        &'a self,
        peeked: &Peeked<'static, { MEMBERS.len() }>,
        model: Option<&'a str>,
        quirks: Quirks,
    ) -> Vec<Edit<'a>> {
        let mut edits = Vec::new();
        if let Some(value) = model {
            edits.push(Edit::Set { name: "model", value });
        }
        let can_ask = matches!(
            self.operation,
            Operation::ChatCompletions | Operation::Completions
        );
        if can_ask && self.stream && !self.wants_usage && quirks.stream_options {
            edits.push(Edit::SetNested {
                name: "stream_options",
                member: "include_usage",
                value: "true",
            });
        }
        if can_ask && !quirks.stream_options && peeked.member("stream_options").is_some() {
            edits.push(Edit::Remove {
                name: "stream_options",
            });
        }
        // Renamed for vendors that call it by its old name.
        if self.operation == Operation::ChatCompletions
            && !quirks.max_completion_tokens
            && let Some(limit) = peeked.member("max_completion_tokens")
        {
            edits.push(Edit::Remove {
                name: "max_completion_tokens",
            });
            if peeked.member("max_tokens").is_none() {
                edits.push(Edit::Set {
                    name: "max_tokens",
                    value: limit.raw(&self.body),
                });
            }
        }
        edits
    }
}

fn missing_model() -> Error {
    let mut error = Error::gateway(
        400,
        "missing_model",
        "The request names no model. Set `model` to one of those that GET /v1/models lists.",
    );
    error.param = Some("model".to_owned());
    error
}

fn wrong_type(name: &str, expected: &str) -> Error {
    let mut error = Error::gateway(400, "invalid_type", format!("`{name}` must be {expected}."));
    error.param = Some(name.to_owned());
    error
}

/// Undoes the request's `content-encoding`, to at most `limit` bytes.
pub fn decompress(body: &Bytes, encoding: &str, limit: u64) -> Result<Bytes, Error> {
    use crate::codec::encoding::{Decoder, EncodingError};
    let mut decoder = match Decoder::new(encoding, limit) {
        Ok(decoder) if decoder.is_identity() => return Ok(body.clone()),
        Ok(decoder) => decoder,
        Err(_) => {
            return Err(Error::gateway(
                415,
                "unsupported_encoding",
                "The request's `content-encoding` is not one of gzip, deflate, br, zstd.",
            ));
        }
    };
    let mut out = Vec::new();
    let ended = decoder.push(body, &mut out).and_then(|()| decoder.finish());
    match ended {
        Ok(()) => Ok(Bytes::from(out)),
        Err(EncodingError::TooLarge { .. }) => Err(Error::gateway(
            413,
            "request_too_large",
            format!(
                "The request body is larger than the gateway's limit of {limit} bytes once it is decompressed."
            ),
        )),
        Err(error) => Err(Error::gateway(
            400,
            "invalid_encoding",
            format!("The compressed request body cannot be read: {error}."),
        )),
    }
}
