//! The tables of what stands behind an Envoy.

use std::fmt::Write;

use crate::bars::{cpu_ratio, throughput_ratio};
use crate::case::Case;
use crate::kind::Kind;
use crate::report::{cell, spread};
use crate::run::{Cell, Run};
use crate::statistics::Spread;

/// One case: what Envoy and the servers behind it take, apart and together.
pub fn table(out: &mut String, run: &Run, case: &Case) -> std::fmt::Result {
    let cells = |kind: Kind| {
        run.cells
            .iter()
            .filter(move |cell| cell.case == case.name && cell.subject == kind)
    };
    writeln!(out, "### {}, behind Envoy: {}\n", case.name, case.title)?;
    writeln!(
        out,
        "| subject | requests/s | p50 µs | p99 µs | CPU µs/request | Envoy's | the server's | CPU / envoy | CPU / its no-op | requests/s / two streams |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    let bases = |kind: Kind| matches!(kind, Kind::Direct | Kind::Aigw);
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| kind.behind_envoy() || bases(*kind))
    {
        let median = |field: fn(&Cell) -> Option<f64>| {
            Spread::over(cells(kind).filter_map(field)).map(|spread| spread.median)
        };
        let whole = |value: Option<f64>| cell(value.map(|value| format!("{value:.0}")));
        let tenths = |value: Option<f64>| cell(value.map(|value| format!("{value:.1}")));
        let Some(throughput) = median(|cell| Some(cell.throughput)) else {
            continue;
        };
        writeln!(
            out,
            "| {} | {throughput:.0} | {} | {} | {} | {} | {} | {} | {} | {} |",
            kind.name(),
            whole(median(|cell| Some(cell.p50_us))),
            whole(median(|cell| Some(cell.p99_us))),
            tenths(median(|cell| cell.cpu_us)),
            tenths(median(|cell| cell.envoy_cpu_us)),
            tenths(median(|cell| cell.server_cpu_us)),
            cell(cpu_ratio(run, case.name, kind, Kind::Envoy).map(spread)),
            cell(noop(kind).and_then(|noop| cpu_ratio(run, case.name, kind, noop).map(spread))),
            cell(throughput_ratio(run, case.name, kind, Kind::EnvoyNoopTwo).map(spread)),
        )?;
    }
    writeln!(out)
}

/// The subject that exchanges the same messages and does nothing of its own.
fn noop(kind: Kind) -> Option<Kind> {
    (kind == Kind::EnvoyAigwExtproc).then_some(Kind::EnvoyNoopRoute)
}
