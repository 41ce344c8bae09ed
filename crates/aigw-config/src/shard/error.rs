//! Why a snapshot cannot be cut or put together.

use thiserror::Error;

use super::format::FORMATS;

/// A snapshot that cannot be written or read. Whoever serves an earlier one goes on with it. No message holds content.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShardError {
    /// The index asks for a newer reader: upgrade the data plane.
    #[error(
        "the snapshot is of format {format} and needs a reader of format {min_reader}, and this one reads {} to {}; upgrade the data plane",
        FORMATS.start(),
        FORMATS.end()
    )]
    TooNew {
        /// Format it is written in.
        format: u32,
        /// Least format that its reader must know.
        min_reader: u32,
    },
    /// The index is of a format that is not read any more: upgrade the operator.
    #[error(
        "the snapshot is of format {format}, and this reader reads {} to {}; upgrade the operator",
        FORMATS.start(),
        FORMATS.end()
    )]
    TooOld {
        /// Format it is written in.
        format: u32,
    },
    /// The writer was asked for a format that it does not write: let readers of that format be replaced first.
    #[error(
        "snapshots of format {format} are not written, only {} to {}; bring operator and data plane within one version of each other",
        FORMATS.start(),
        FORMATS.end()
    )]
    Unwritable {
        /// Format that was asked for.
        format: u32,
    },
    /// Something is missing, cut off or changed: the writer repairs it with its next write.
    #[error("{what}: {problem}; the snapshot has to be written again")]
    Damaged {
        /// Which piece.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// More than the store takes: spread the routes over several gateways.
    #[error(
        "{what} takes {size} bytes, and at most {limit} fit; spread the configuration over several gateways"
    )]
    TooLarge {
        /// Which piece.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// Two objects of one kind have one name, so that they could not be told apart: rename one.
    #[error("two {section} are named \"{name}\"; rename one")]
    Repeated {
        /// Member of the document.
        section: String,
        /// The name.
        name: String,
    },
    /// The document cannot be written as JSON; a defect of this program.
    #[error("the document cannot be written: {0}")]
    Unsayable(String),
}

impl ShardError {
    /// A piece that is not what it should be.
    pub(super) fn damaged(what: impl Into<String>, problem: impl ToString) -> Self {
        Self::Damaged {
            what: what.into(),
            problem: problem.to_string(),
        }
    }
}
