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
    say(&format!(
        "{}: {errors} errors, {warnings} warnings",
        if good { "ok" } else { "failed" }
    ));
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
