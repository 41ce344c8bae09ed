//! What was found.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, though perhaps not as meant, or it could not be looked at.
    Warning,
    /// Something is not served, or soon will not be.
    Problem,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, such as `Kubernetes` or `Gateway default/aigw`.
    pub about: String,
    /// What was found.
    pub what: String,
    /// What to do, as a command to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// All findings, in the order in which things were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many are of the level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|one| one.level == level).count()
    }

    pub(super) fn ok(&mut self, about: impl Into<String>, what: impl Into<String>) {
        self.push(Level::Ok, about.into(), what.into(), None);
    }

    pub(super) fn warning(
        &mut self,
        about: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<Option<String>>,
    ) {
        self.push(Level::Warning, about.into(), what.into(), fix.into());
    }

    pub(super) fn problem(
        &mut self,
        about: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Level::Problem, about.into(), what.into(), Some(fix.into()));
    }

    /// What two examinations find is told once.
    fn push(&mut self, level: Level, about: String, what: String, fix: Option<String>) {
        let finding = Finding {
            level,
            about,
            what,
            fix,
        };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}
