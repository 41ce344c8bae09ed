//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::sync::Arc;

/// Where an object was written. `line` is 1-based; 0 means unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The file as the user named it, or another name for the source (`environment`).
    pub file: Arc<str>,
    /// The line its first field stands on.
    pub line: u32,
}

impl Origin {
    /// An origin in `file` at `line`.
    pub fn new(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self {
            file: file.into(),
            line,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_ref(), self.line) {
            ("", _) => f.write_str("configuration"),
            (file, 0) => f.write_str(file),
            (file, line) => write!(f, "{file}:{line}"),
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration works, though perhaps not as meant.
    Warning,
    /// The object, or in the native form the whole file, is refused.
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Where the object stands.
    pub origin: Origin,
    /// Kind and name, such as `backend "openai"`.
    pub object: String,
    /// Path of the field inside the object, such as `rules[0].backends[1].name`; empty when the whole object is meant.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{}: {level}: {}", self.origin, self.object)?;
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All findings of one load, in the order they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds an error.
    pub fn error(
        &mut self,
        origin: &Origin,
        object: impl Into<String>,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.push(
            Severity::Error,
            origin,
            object.into(),
            field.into(),
            message.into(),
        );
    }

    /// Adds a warning.
    pub fn warn(
        &mut self,
        origin: &Origin,
        object: impl Into<String>,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.push(
            Severity::Warning,
            origin,
            object.into(),
            field.into(),
            message.into(),
        );
    }

    fn push(&mut self, severity: Severity, origin: &Origin, object: String, field: String, message: String) {
        self.0.push(Diagnostic {
            severity,
            origin: origin.clone(),
            object,
            field,
            message,
        });
    }

    /// Adds the findings of `other` behind.
    pub fn extend(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }

    /// Keeps the first of equal findings.
    pub fn remove_repeated(&mut self) {
        let mut kept: Vec<Diagnostic> = Vec::with_capacity(self.0.len());
        for one in self.0.drain(..) {
            if !kept.contains(&one) {
                kept.push(one);
            }
        }
        self.0 = kept;
    }

    /// True when at least one finding is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// The findings in order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
