//! The runner: starts everything, measures it in interleaved rounds, and writes the report.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use aigw_bench::bars::{Bar, judge};
use aigw_bench::case;
use aigw_bench::failure::Failure;
use aigw_bench::report::markdown;
use aigw_bench::rounds::{Bench, measure};
use aigw_bench::run::Run;
use aigw_bench::settings::Flags;
use aigw_bench::subject::Gateway;
use clap::Parser;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let flags = Flags::parse();
    // One thread: the generator must not take more than one of the cores it shares with what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .map_err(Failure::system("runtime"))
        .and_then(|runtime| runtime.block_on(bench(flags)));
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(flags: Flags) -> Result<ExitCode, Failure> {
    std::fs::create_dir_all(&flags.out).map_err(Failure::system(flags.out.display().to_string()))?;
    let bench = plan(flags)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::system("signal"))?;
    // Dropping the measurement ends every process that it started.
    let run = tokio::select! {
        run = measure(&bench, |what| eprintln!("{what}")) => run?,
        _ = tokio::signal::ctrl_c() => return Ok(ExitCode::FAILURE),
        _ = terminate.recv() => return Ok(ExitCode::FAILURE),
    };
    if let Some(gateway) = &bench.gateway {
        // Some hundred megabytes of access log, which nobody reads after a run that went well.
        std::fs::remove_file(gateway.log()).map_err(Failure::system("remove aigw.log"))?;
    }
    let bars = judge(&run);
    publish(&bench.flags.out, &run, &bars)?;
    let met = bars.iter().all(|bar| bar.pass == Some(true));
    Ok(if bench.flags.enforce && !met {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Finds the binaries and the cases that the flags name.
fn plan(flags: Flags) -> Result<Bench, Failure> {
    let own = std::env::current_exe().map_err(Failure::system("own path"))?;
    let binaries = own.parent().unwrap_or(Path::new(".")).to_owned();
    let gateway = if flags.without_aigw {
        eprintln!("--without-aigw: THE GATEWAY IS NOT MEASURED, no bar can be judged");
        None
    } else {
        let binary = flags.aigw.clone().unwrap_or_else(|| binaries.join("aigw"));
        if !binary.is_file() {
            let detail = format!(
                "{} does not exist; build it, or name it with --aigw",
                binary.display()
            );
            return Err(Failure::Start {
                subject: "aigw".to_owned(),
                detail,
            });
        }
        Some(Gateway {
            binary,
            out: flags.out.clone(),
        })
    };
    let (mut cases, mut first_token_cases) = (case::all(), case::first_token());
    if !flags.cases.is_empty() {
        let known: Vec<_> = cases
            .iter()
            .chain(&first_token_cases)
            .map(|case| case.name)
            .collect();
        if let Some(unknown) = flags.cases.iter().find(|name| !known.contains(&name.as_str())) {
            let detail = format!("no case is named {unknown}; there are {}", known.join(", "));
            return Err(Failure::Start {
                subject: "benchmark".to_owned(),
                detail,
            });
        }
        cases.retain(|case| flags.cases.iter().any(|name| name == case.name));
        first_token_cases.retain(|case| flags.cases.iter().any(|name| name == case.name));
    }
    Ok(Bench {
        flags,
        binaries,
        gateway,
        cases,
        first_token_cases,
    })
}

/// The JSON report: all raw figures, and the bars.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    run: &'a Run,
    bars: &'a [Bar],
}

fn publish(out: &Path, run: &Run, bars: &[Bar]) -> Result<(), Failure> {
    let text = markdown(run, bars);
    let (readable, raw) = (out.join("latest.md"), out.join("latest.json"));
    std::fs::write(&readable, &text).map_err(Failure::system(readable.display().to_string()))?;
    let json = serde_json::to_vec_pretty(&Document { run, bars });
    let json = json.map_err(|error| Failure::Answer(format!("the report is not JSON: {error}")))?;
    std::fs::write(&raw, json).map_err(Failure::system(raw.display().to_string()))?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(Failure::system("stdout"))?;
    eprintln!("written to {} and {}", readable.display(), raw.display());
    Ok(())
}
