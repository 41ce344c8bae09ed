//! What can be said about an expression without evaluating it: its variables exist, and it is neither too deep nor too long.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use regex::RegexBuilder;

use super::VARIABLES;
use crate::compile::unknown;

/// Deepest nesting. Evaluation recurses, on stacks of 2 MiB.
const MAX_DEPTH: usize = 48;

/// Steps of one evaluation at most.
const MAX_STEPS: u64 = 50_000;

/// Rounds of a loop over something other than a list written out: as many as elements that an expression has room for.
const UNKNOWN_LENGTH: u64 = 2_048;

/// Largest pattern of `matches`, compiled, in bytes.
const MAX_PATTERN: usize = 128 << 10;

/// What a pattern counts for: it takes 10 to 500 µs, and a step 80 ns.
const PATTERN_STEPS: u64 = 1_000;

/// Names of types, which are values too.
const TYPES: [&str; 11] = [
    "bool",
    "bytes",
    "double",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// Checks `expression`; `Err` says what to change.
pub(super) fn survey(expression: &IdedExpr) -> Result<(), String> {
    let steps = Survey::default().steps(expression, 1)?;
    if steps > MAX_STEPS {
        return Err(format!(
            "may take {steps} steps for one request, and {MAX_STEPS} are allowed; loop over less"
        ));
    }
    Ok(())
}

/// The variables of the loops around.
#[derive(Default)]
struct Survey<'e> {
    bound: Vec<&'e str>,
}

impl<'e> Survey<'e> {
    /// Steps that evaluating `one` takes at most.
    fn steps(&mut self, one: &'e IdedExpr, depth: usize) -> Result<u64, String> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "is nested more than {MAX_DEPTH} levels deep; make it flatter"
            ));
        }
        let below = match &one.expr {
            Expr::Unspecified | Expr::Literal(_) => 0,
            Expr::Ident(name) => {
                self.check_variable(name)?;
                0
            }
            Expr::Call(call) => {
                let own = match call.func_name.as_str() {
                    "matches" => {
                        check_pattern(call)?;
                        PATTERN_STEPS
                    }
                    _ => 0,
                };
                let parts = call.target.as_deref().into_iter().chain(&call.args);
                self.sum(parts, depth)?.saturating_add(own)
            }
            Expr::Select(select) => self.steps(&select.operand, depth + 1)?,
            Expr::List(list) => self.sum(&list.elements, depth)?,
            Expr::Map(map) => self.sum(map.entries.iter().flat_map(|entry| values(&entry.expr)), depth)?,
            Expr::Struct(made) => {
                self.sum(made.entries.iter().flat_map(|entry| values(&entry.expr)), depth)?
            }
            Expr::Comprehension(looping) => {
                let before = self.sum([&looping.iter_range, &looping.accu_init], depth)?;
                let outside = self.bound.len();
                self.bound.push(&looping.accu_var);
                let after = self.steps(&looping.result, depth + 1)?;
                self.bound.push(&looping.iter_var);
                self.bound.extend(looping.iter_var2.as_deref());
                let inside = self.sum([&looping.loop_cond, &looping.loop_step], depth)?;
                self.bound.truncate(outside);
                let rounds = match &looping.iter_range.expr {
                    Expr::List(list) => u64::try_from(list.elements.len()).unwrap_or(u64::MAX),
                    Expr::Map(map) => u64::try_from(map.entries.len()).unwrap_or(u64::MAX),
                    _ => UNKNOWN_LENGTH,
                };
                before
                    .saturating_add(after)
                    .saturating_add(inside.saturating_mul(rounds))
            }
        };
        Ok(below.saturating_add(1))
    }

    fn sum(&mut self, parts: impl IntoIterator<Item = &'e IdedExpr>, depth: usize) -> Result<u64, String> {
        parts.into_iter().try_fold(0_u64, |sum, part| {
            Ok(sum.saturating_add(self.steps(part, depth + 1)?))
        })
    }

    fn check_variable(&self, name: &str) -> Result<(), String> {
        let known = name.starts_with('@')
            || self.bound.contains(&name)
            || VARIABLES.contains(&name)
            || TYPES.contains(&name);
        if known {
            return Ok(());
        }
        Err(unknown("variable", name, VARIABLES))
    }
}

/// The interpreter compiles a pattern each time it is asked, so one that takes long to compile is refused, and so is one that
/// cannot be seen here.
fn check_pattern(call: &CallExpr) -> Result<(), String> {
    let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.last().map(|pattern| &pattern.expr)
    else {
        return Err(
            "the pattern of `matches` must be written out, as in `model.matches('^gpt-4')`".to_owned(),
        );
    };
    let pattern = pattern.inner();
    match RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build() {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(_)) => Err(format!(
            "the pattern `{pattern}` is too large; repeat less, and write `[a-z]` or `[0-9]` in place of `\\w` or `\\d`"
        )),
        Err(_) => Err(format!("the pattern `{pattern}` is not a regular expression")),
    }
}

fn values(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}
