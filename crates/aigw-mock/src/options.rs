//! What one mock listener is told when it starts.

use std::path::PathBuf;

use crate::Fault;

/// Settings of one listener; the default accepts every key, records in memory and fails nothing.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Accepted API keys. Empty: no authentication. Otherwise OpenAI and Cohere paths want
    /// `Authorization: Bearer <key>`; Anthropic paths want `x-api-key: <key>` or, without that header, the former.
    pub keys: Vec<String>,
    /// File to which every request is appended as one JSON line.
    pub record: Option<PathBuf>,
    /// Fault applied to every request; the header and the model name are read on top of it.
    pub fault: Fault,
    /// Models that exist. Empty: every name exists except those that begin with `missing`.
    pub models: Vec<String>,
    /// Top-level request members this provider refuses with 400, as some vendors refuse `stream_options`.
    pub refuse: Vec<String>,
    /// Refuse every top-level member that the vendor does not document, not only those of other dialects.
    pub strict: bool,
    /// Benchmark mode: an equal request gets the stored answer of the first one; nothing is recorded.
    pub bench: bool,
}
