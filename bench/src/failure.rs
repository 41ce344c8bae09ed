//! Why a benchmark run ends without figures.

/// A benchmark never reports figures of a run in which one of these occurred.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A process could not be started or did not come up: read its log.
    #[error("{subject} did not start: {detail}")]
    Start {
        /// Which process.
        subject: String,
        /// What was seen.
        detail: String,
    },
    /// An answer differs from what this subject must give: the subject is broken, its speed means nothing.
    #[error("wrong answer: {0}")]
    Answer(String),
    /// The connection to a subject broke.
    #[error("connection: {0}")]
    Connection(#[from] hyper::Error),
    /// An operating-system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The same failure, with the subject and the case it happened in.
    #[error("{subject}, {case}: {source}")]
    During {
        /// Which subject.
        subject: &'static str,
        /// Which case.
        case: &'static str,
        /// What happened.
        source: Box<Failure>,
    },
}

impl Failure {
    /// Names what was being done when the system refused; for `map_err`.
    pub fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    /// Says in which subject and case it happened.
    pub fn during(self, subject: &'static str, case: &'static str) -> Self {
        Self::During {
            subject,
            case,
            source: Box::new(self),
        }
    }
}
