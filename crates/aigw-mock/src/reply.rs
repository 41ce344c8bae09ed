//! An answer as a handler renders it, before any fault.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

/// Stands in an answer for the text of `size=<bytes>`; [`crate::script`] puts the text there.
pub(crate) const SIZE_MARK: &str = "@mock-size@";

/// Status, headers beyond the dialect's usual ones, and content.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub content: Content,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Whole {
        media: &'static str,
        bytes: Bytes,
    },
    /// Server-sent events; `repeat` is the text event that a never-ending or big answer repeats.
    Events {
        list: Arc<[Bytes]>,
        repeat: Option<usize>,
    },
}

impl Reply {
    /// A 200 with a JSON body.
    pub(crate) fn json(value: &Value) -> Self {
        Self::whole("application/json", Bytes::from(value.to_string()))
    }

    /// A 200 with bytes.
    pub(crate) fn whole(media: &'static str, bytes: Bytes) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            content: Content::Whole { media, bytes },
        }
    }

    /// A 200 with server-sent events.
    pub(crate) fn events(list: Vec<Bytes>, repeat: Option<usize>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            content: Content::Events {
                list: list.into(),
                repeat,
            },
        }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}
