//! `aigw doctor`.

use std::process::ExitCode;

use aigw_controller::connect;
use aigw_controller::doctor::{Commands, Finding, Level, Report, examine};
use serde_json::json;

use crate::cli::{DoctorArgs, Output, say};
use crate::controller::MEANS;
use crate::operators::set_ups;
use crate::process::{Failure, runtime};

/// Says every finding with its fix; fails when one is a problem.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let (report, notes) = runtime(2)?.block_on(async {
        let place = args.place.place();
        let client = connect(&place).await?;
        // Without an answer there is still a finding to tell.
        let (set_ups, notes) = set_ups(&client, &args.namespaces).await.unwrap_or_default();
        let commands = Commands::new(place);
        let report = examine(&client, &set_ups, &args.namespaces, commands, MEANS).await;
        Ok::<_, Failure>((report, notes))
    })?;
    let counts = [Level::Problem, Level::Warning, Level::Ok].map(|level| report.count(level));
    match args.output {
        Output::Text => {
            for note in notes {
                say(&format!("note     {note}"));
            }
            text(&report);
            let [problems, warnings, _] = counts;
            say(&format!(
                "\n{problems} problem{}, {warnings} warning{}",
                plural(problems),
                plural(warnings)
            ));
        }
        Output::Json => {
            let [problems, warnings, good] = counts;
            let out = json!({
                "findings": report.findings,
                "notes": notes,
                "summary": {"problem": problems, "warning": warnings, "ok": good},
            });
            say(&serde_json::to_string_pretty(&out)?);
        }
    }
    Ok(match counts {
        [0, ..] => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn text(report: &Report) {
    for Finding {
        level,
        about,
        what,
        fix,
    } in &report.findings
    {
        let level = match level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "problem",
        };
        say(&format!("{level:<8} {about}: {what}"));
        if let Some(fix) = fix {
            // What is pasted must not be indented where it has several lines.
            match fix.contains('\n') {
                true => say(&format!("         fix:\n{fix}")),
                false => say(&format!("         fix: {fix}")),
            }
        }
    }
}
