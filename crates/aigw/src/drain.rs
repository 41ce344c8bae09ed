//! `aigw drain`: sends a running gateway's clients elsewhere and waits until its requests have ended.

use std::io::ErrorKind;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cli::{DrainArgs, say};
use crate::local::ask;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Nothing was under way for so long: nothing comes any more.
const QUIET: Duration = Duration::from_secs(1);
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Succeeds when nothing is under way any more, or nothing runs; fails when the timeout ends first.
pub(crate) fn drain(args: &DrainArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let path = format!("/drain?timeout={}", args.timeout.as_millis());
    let began = Instant::now();
    let mut quiet: Option<Instant> = None;
    let mut last = "nothing is known of its requests".to_owned();
    loop {
        match ask(args.admin, "POST", &path, PATIENCE) {
            Ok((200, body)) => {
                let active = serde_json::from_str::<serde_json::Value>(&body)?["active"].as_u64();
                last = format!("{} requests are under way", active.unwrap_or_default());
                quiet = match active {
                    Some(0) => quiet.or_else(|| Some(Instant::now())),
                    _ => None,
                };
            }
            Ok((_, body)) => {
                quiet = None;
                body.trim().clone_into(&mut last);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                say("nothing runs");
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => last = error.to_string(),
        }
        let is_quiet = quiet.is_some_and(|since| since.elapsed() >= QUIET.min(args.wait));
        if is_quiet && began.elapsed() >= args.wait {
            say("drained");
            return Ok(ExitCode::SUCCESS);
        }
        if began.elapsed() >= args.timeout {
            return Err(format!("not drained after {:?}: {last}", args.timeout).into());
        }
        sleep(LOOK);
    }
}
