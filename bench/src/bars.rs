//! The bars the gateway has to meet, judged on medians over rounds.

use serde::Serialize;

use crate::case;
use crate::envoy_bars;
use crate::kind::{Group, Kind};
use crate::payload::EVENTS;
use crate::run::{Cell, FirstToken, Run};
use crate::statistics::{Spread, ratio};

/// One requirement and what was measured of it.
#[derive(Debug, Clone, Serialize)]
pub struct Bar {
    /// What is judged.
    pub what: String,
    /// In which unit.
    pub unit: &'static str,
    /// The measured median and its spread over rounds; `None` where it was not measured.
    pub measured: Option<Spread>,
    /// On which side of the limit the median has to be.
    pub bound: Bound,
    /// The median may be at most, or has to be at least, this.
    pub limit: f64,
    /// What it should be.
    pub aim: Option<f64>,
    /// `None` where it was not measured.
    pub pass: Option<bool>,
}

/// On which side of a limit something has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Not above it.
    AtMost,
    /// Not below it.
    AtLeast,
}

impl Bar {
    /// At most `limit`.
    pub fn new(
        what: String,
        unit: &'static str,
        measured: Option<Spread>,
        limit: f64,
        aim: Option<f64>,
    ) -> Self {
        Self {
            what,
            unit,
            measured,
            bound: Bound::AtMost,
            limit,
            aim,
            pass: measured.map(|spread| spread.median <= limit),
        }
    }

    /// At least `limit`.
    pub fn at_least(
        what: String,
        unit: &'static str,
        measured: Option<Spread>,
        limit: f64,
        aim: Option<f64>,
    ) -> Self {
        Self {
            bound: Bound::AtLeast,
            pass: measured.map(|spread| spread.median >= limit),
            ..Self::new(what, unit, measured, limit, aim)
        }
    }
}

/// Judges a run of these groups.
pub fn judge(run: &Run, groups: &[Group]) -> Vec<Bar> {
    let mut bars = Vec::new();
    if groups.contains(&Group::Native) {
        bars.extend(native(run));
    }
    if groups.contains(&Group::Envoy) {
        bars.extend(envoy_bars::judge(run));
    }
    bars
}

fn native(run: &Run) -> Vec<Bar> {
    let mut bars = Vec::new();
    for name in [case::CHAT_1K, case::CHAT_16K, case::SSE] {
        let measured = cpu_ratio(run, name, Kind::Aigw, Kind::Forward);
        bars.push(Bar::new(
            format!("{name}: CPU over forward"),
            "×",
            measured,
            1.5,
            Some(1.25),
        ));
    }
    for name in [case::CHAT_TRANSLATED, case::SSE_TRANSLATED] {
        let measured = cpu_ratio(run, name, Kind::Aigw, Kind::Rewrite);
        bars.push(Bar::new(
            format!("{name}: CPU over rewrite"),
            "×",
            measured,
            2.0,
            Some(1.6),
        ));
    }
    for name in [case::SSE_TRANSLATED, case::SSE_TRANSLATED_BURST] {
        let what = format!("{name}: CPU over forward, an event");
        bars.push(Bar::new(what, "µs", event_cost(run, name, Kind::Aigw), 5.0, None));
    }
    for name in [case::FIRST_TOKEN, case::FIRST_TOKEN_TRANSLATED] {
        let p99 = first_token_added(run, name, Kind::Aigw, Kind::Direct, |token| token.p99_us);
        bars.push(Bar::new(
            format!("{name}: what is added over direct, p50, over what forward adds"),
            "×",
            first_token_ratio(run, name),
            2.0,
            Some(1.5),
        ));
        bars.push(Bar::new(
            format!("{name}: over direct, p99"),
            "µs",
            p99,
            300.0,
            None,
        ));
    }
    let idle = run.memory.iter().filter(|memory| memory.subject == Kind::Aigw);
    let idle = Spread::over(idle.map(|memory| memory.idle_kib as f64 / 1024.0));
    bars.push(Bar::new("idle memory".to_owned(), "MiB", idle, 20.0, Some(15.0)));
    bars
}

/// CPU time a request of one subject over another's, round by round.
pub fn cpu_ratio(run: &Run, case: &str, subject: Kind, base: Kind) -> Option<Spread> {
    Spread::over(pairs(run, case, subject, base).filter_map(|(a, b)| ratio(a.cpu_us, b.cpu_us)))
}

/// Throughput of one subject over another's, round by round.
pub fn throughput_ratio(run: &Run, case: &str, subject: Kind, base: Kind) -> Option<Spread> {
    let ratio = |(a, b): (&Cell, &Cell)| ratio(Some(a.throughput), Some(b.throughput));
    Spread::over(pairs(run, case, subject, base).filter_map(ratio))
}

/// CPU time that a subject spends on one event beyond what `forward` does on the same stream, microseconds.
pub fn event_cost(run: &Run, case: &str, subject: Kind) -> Option<Spread> {
    let cost = |(a, b): (&Cell, &Cell)| Some((a.cpu_us? - b.cpu_us?) / EVENTS as f64);
    Spread::over(pairs(run, case, subject, Kind::Forward).filter_map(cost))
}

