//! Why there is no new snapshot. The last good one goes on, whatever it is.

use aigw_config::shard::ShardError;
use thiserror::Error;

#[derive(Debug, Error)]
pub(super) enum Problem {
    /// The API server is away or does not answer: asked again and again.
    #[error("the API server cannot be asked: {0}")]
    Unreachable(String),
    /// The service account lacks a right.
    #[error("the API server refuses: {0}; permit get and watch of the Secrets of this gateway")]
    Denied(String),
    /// The operator has not written it yet, or it was deleted.
    #[error("Secret {0} does not exist; the operator writes it when the Gateway is accepted")]
    Missing(String),
    /// What is there cannot be used.
    #[error("Secret {name}: {error}")]
    Unusable {
        /// Which one.
        name: String,
        error: ShardError,
    },
}

impl Problem {
    /// The value of the metric's label.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Denied(_) => "denied",
            Self::Missing(_) => "missing",
            Self::Unusable { error, .. } => match error {
                ShardError::TooNew { .. } | ShardError::TooOld { .. } => "format",
                _ => "damaged",
            },
        }
    }

    /// Whether what the operator wrote is at fault; what happens on the way there is no refusal.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Unusable { .. })
    }
}

impl From<kube::Error> for Problem {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if matches!(status.code, 401 | 403) => Self::Denied(status.message),
            // The text of other errors says where it failed and never what was read.
            other => Self::Unreachable(whole(&other)),
        }
    }
}

/// The error with its causes, as far as they say something new.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}
