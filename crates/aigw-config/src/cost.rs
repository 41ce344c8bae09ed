//! Costs: numbers that are worked out from what one request used, compiled so that asking for them is cheap.

use std::fmt;
use std::sync::Arc;

use crate::document::{CostSpec, CostType};
use crate::expression::{CostFailure, Expression};

/// Largest amount. Amounts travel as JSON numbers and as doubles, which are exact up to here (2⁵³ − 1).
pub const MAX_COST: u64 = (1 << 53) - 1;

/// Longest key, in bytes.
const MAX_KEY: usize = 253;

/// A number to work out for each request.
#[derive(Debug)]
pub struct Cost {
    /// The name it goes by in metadata and in the access log.
    pub key: Arc<str>,
    amount: Amount,
}

#[derive(Debug)]
enum Amount {
    Count(CostType),
    Expression(Expression),
}

/// What a cost may depend on. Counts that the upstream did not tell are 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct CostInputs<'a> {
    /// Model that the backend was asked for.
    pub model: &'a str,
    /// Name of the backend.
    pub backend: &'a str,
    /// Name of the route.
    pub route_name: &'a str,
    /// All tokens of the prompt, cached ones included.
    pub input_tokens: u64,
    /// Those read from a cache.
    pub cached_input_tokens: u64,
    /// Those written to a cache.
    pub cache_creation_input_tokens: u64,
    /// All generated tokens, reasoning included.
    pub output_tokens: u64,
    /// Input and output.
    pub total_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
}

impl Cost {
    /// The cost that `spec` describes. `Err`: the member of `spec` that is wrong, and what to do about it.
    pub(crate) fn new(spec: &CostSpec) -> Result<Self, (&'static str, String)> {
        check_key(&spec.metadata_key).map_err(|message| ("metadataKey", message))?;
        let amount = match (spec.kind, &spec.cel) {
            (CostType::Cel, None) => {
                let message = "is needed for type CEL, such as `input_tokens + output_tokens * 4u`";
                return Err(("cel", message.to_owned()));
            }
            (CostType::Cel, Some(text)) => {
                Amount::Expression(Expression::new(text).map_err(|message| ("cel", message))?)
            }
            (count, _) => Amount::Count(count),
        };
        Ok(Self {
            key: spec.metadata_key.as_str().into(),
            amount,
        })
    }

    /// The amount for one request, at most [`MAX_COST`]; a negative one is 0.
    pub fn amount(&self, inputs: &CostInputs<'_>) -> Result<u64, CostFailure> {
        let amount = match &self.amount {
            Amount::Count(CostType::InputToken) => inputs.input_tokens,
            Amount::Count(CostType::CachedInputToken) => inputs.cached_input_tokens,
            Amount::Count(CostType::CacheCreationInputToken) => inputs.cache_creation_input_tokens,
            Amount::Count(CostType::OutputToken) => inputs.output_tokens,
            Amount::Count(CostType::ReasoningToken) => inputs.reasoning_tokens,
            Amount::Count(CostType::TotalToken | CostType::Cel) => inputs.total_tokens,
            Amount::Expression(expression) => expression.evaluate(inputs)?,
        };
        Ok(amount.min(MAX_COST))
    }
}

/// `llm_total_token: TotalToken`, or the key and the expression.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.amount {
            Amount::Count(count) => write!(f, "{}: {}", self.key, count.as_str()),
            Amount::Expression(expression) => write!(f, "{}: {expression}", self.key),
        }
    }
}

/// Whether a cost can be worked out as it is written. `Err`: the member that is wrong, and what to do about it.
pub fn check_cost(spec: &CostSpec) -> Result<(), (&'static str, String)> {
    Cost::new(spec).map(drop)
}

