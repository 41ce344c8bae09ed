//! `aigw cleanup`: removes from a cluster what an operator has made.

use std::process::ExitCode;

use aigw_controller::cleanup::{delete_definitions, delete_made, delete_objects};
use aigw_controller::{connect, crds};
use serde_json::Value;

use crate::cli::{CleanupArgs, say};
use crate::process::{Failure, runtime};

/// Objects that are named first, so that no operator has a reason to make the rest anew.
pub(crate) fn cleanup(args: &CleanupArgs) -> Result<ExitCode, Failure> {
    let mut objects: Vec<Value> = Vec::new();
    for file in &args.objects {
        let wrong = |error: String| format!("cannot read {}: {error}", file.display());
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let found: Vec<Value> = serde_yaml::from_multiple(&text).map_err(|error| wrong(error.to_string()))?;
        objects.extend(found.into_iter().filter(|one| !one.is_null()));
    }
    runtime(1)?.block_on(async {
        let client = connect(&args.place.place()).await?;
        let told = |line: String| say(&line);
        delete_objects(&client, &objects, told).await?;
        delete_made(&client, &args.watched.namespaces, told).await?;
        if args.definitions {
            delete_definitions(&client, &crds::all()?, told).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
