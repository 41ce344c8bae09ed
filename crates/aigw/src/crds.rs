//! `aigw crds`.

use std::process::ExitCode;

use aigw_controller::crds::{Definition, all};

use crate::cli::{CrdsArgs, say};

/// Prints definitions as YAML documents.
pub(crate) fn crds(args: &CrdsArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let all = all()?;
    for wanted in &args.only {
        if !all.iter().any(|one| is(one, wanted)) {
            let kinds: Vec<&str> = all.iter().map(Definition::kind).collect();
            return Err(format!(
                "there is no definition of {wanted}; there are: {}",
                kinds.join(", ")
            )
            .into());
        }
    }
    for definition in &all {
        if args.only.is_empty() || args.only.iter().any(|wanted| is(definition, wanted)) {
            say("---");
            say(definition.yaml.trim_start_matches("---\n").trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn is(definition: &Definition, wanted: &str) -> bool {
    definition.kind().eq_ignore_ascii_case(wanted) || definition.name() == wanted
}
