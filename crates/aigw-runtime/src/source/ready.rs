//! From what was loaded to what is served.

use std::path::PathBuf;

use aigw_config::{Capabilities, Credentials, Diagnostics, Snapshot};
use aigw_plan::compile_tolerantly;

use super::load::Loaded;

/// A configuration that can be served.
#[derive(Debug)]
pub struct Ready {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The bytes of its credentials.
    pub credentials: Credentials,
    /// Warnings, and errors of objects that were left out.
    pub diagnostics: Diagnostics,
    /// Files and directories that it depends on.
    pub files_watched: Vec<PathBuf>,
}

impl Loaded {
    /// Compiles the document. A bad Kubernetes object is left out, a bad native one refuses the whole. `Err` has all findings.
    pub fn compile(self, capabilities: &dyn Capabilities) -> Result<Ready, Diagnostics> {
        let mut diagnostics = self.diagnostics;
        match compile_tolerantly(self.document, &self.tolerated, capabilities) {
            Ok((snapshot, found)) => {
                diagnostics.extend(found);
                Ok(Ready {
                    snapshot,
                    credentials: self.credentials,
                    diagnostics,
                    files_watched: self.files_watched,
                })
            }
            Err(found) => {
                diagnostics.extend(found);
                Err(diagnostics)
            }
        }
    }
}
