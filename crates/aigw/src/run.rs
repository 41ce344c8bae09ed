//! `aigw run`: serves by itself, or through an Envoy of its own.

use std::process::ExitCode;

use aigw_extproc::find_envoy;

use crate::cli::RunArgs;
use crate::envoy::{Options, Own};
use crate::front::Kind;
use crate::process::{Failure, workers};
use crate::serve::start;

/// Serves until a signal comes.
pub(crate) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let kind = match &args.envoy {
        Some(asked) => {
            let own = Own {
                binary: find_envoy(asked.as_deref(), &|name| std::env::var(name).ok())?,
                concurrency: workers(args.serve.workers),
                log_level: args.envoy_log.clone(),
            };
            Kind::Envoy(Options::own(&args.through, own)?)
        }
        None if args.through.path.is_some() => {
            return Err("--path says how an Envoy is used: add --envoy".into());
        }
        None => Kind::Native,
    };
    start(args.serve, args.listen, kind, || Ok(()))
}
