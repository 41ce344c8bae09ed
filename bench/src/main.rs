//! The runner: starts everything, measures it in interleaved rounds, and writes the report.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aigw_bench::bars::{Bar, judge};
use aigw_bench::case;
use aigw_bench::envoy::{Envoy, HOW_TO_GET};
use aigw_bench::failure::Failure;
use aigw_bench::kind::{Group, Kind};
use aigw_bench::process::start;
use aigw_bench::report::markdown;
use aigw_bench::rounds::{Bench, measure};
use aigw_bench::run::Run;
use aigw_bench::settings::Flags;
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
    clear(&bench.flags.out)?;
    let bars = judge(&run, &bench.groups);
    publish(&bench.flags.out, &run, &bars)?;
    let met = bars.iter().all(|bar| bar.pass == Some(true));
    Ok(if bench.flags.enforce && !met {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Removes what subjects have written: some hundred megabytes of access log, which nobody reads after a run that went well.
fn clear(out: &Path) -> Result<(), Failure> {
    let files = Kind::ALL.iter().flat_map(|kind| {
        ["log", "sock", "json"].map(|extension| out.join(format!("{}.{extension}", kind.name())))
    });
    for file in files.filter(|file| file.exists()) {
        std::fs::remove_file(&file).map_err(Failure::system(file.display().to_string()))?;
    }
    Ok(())
}

/// Finds the binaries, the groups and the cases that the flags name.
fn plan(flags: Flags) -> Result<Bench, Failure> {
    let own = std::env::current_exe().map_err(Failure::system("own path"))?;
    let binaries = own.parent().unwrap_or(Path::new(".")).to_owned();
    let gateway = gateway(&flags, &binaries)?;
    let (groups, envoy) = groups(flags.only)?;
    let (mut cases, mut first_token_cases) = (case::all(), case::first_token());
    if !groups.contains(&Group::Native) {
        cases.retain(case::Case::with_envoy);
        first_token_cases.clear();
    }
    if !flags.cases.is_empty() {
        let known: Vec<_> = cases
            .iter()
            .chain(&first_token_cases)
            .map(|case| case.name)
            .collect();
        if let Some(unknown) = flags.cases.iter().find(|name| !known.contains(&name.as_str())) {
            let detail = format!("no case is named {unknown}; there are {}", known.join(", "));
            return Err(start("benchmark", detail));
        }
        cases.retain(|case| flags.cases.iter().any(|name| name == case.name));
        first_token_cases.retain(|case| flags.cases.iter().any(|name| name == case.name));
    }
    Ok(Bench {
        flags,
        binaries,
        gateway,
        envoy,
        groups,
        cases,
        first_token_cases,
    })
}

fn gateway(flags: &Flags, binaries: &Path) -> Result<Option<PathBuf>, Failure> {
    if flags.without_aigw {
        eprintln!("--without-aigw: THE GATEWAY IS NOT MEASURED, no bar can be judged");
        return Ok(None);
    }
    let binary = flags.aigw.clone().unwrap_or_else(|| binaries.join("aigw"));
    if !binary.is_file() {
        let path = binary.display();
        let detail = format!("{path} does not exist; build it, or name it with --aigw");
        return Err(start("aigw", detail));
    }
    Ok(Some(binary))
}

/// What is measured, and the Envoy for it. Where none is found, a run of everything goes on without.
fn groups(only: Option<Group>) -> Result<(Vec<Group>, Option<Envoy>), Failure> {
    if only == Some(Group::Native) {
        return Ok((vec![Group::Native], None));
    }
    match (Envoy::find(), only) {
        (Some(envoy), Some(group)) => Ok((vec![group], Some(envoy))),
        (Some(envoy), None) => Ok((vec![Group::Native, Group::Envoy], Some(envoy))),
        (None, Some(_)) => Err(start("envoy", HOW_TO_GET.to_owned())),
        (None, None) => {
            eprintln!("NOTHING BEHIND AN ENVOY IS MEASURED: {HOW_TO_GET}");
            Ok((vec![Group::Native], None))
        }
    }
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
