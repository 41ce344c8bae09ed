//! `aigw check`.

use std::process::ExitCode;

use aigw_config::{Diagnostics, Severity};

use crate::cli::{CheckArgs, say};
use crate::input::Input;

/// Prints every finding; fails on errors, with `--strict` on warnings too.
pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (findings, usable) = match Input::Files(args.inputs.clone()).read(None) {
        Ok(ready) => (ready.diagnostics, true),
        Err(findings) => (findings, false),
    };
    for finding in findings.iter() {
        say(&finding.to_string());
    }
    let errors = count(&findings, Severity::Error);
    let warnings = count(&findings, Severity::Warning);
    let good = usable && errors == 0 && !(args.strict && warnings > 0);
    let counts: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    let verdict = if good { "ok" } else { "failed" };
    say(&match counts.is_empty() {
        true => verdict.to_owned(),
        false => format!("{verdict}: {}", counts.join(", ")),
    });
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn count(findings: &Diagnostics, severity: Severity) -> usize {
    findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .count()
}
