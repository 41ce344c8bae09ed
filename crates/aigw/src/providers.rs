//! `aigw providers`.

use std::process::ExitCode;

use aigw_config::AuthKind;
use aigw_translate::host::{PRESETS, support_matrix};

use crate::cli::{ProvidersArgs, say};

/// Prints the table of presets.
pub(crate) fn providers(args: &ProvidersArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    if args.markdown {
        say(support_matrix().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "{:<12} {:<10} {:<22} {:<46} KEY",
        "PROVIDER", "SCHEMA", "VERSION", "URL"
    ));
    for preset in PRESETS {
        let key = match preset.auth {
            AuthKind::None => "none",
            _ => preset.key_var,
        };
        say(&format!(
            "{:<12} {:<10} {:<22} {:<46} {key}",
            preset.id,
            preset.schema.as_str(),
            preset.version,
            preset.url
        ));
    }
    Ok(ExitCode::SUCCESS)
}
