//! `aigw crds`.

use std::path::Path;
use std::process::ExitCode;

use aigw_controller::connect;
use aigw_controller::crds::{Decision, Definition, all, apply_objects, install};
use serde_json::Value;

use crate::cli::{CrdsApplyArgs, CrdsArgs, CrdsCommand, say};
use crate::process::{self, Failure};

/// Prints definitions as YAML documents, or brings them into a cluster.
pub(crate) fn crds(args: &CrdsArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        None => print(args),
        Some(CrdsCommand::Apply(args)) => process::runtime(1)?.block_on(apply(args)),
    }
}

fn print(args: &CrdsArgs) -> Result<ExitCode, Failure> {
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

async fn apply(args: &CrdsApplyArgs) -> Result<ExitCode, Failure> {
    let mut objects = Vec::new();
    for file in &args.then {
        objects.extend(read(file)?);
    }
    let client = connect(&args.place.place()).await?;
    for (name, decision) in install(&client, &all()?).await? {
        match decision {
            Decision::Create => say(&format!("{name}: created")),
            Decision::Update => say(&format!("{name}: updated")),
            Decision::Current => say(&format!("{name}: of this release")),
            Decision::Keep(reason) => say(&format!("{name}: left as it is, since {reason}")),
        }
    }
    for name in apply_objects(&client, &objects).await? {
        say(&format!("{name}: applied"));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Vec<Value>, Failure> {
    let wrong = |reason: String| format!("cannot read {}: {reason}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let all: Vec<Value> = serde_yaml::from_multiple(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(all.into_iter().filter(|one| !one.is_null()).collect())
}
