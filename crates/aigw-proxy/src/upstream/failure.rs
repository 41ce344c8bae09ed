//! What a broken connection means for the attempt that used it.

use std::error::Error;
use std::fmt::Write;

use aigw_engine::{Failure, FailureKind};

/// Nothing of the request was sent.
pub(super) fn connect(message: impl Into<String>) -> Failure {
    Failure {
        kind: FailureKind::Connect,
        message: message.into(),
    }
}

/// What an error of the HTTP layer is for an attempt whose request may have been sent.
pub(super) fn classify(error: &hyper::Error) -> Failure {
    let kind = if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        FailureKind::Protocol
    } else {
        match error
            .source()
            .and_then(|source| source.downcast_ref::<h2::Error>())
        {
            // The peer says that it did nothing about the stream.
            Some(h2) if is_unprocessed(h2) => FailureKind::Connect,
            Some(h2) if h2.reason() == Some(h2::Reason::PROTOCOL_ERROR) => FailureKind::Protocol,
            _ => FailureKind::Reset,
        }
    };
    Failure {
        kind,
        message: chain(error),
    }
}

/// RFC 9113 section 8.7: a refused stream, or one that came after the last that a departing peer serves.
fn is_unprocessed(error: &h2::Error) -> bool {
    let left = error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR);
    left || error.reason() == Some(h2::Reason::REFUSED_STREAM)
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many errors already print their source.
        if !text.contains(&next) {
            let _ = write!(text, ": {next}");
        }
        cause = error.source();
    }
    text
}