/// What a subject adds to a quantile of the time to first token beyond a base, round by round, microseconds.
pub fn first_token_added(
    run: &Run,
    case: &str,
    subject: Kind,
    base: Kind,
    quantile: impl Fn(&FirstToken) -> f64,
) -> Option<Spread> {
    let added = |token: &FirstToken| {
        let base = first_tokens(run, case, base).find(|base| base.round == token.round)?;
        Some(quantile(token) - quantile(base))
    };
    Spread::over(first_tokens(run, case, subject).filter_map(added))
}

/// What was measured of a subject, a round each.
fn first_tokens<'a>(run: &'a Run, case: &'a str, subject: Kind) -> impl Iterator<Item = &'a FirstToken> {
    let all = run.first_tokens.iter();
    all.filter(move |token| token.case == case && token.subject == subject)
}

/// What the gateway adds to the median time to first token over what `forward` adds, round by round (`docs/adr/0006-first-token.md`).
fn first_token_ratio(run: &Run, case: &str) -> Option<Spread> {
    let of = |kind: Kind, round: u32| first_tokens(run, case, kind).find(|token| token.round == round);
    Spread::over(first_tokens(run, case, Kind::Aigw).filter_map(|token| {
        let direct = of(Kind::Direct, token.round)?.p50_us;
        let forward = of(Kind::Forward, token.round)?.p50_us - direct;
        let forward = (forward > 0.0).then_some(forward);
        ratio(Some(token.p50_us - direct), forward)
    }))
}

/// The slices of one subject, each with that of another one in the same round.
pub fn pairs<'a>(
    run: &'a Run,
    case: &'a str,
    subject: Kind,
    base: Kind,
) -> impl Iterator<Item = (&'a Cell, &'a Cell)> {
    let of = move |kind: Kind| {
        run.cells
            .iter()
            .filter(move |cell| cell.case == case && cell.subject == kind)
    };
    of(subject).filter_map(move |cell| Some((cell, of(base).find(|base| base.round == cell.round)?)))
}

#[cfg(test)]
mod tests {
    use super::{event_cost, first_token_added, judge};
    use crate::case;
    use crate::kind::{Group, Kind};
    use crate::run::{Cell, FirstToken, Footprint, Run, sample};
    use crate::statistics::Spread;
    use crate::subject::Part;

    fn cell(case: &'static str, subject: Kind, round: u32, cpu_us: f64) -> Cell {
        sample::cell(case, subject, round, (cpu_us, 1.0))
    }

    fn run(cells: Vec<Cell>) -> Run {
        let token = |subject, round, p50_us| FirstToken {
            case: case::FIRST_TOKEN,
            subject,
            round,
            p50_us,
            p99_us: 900.0,
        };
        Run {
            first_tokens: vec![
                token(Kind::Direct, 0, 100.0),
                token(Kind::Direct, 1, 200.0),
                token(Kind::Forward, 0, 150.0),
                token(Kind::Forward, 1, 240.0),
                token(Kind::Aigw, 1, 280.0),
                token(Kind::Aigw, 0, 190.0),
            ],
            memory: vec![Footprint {
                subject: Kind::Aigw,
                part: Part::Server,
                idle_kib: 21 * 1024,
                peak_kib: 0,
            }],
            ..sample::run(cells)
        }
    }

    fn verdict(run: &Run, what: &str) -> (Option<f64>, Option<bool>) {
        let bars = judge(run, &[Group::Native]);
        let bar = bars.iter().find(|bar| bar.what == what).unwrap();
        (bar.measured.map(|spread| spread.median), bar.pass)
    }

    #[test]
    fn ratios_are_taken_within_a_round_and_the_median_is_judged() {
        let forward = [10.0, 20.0, 40.0].into_iter().enumerate();
        let forward = forward.map(|(n, cpu)| cell(case::CHAT_1K, Kind::Forward, n as u32, cpu));
        let aigw = [14.0, 32.0, 48.0].into_iter().enumerate();
        let aigw = aigw.map(|(n, cpu)| cell(case::CHAT_1K, Kind::Aigw, n as u32, cpu));
        let run = run(forward.chain(aigw).collect());
        assert_eq!(
            verdict(&run, "chat-1k: CPU over forward"),
            (Some(1.4), Some(true))
        );
        assert_eq!(verdict(&run, "chat-16k: CPU over forward"), (None, None));
        assert_eq!(verdict(&run, "idle memory"), (Some(21.0), Some(false)));
    }

    #[test]
    fn an_event_costs_the_difference_to_forward_over_64() {
        let run = run(vec![
            cell(case::SSE_TRANSLATED, Kind::Forward, 0, 100.0),
            cell(case::SSE_TRANSLATED, Kind::Aigw, 0, 740.0),
        ]);
        let cost = event_cost(&run, case::SSE_TRANSLATED, Kind::Aigw);
        assert_eq!(
            cost,
            Some(Spread {
                median: 10.0,
                min: 10.0,
                max: 10.0
            })
        );
        assert_eq!(
            verdict(&run, "sse-64-translated: CPU over forward, an event"),
            (Some(10.0), Some(false))
        );
    }

    #[test]
    fn first_token_is_compared_with_direct_of_the_same_round() {
        let run = run(Vec::new());
        let added = first_token_added(&run, case::FIRST_TOKEN, Kind::Aigw, Kind::Direct, |token| {
            token.p50_us
        });
        assert_eq!(
            added,
            Some(Spread {
                median: 85.0,
                min: 80.0,
                max: 90.0
            })
        );
        assert_eq!(
            verdict(
                &run,
                "first-token: what is added over direct, p50, over what forward adds"
            ),
            (Some(1.9), Some(true))
        );
    }
}
