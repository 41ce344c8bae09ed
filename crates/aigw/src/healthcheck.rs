//! `aigw healthcheck`: one request to `/ready`.

use std::process::ExitCode;
use std::time::Duration;

use crate::cli::HealthcheckArgs;
use crate::local::ask;

/// Succeeds when the gateway says that it is ready within a second.
pub(crate) fn healthcheck(args: &HealthcheckArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (status, body) = ask(args.admin, "GET", "/ready", Duration::from_secs(1))
        .map_err(|error| format!("nothing answers at {}: {error}", args.admin))?;
    match status {
        200 => Ok(ExitCode::SUCCESS),
        _ => Err(format!("not ready (status {status}): {}", body.trim()).into()),
    }
}
