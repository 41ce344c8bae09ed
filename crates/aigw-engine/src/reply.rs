//! Answers that the gateway makes by itself: errors in the client's dialect, in one place.

use aigw_translate::ir::Error;
use aigw_translate::operation::{ErrorShape, encode_error};
use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::ledger::ErrorClass;

/// A whole answer of the gateway.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Stable code and blame, for errors.
    pub(crate) error: Option<(String, ErrorClass)>,
    /// The client's body was not read to its end.
    pub(crate) close: bool,
}

/// An error before it is said in a dialect.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: Error,
    pub(crate) class: ErrorClass,
    /// Seconds for `retry-after`.
    pub(crate) retry_after: Option<u64>,
    /// Value of `allow`.
    pub(crate) allow: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            error: Error::gateway(status, code, message),
            class,
            retry_after: None,
            allow: None,
        }
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn param(mut self, name: &str) -> Self {
        self.error.param = Some(name.to_owned());
        self
    }

    /// The answer in the client's shape, with `x-aigw-error`.
    pub(crate) fn reply(self, shape: ErrorShape, request_id: &str) -> Reply {
        let Self {
            mut error,
            class,
            retry_after,
            allow,
        } = self;
        error.request_id.get_or_insert_with(|| request_id.to_owned());
        let code = error.code.clone().unwrap_or_else(|| "error".to_owned());
        let mut headers = json_headers();
        if let Ok(value) = HeaderValue::try_from(code.as_str()) {
            headers.insert(HeaderName::from_static("x-aigw-error"), value);
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        Reply {
            status: StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers,
            body: Bytes::from(encode_error(shape, &error)),
            error: Some((code, class)),
            close: false,
        }
    }
}

/// Headers of a JSON answer.
pub(crate) fn json_headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}
