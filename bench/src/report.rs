//! A run as Markdown.

use std::fmt::{Display, Write};

use crate::bars::{Bar, Bound, cpu_ratio, event_cost, first_token_added, throughput_ratio};
use crate::case::{self, Case};
use crate::envoy_report;
use crate::kind::Kind;
use crate::run::{Cell, FirstToken, Run};
use crate::statistics::Spread;
use crate::subject::Part;

/// Those that no Envoy stands before.
const SUBJECTS: [Kind; 4] = [Kind::Direct, Kind::Forward, Kind::Rewrite, Kind::Aigw];

type Quantile = fn(&FirstToken) -> f64;

/// The whole report.
pub fn markdown(run: &Run, bars: &[Bar]) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, run, bars);
    out
}

fn write(out: &mut String, run: &Run, bars: &[Bar]) -> std::fmt::Result {
    let (machine, settings) = (&run.machine, &run.settings);
    writeln!(
        out,
        "{}, {} cores, Linux {}.",
        machine.processor, machine.cores, machine.kernel
    )?;
    let slice = settings
        .slice_seconds
        .map_or("a few requests".to_owned(), |seconds| format!("{seconds} s"));
    writeln!(
        out,
        "Effort {}: {} rounds, slices of {slice}, {} connections, {} workers, {} requests a round with one in flight.",
        settings.effort, settings.rounds, settings.connections, settings.workers, settings.one_in_flight,
    )?;
    writeln!(out, "Medians over rounds; [smallest–largest round].\n")?;
    for case in case::all() {
        let measured = |kind: Kind| {
            run.cells
                .iter()
                .any(|cell| cell.case == case.name && cell.subject == kind)
        };
        if measured(Kind::Forward) {
            case_table(out, run, &case)?;
        }
        if measured(Kind::Envoy) {
            envoy_report::table(out, run, &case)?;
        }
    }
    first_token_table(out, run)?;
    memory_table(out, run)?;
    bar_table(out, bars)
}

fn case_table(out: &mut String, run: &Run, case: &Case) -> std::fmt::Result {
    writeln!(out, "### {}: {}\n", case.name, case.title)?;
    writeln!(
        out,
        "| subject | requests/s | p50 µs | p99 µs | CPU µs/request | CPU / forward | CPU / rewrite | requests/s / forward | CPU µs/event over forward |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    for kind in SUBJECTS {
        let median = |field: fn(&Cell) -> Option<f64>| {
            let cells = run
                .cells
                .iter()
                .filter(|cell| cell.case == case.name && cell.subject == kind);
            Spread::over(cells.filter_map(field)).map(|spread| spread.median)
        };
        let Some(throughput) = median(|cell| Some(cell.throughput)) else {
            continue;
        };
        let events = case.name.starts_with("sse") && !matches!(kind, Kind::Direct | Kind::Forward);
        writeln!(
            out,
            "| {} | {throughput:.0} | {} | {} | {} | {} | {} | {} | {} |",
            kind.name(),
            cell(median(|cell| Some(cell.p50_us)).map(|value| format!("{value:.0}"))),
            cell(median(|cell| Some(cell.p99_us)).map(|value| format!("{value:.0}"))),
            cell(median(|cell| cell.cpu_us).map(|value| format!("{value:.1}"))),
            cell(cpu_ratio(run, case.name, kind, Kind::Forward).map(spread)),
            cell(cpu_ratio(run, case.name, kind, Kind::Rewrite).map(spread)),
            cell(throughput_ratio(run, case.name, kind, Kind::Forward).map(spread)),
            cell(event_cost(run, case.name, kind).filter(|_| events).map(spread)),
        )?;
    }
    writeln!(out)
}

fn first_token_table(out: &mut String, run: &Run) -> std::fmt::Result {
    if run.first_tokens.is_empty() {
        return Ok(());
    }
    writeln!(out, "### Time to first token, one request in flight\n")?;
    writeln!(
        out,
        "| case | subject | p50 µs | p99 µs | p50 over direct | p99 over direct | p50 over forward | p99 over forward |"
    )?;
    writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|")?;
    for case in case::first_token() {
        for kind in SUBJECTS {
            let median = |quantile: Quantile| {
                let tokens = run.first_tokens.iter();
                let own = tokens.filter(|token| token.case == case.name && token.subject == kind);
                Spread::over(own.map(quantile)).map(|spread| spread.median)
            };
            let (p50, p99): (Quantile, Quantile) = (|token| token.p50_us, |token| token.p99_us);
            let (Some(median), Some(tail)) = (median(p50), median(p99)) else {
                continue;
            };
            let added = |base: Kind, quantile: Quantile| {
                cell(first_token_added(run, case.name, kind, base, quantile).map(wide_spread))
            };
            writeln!(
                out,
                "| {} | {} | {median:.0} | {tail:.0} | {} | {} | {} | {} |",
                case.name,
                kind.name(),
                added(Kind::Direct, p50),
                added(Kind::Direct, p99),
                added(Kind::Forward, p50),
                added(Kind::Forward, p99),
            )?;
        }
    }
    writeln!(out)
}

fn memory_table(out: &mut String, run: &Run) -> std::fmt::Result {
    writeln!(
        out,
        "### Memory\n\n| subject | process | idle MiB | peak MiB |\n|---|---|--:|--:|"
    )?;
    for memory in &run.memory {
        let mib = |kib: u64| kib as f64 / 1024.0;
        let (idle, peak) = (mib(memory.idle_kib), mib(memory.peak_kib));
        let part = match memory.part {
            Part::Server => "server",
            Part::Envoy => "Envoy",
        };
        let subject = memory.subject.name();
        writeln!(out, "| {subject} | {part} | {idle:.1} | {peak:.1} |")?;
    }
    writeln!(out)
}

fn bar_table(out: &mut String, bars: &[Bar]) -> std::fmt::Result {
    writeln!(
        out,
        "### Bars\n\n| requirement | measured | limit | aim | verdict |\n|---|--:|--:|--:|---|"
    )?;
    for bar in bars {
        let verdict = match bar.pass {
            Some(true) => "PASS",
            Some(false) => "FAIL",
            None => "not measured",
        };
        let measured = cell(
            bar.measured
                .map(|measured| format!("{} {}", spread(measured), bar.unit)),
        );
        let aim = cell(bar.aim);
        let side = match bar.bound {
            Bound::AtMost => "≤",
            Bound::AtLeast => "≥",
        };
        writeln!(
            out,
            "| {} | {measured} | {side} {} {} | {aim} | {verdict} |",
            bar.what, bar.limit, bar.unit
        )?;
    }
    Ok(())
}

/// A cell of a table; a dash where there is nothing to say.
pub fn cell(value: Option<impl Display>) -> String {
    value.map_or("–".to_owned(), |value| value.to_string())
}

/// A median and how far it spreads.
pub fn spread(spread: Spread) -> String {
    format!("{:.2} [{:.2}–{:.2}]", spread.median, spread.min, spread.max)
}

fn wide_spread(spread: Spread) -> String {
    format!("{:.0} [{:.0}–{:.0}]", spread.median, spread.min, spread.max)
}
