//! The bars for the gateway behind an Envoy, judged on medians over rounds.

use crate::bars::{Bar, cpu_ratio, pairs, throughput_ratio};
use crate::case;
use crate::kind::Kind;
use crate::run::{Cell, Run};
use crate::statistics::Spread;

/// The way that a pass-through of which usage is counted takes by default.
const PASS_THROUGH: Kind = Kind::EnvoyAigwLocal;

/// Judges what stands behind an Envoy.
pub fn judge(run: &Run) -> Vec<Bar> {
    let mut bars = Vec::new();
    for name in [case::CHAT_1K, case::CHAT_16K, case::SSE] {
        bars.push(at_most(
            format!("{name}: CPU of the local hop over Envoy alone"),
            cpu_ratio(run, name, Kind::EnvoyAigwLocal, Kind::Envoy),
            2.0,
        ));
    }
    for name in [case::CHAT_1K, case::CHAT_16K] {
        bars.push(at_most(
            format!("{name}: CPU of the processor over the one that only routes, observed"),
            cpu_ratio(run, name, Kind::EnvoyAigwExtproc, Kind::EnvoyNoopRoute),
            1.1,
        ));
    }
    bars.push(at_most(
        format!(
            "{}: the same, translated, less the translation",
            case::CHAT_TRANSLATED
        ),
        translated_over_noop(run),
        1.1,
    ));
    let name = case::CHAT_1K;
    bars.push(at_most(
        format!(
            "{name}: CPU of a pass-through ({}) over Envoy alone",
            PASS_THROUGH.name()
        ),
        cpu_ratio(run, name, PASS_THROUGH, Kind::Envoy),
        3.0,
    ));
    bars.push(Bar::at_least(
        format!(
            "{name}: requests/s of a pass-through ({}) over two streams",
            PASS_THROUGH.name()
        ),
        "×",
        throughput_ratio(run, name, PASS_THROUGH, Kind::EnvoyNoopTwo),
        1.7,
        Some(2.0),
    ));
    bars
}

fn at_most(what: String, measured: Option<Spread>, limit: f64) -> Bar {
    Bar::new(what, "×", measured, limit, None)
}

/// What the translation costs in the native host: a translated request's CPU time less a passed-through one's, microseconds.
pub fn translation(run: &Run, round: u32) -> Option<f64> {
    let native = |case: &str| {
        let mut cells = run.cells.iter();
        let cell = cells.find(|cell| cell.case == case && cell.subject == Kind::Aigw && cell.round == round);
        cell.and_then(|cell| cell.cpu_us)
    };
    Some(native(case::CHAT_TRANSLATED)? - native(case::CHAT_1K)?)
}

/// CPU time of a translated request, less the translation, over that of the processor that does nothing.
fn translated_over_noop(run: &Run) -> Option<Spread> {
    let slices = pairs(
        run,
        case::CHAT_TRANSLATED,
        Kind::EnvoyAigwExtproc,
        Kind::EnvoyNoopRoute,
    );
    let ratio =
        |(own, noop): (&Cell, &Cell)| Some((own.cpu_us? - translation(run, own.round)?) / noop.cpu_us?);
    Spread::over(slices.filter_map(ratio))
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::case;
    use crate::kind::Kind;
    use crate::run::sample::{cell, run};

    /// Verdicts on the bars whose text holds `part`.
    fn verdicts(cells: Vec<crate::run::Cell>, part: &str) -> Vec<Option<bool>> {
        let bars = judge(&run(cells));
        let bars = bars.iter().filter(|bar| bar.what.contains(part));
        bars.map(|bar| bar.pass).collect()
    }

    #[test]
    fn a_translation_may_cost_what_it_costs_in_the_native_host() {
        let cells = |translated: f64| {
            vec![
                cell(case::CHAT_1K, Kind::Aigw, 0, (20.0, 1.0)),
                cell(case::CHAT_TRANSLATED, Kind::Aigw, 0, (30.0, 1.0)),
                cell(case::CHAT_TRANSLATED, Kind::EnvoyNoopRoute, 0, (100.0, 1.0)),
                cell(
                    case::CHAT_TRANSLATED,
                    Kind::EnvoyAigwExtproc,
                    0,
                    (translated, 1.0),
                ),
            ]
        };
        assert_eq!(verdicts(cells(119.0), "less the translation"), [Some(true)]);
        assert_eq!(verdicts(cells(121.0), "less the translation"), [Some(false)]);
    }

    #[test]
    fn throughput_has_to_be_at_least_its_limit() {
        let cells = |throughput: f64| {
            vec![
                cell(case::CHAT_1K, Kind::EnvoyNoopTwo, 0, (1.0, 100.0)),
                cell(case::CHAT_1K, Kind::EnvoyAigwLocal, 0, (1.0, throughput)),
            ]
        };
        assert_eq!(verdicts(cells(180.0), "over two streams"), [Some(true)]);
        assert_eq!(verdicts(cells(160.0), "over two streams"), [Some(false)]);
        assert_eq!(verdicts(Vec::new(), "over two streams"), [None]);
    }
}