fn check_key(key: &str) -> Result<(), String> {
    if key.is_empty() {
        Err("a key is needed, such as `llm_total_token`".to_owned())
    } else if key.len() > MAX_KEY {
        Err(format!("the key is longer than {MAX_KEY} bytes"))
    } else if key.chars().any(char::is_control) {
        Err("the key has control characters".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Origin;

    fn cel(text: &str) -> Result<Cost, String> {
        let spec = CostSpec {
            metadata_key: "k".to_owned(),
            kind: CostType::Cel,
            cel: Some(text.to_owned()),
            origin: Origin::default(),
        };
        Cost::new(&spec).map_err(|(field, message)| format!("{field}: {message}"))
    }

    const USED: CostInputs<'static> = CostInputs {
        model: "gpt-4o",
        backend: "team/openai",
        route_name: "team/chat",
        input_tokens: 1_000,
        cached_input_tokens: 400,
        cache_creation_input_tokens: 50,
        output_tokens: 30,
        total_tokens: 1_030,
        reasoning_tokens: 20,
    };

    #[test]
    fn every_type_counts_its_own_tokens() {
        let rows = [
            (CostType::InputToken, 1_000),
            (CostType::CachedInputToken, 400),
            (CostType::CacheCreationInputToken, 50),
            (CostType::OutputToken, 30),
            (CostType::TotalToken, 1_030),
            (CostType::ReasoningToken, 20),
        ];
        for (kind, expected) in rows {
            let spec = CostSpec {
                metadata_key: "k".to_owned(),
                kind,
                cel: None,
                origin: Origin::default(),
            };
            assert_eq!(Cost::new(&spec).unwrap().amount(&USED), Ok(expected), "{kind:?}");
        }
    }

    #[test]
    fn expressions_see_every_variable_in_its_type() {
        let rows = [
            ("input_tokens + output_tokens * 4u", 1_120),
            (
                "input_tokens - cached_input_tokens + cached_input_tokens / 10u",
                640,
            ),
            (
                "cache_creation_input_tokens + reasoning_tokens + total_tokens",
                1_100,
            ),
            ("uint(double(output_tokens) * 0.5)", 15),
            ("int(input_tokens)", 1_000),
            ("model == 'gpt-4o' ? 7u : 3u", 7),
            ("model.startsWith('gpt-') && backend == 'team/openai' ? 2 : 1", 2),
            ("route_name == 'team/chat' ? size(model) : 0", 6),
            ("model in ['a', 'gpt-4o'] ? 1u : 0u", 1),
            ("['gpt-*', 'gpt-4o'].exists(name, name == model) ? 1u : 0u", 1),
            ("model.matches('^gpt-[0-9]o$') ? 1u : 0u", 1),
            (
                "{'gpt-4o': 4u}[model in {'gpt-4o': 4u} ? model : 'gpt-4o'] * output_tokens",
                120,
            ),
            ("output_tokens > 0u ? input_tokens / output_tokens : 0u", 33),
            ("1u", 1),
        ];
        for (text, expected) in rows {
            let amount = cel(text).map(|cost| cost.amount(&USED));
            assert_eq!(amount, Ok(Ok(expected)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_worked_out_is_refused_with_advice() {
        let long = format!("{}1u", "1u + ".repeat(1_000));
        let deep = format!("{}1", "1+".repeat(2_000));
        let nested = format!("{}1u{}", "(".repeat(2_000), ")".repeat(2_000));
        let loops = "[1,2,3,4,5,6,7,8].exists(a, [1,2,3,4,5,6,7,8].exists(b, [1,2,3,4,5,6,7,8].exists(c, \
                     [1,2,3,4,5,6,7,8].exists(d, a + b + c + d > 40)))) ? 1 : 0";
        let patterns = "[1,2,3,4,5,6,7,8].exists(a, [1,2,3,4,5,6,7,8].exists(b, model.matches('x'))) ? 1 : 0";
        let rows = [
            ("", "cel: is not CEL: column 1"),
            ("input_tokens +", "cel: is not CEL: column 15: Syntax error"),
            (
                "input_token",
                "cel: no variable is named \"input_token\"; did you mean \"input_tokens\"?",
            ),
            (
                "user == 'x' ? 1u : 0u",
                "cel: no variable is named \"user\"; there is \"backend\"",
            ),
            (
                "model == 'never' ? tokens : 1u",
                "cel: no variable is named \"tokens\"; there is",
            ),
            ("[1].exists(x, x == y) ? 1 : 0", "cel: no variable is named \"y\""),
            (
                "input_tokens * 0.1",
                "cel: cannot mul uint and double; counts are uint, so write `4u`",
            ),
            (
                "model == 'never' ? input_tokens * 2 : 1u",
                "cel: cannot mul uint and int; counts",
            ),
            (
                "model == 'never' ? 1 : 1u",
                "cel: `? :` gives int on one side and uint on the other",
            ),
            (
                "model == 'never' ? 1.5 : 1.5",
                "cel: gives a double; a cost is a whole number: round it with `uint(…)`",
            ),
            (
                "model == 'dummy' || input_tokens ? 1 : 0",
                "cel: `&&` and `||` join bools, and one side is uint",
            ),
            (
                "model == 'never' ? max(1u, 2u) : 0u",
                "cel: there is no function `max`",
            ),
            (
                "model",
                "cel: gives a string; a cost is a whole number (int or uint)",
            ),
            ("input_tokens > 5u", "cel: gives a bool; a cost is a whole number"),
            (
                "double(input_tokens)",
                "cel: gives a double; a cost is a whole number",
            ),
            (
                "int(input_tokens) - 5",
                "cel: gives -5 when there are no tokens; a cost is never negative",
            ),
            ("uint(1) - uint(1200)", "cel: overflows when there are no tokens"),
            (
                "100u / input_tokens",
                "cel: divides by zero when there are no tokens",
            ),
            (
                "model.foo",
                "cel: cannot be evaluated: found no matching overload",
            ),
            (&long, "cel: the expression is longer than 4096 bytes"),
            (&deep, "cel: is nested more than 48 levels deep"),
            (&nested, "cel: is not CEL"),
            (loops, "cel: may take "),
            (patterns, "cel: may take "),
            (
                r"model.matches(r'\w{500}') ? 1 : 0",
                "cel: the pattern `\\w{500}` is too large",
            ),
            (
                "model.matches('(') ? 1 : 0",
                "cel: the pattern `(` is not a regular expression",
            ),
            (
                "model.matches(backend) ? 1 : 0",
                "cel: the pattern of `matches` must be written out",
            ),
        ];
        for (text, expected) in rows {
            let message = cel(text).map_or_else(|message| message, |_| "not refused".to_owned());
            assert!(message.starts_with(expected), "{text}: {message}");
        }
    }

    /// Deep ones overflow no thread's stack: not when they are compiled, and not when they are asked.
    #[test]
    fn the_deepest_expressions_fit_a_small_stack() {
        let rows = [
            format!("{}1u", "1u + ".repeat(46)),
            format!("{}1u", "model == 'x' ? 1u : ".repeat(46)),
            format!("{}1{}", "size([".repeat(23), "])".repeat(23)),
            format!("size({}'a'{})", "string(size(".repeat(22), "))".repeat(22)),
            format!("size([1]{})", ".map(x, x)".repeat(4)),
            format!("size({}[1]{})", "[1].map(x, ".repeat(10), ")".repeat(10)),
        ];
        let compiled: Vec<Cost> = rows.iter().map(|text| cel(text).unwrap()).collect();
        let asked = std::thread::Builder::new()
            .stack_size(512 << 10)
            .spawn(move || compiled.iter().map(|cost| cost.amount(&USED)).collect::<Vec<_>>())
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(asked, [Ok(47), Ok(1), Ok(1), Ok(1), Ok(1), Ok(1)]);
    }

    #[test]
    fn trouble_at_run_time_is_told_and_amounts_are_bounded() {
        let unused = CostInputs::default();
        let full = CostInputs {
            input_tokens: u64::MAX,
            ..USED
        };
        let rows = [
            (
                "input_tokens > 10u ? output_tokens - input_tokens : 0u",
                &USED,
                Err(CostFailure::Overflow),
            ),
            ("input_tokens * 2u", &full, Err(CostFailure::Overflow)),
            ("int(input_tokens)", &full, Err(CostFailure::Overflow)),
            (
                "input_tokens > 10u ? 1u / (output_tokens - 30u) : 0u",
                &USED,
                Err(CostFailure::DivisionByZero),
            ),
            (
                "model == 'dummy' ? 0 : int(output_tokens) - int(input_tokens)",
                &USED,
                Ok(0),
            ),
            ("input_tokens", &full, Ok(MAX_COST)),
            ("input_tokens", &unused, Ok(0)),
            ("{'dummy': 1u}[model]", &USED, Err(CostFailure::Failed)),
            (
                "[1, 'a'].map(x, x == 1 ? 1 : x)[model == 'dummy' ? 0 : 1]",
                &USED,
                Err(CostFailure::Type),
            ),
        ];
        for (text, inputs, expected) in rows {
            assert_eq!(cel(text).unwrap().amount(inputs), expected, "{text}");
        }
    }

    #[test]
    fn keys_are_readable_and_costs_show_themselves() {
        let spec = |key: &str, kind, cel: Option<&str>| CostSpec {
            metadata_key: key.to_owned(),
            kind,
            cel: cel.map(str::to_owned),
            origin: Origin::default(),
        };
        for key in ["", "a\nb", &"x".repeat(254)] {
            let (field, _) = check_cost(&spec(key, CostType::TotalToken, None)).unwrap_err();
            assert_eq!(field, "metadataKey", "{key:?}");
        }
        let (field, message) = check_cost(&spec("k", CostType::Cel, None)).unwrap_err();
        assert_eq!(
            (field, message.starts_with("is needed for type CEL")),
            ("cel", true)
        );
        let shown = |spec: &CostSpec| Cost::new(spec).unwrap().to_string();
        assert_eq!(shown(&spec("t", CostType::TotalToken, None)), "t: TotalToken");
        assert_eq!(
            shown(&spec("t", CostType::Cel, Some("input_tokens\n  + 1u"))),
            "t: input_tokens + 1u"
        );
    }
}
