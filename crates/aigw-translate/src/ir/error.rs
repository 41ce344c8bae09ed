//! An error of a provider or of the gateway, to be said in the client's dialect.

use serde_json::Value;

use super::Opaque;

/// What kind of error. Every dialect has words for these; the HTTP status decides when a body says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// 400, 422: the request is wrong.
    InvalidRequest,
    /// 401: no or wrong credential.
    Authentication,
    /// 403: not allowed.
    Permission,
    /// 404: no such path, model or object.
    NotFound,
    /// 405: wrong method.
    MethodNotAllowed,
    /// 413: too large.
    TooLarge,
    /// 402: no money left.
    Billing,
    /// 408, 504: took too long.
    Timeout,
    /// 409: conflicting state.
    Conflict,
    /// 429: too many requests or tokens.
    RateLimit,
    /// 503, 529: no capacity.
    Overloaded,
    /// 500, 502 and anything else.
    Server,
}

impl ErrorKind {
    /// The kind that an HTTP status means.
    pub const fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::InvalidRequest,
            _ => Self::Server,
        }
    }
}

/// An error.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// HTTP status.
    pub status: u16,
    /// Kind.
    pub kind: ErrorKind,
    /// For people; says what to do. Never a secret, never a body.
    pub message: String,
    /// The vendor's or the gateway's stable code, such as `context_length_exceeded`.
    pub code: Option<String>,
    /// The member of the request that is wrong.
    pub param: Option<String>,
    /// The vendor's id of the request.
    pub request_id: Option<String>,
    /// The vendor's whole error value, for a client of the same dialect.
    pub opaque: Option<Box<Opaque>>,
}

impl Error {
    /// An error made by the gateway.
    pub fn gateway(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: ErrorKind::from_status(status),
            message: message.into(),
            code: Some(code.to_owned()),
            param: None,
            request_id: None,
            opaque: None,
        }
    }

    /// An error of an upstream whose body could not be read as the dialect's error: the status speaks, with as much of the
    /// body's text as is sensible (1,000 characters).
    pub fn from_text(status: u16, text: &str) -> Self {
        let text = text.trim();
        let message = match text {
            "" => format!("The upstream answered with status {status} and no message."),
            text => text.chars().take(1_000).collect(),
        };
        Self {
            status,
            kind: ErrorKind::from_status(status),
            message,
            code: None,
            param: None,
            request_id: None,
            opaque: None,
        }
    }

    /// The vendor's value when it is of `dialect`.
    pub fn value_of(&self, dialect: super::DialectId) -> Option<&Value> {
        self.opaque
            .as_deref()
            .filter(|opaque| opaque.dialect == dialect)
            .map(|opaque| &opaque.value)
    }
}
