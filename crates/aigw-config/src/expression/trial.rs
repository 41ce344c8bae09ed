//! The evaluation of an expression before any request: with no tokens at all, and each side of its conditions by itself.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, operators};
use cel::objects::ValueType;
use cel::{Context, ExecutionError, Program, Value};

use super::{CostFailure, Inputs, context, trouble};
use crate::cost::CostInputs;

/// Evaluates `program` with text for names and 0 for counts. `Err` says what to change.
pub(super) fn run(program: &Program) -> Result<(), String> {
    let inputs = CostInputs {
        model: "dummy",
        backend: "dummy",
        route_name: "dummy",
        ..CostInputs::default()
    };
    let inputs = Inputs(&inputs);
    let context = context(&inputs);
    sides(program.expression(), &context)?;
    match program.execute(&context) {
        Ok(Value::UInt(_)) => Ok(()),
        Ok(Value::Int(0..)) => Ok(()),
        Ok(Value::Int(below)) => Err(format!(
            "gives {below} when there are no tokens; a cost is never negative: guard it, as in \
             `input_tokens > 100u ? input_tokens - 100u : 0u`"
        )),
        Ok(other) => Err(not_whole(other.type_of())),
        Err(error) => Err(advice(&error)),
    }
}

fn not_whole(kind: ValueType) -> String {
    match kind {
        ValueType::Float => "gives a double; a cost is a whole number: round it with `uint(…)`".to_owned(),
        kind => format!("gives a {}; a cost is a whole number (int or uint)", name(kind)),
    }
}

/// Operands that the trial may pass by are tried too, outside of loops: only then is every type known to fit.
fn sides(one: &IdedExpr, context: &Context<'_, '_>) -> Result<(), String> {
    match &one.expr {
        Expr::Call(call) => {
            for part in call.target.as_deref().into_iter().chain(&call.args) {
                sides(part, context)?;
            }
            conditions(call, context)
        }
        Expr::Select(select) => sides(&select.operand, context),
        Expr::List(list) => list.elements.iter().try_for_each(|part| sides(part, context)),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::StructField(field) => sides(&field.value, context),
            EntryExpr::MapEntry(entry) => {
                sides(&entry.key, context)?;
                sides(&entry.value, context)
            }
        }),
        Expr::Comprehension(looping) => sides(&looping.iter_range, context),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => Ok(()),
    }
}

fn conditions(call: &CallExpr, context: &Context<'_, '_>) -> Result<(), String> {
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::CONDITIONAL, [_, yes, no]) => {
            if let (Some(yes), Some(no)) = (kind(yes, context)?, kind(no, context)?)
                && yes != no
            {
                return Err(format!(
                    "`? :` gives {} on one side and {} on the other; make them one type (`4u` is a uint, `4` an int)",
                    yes, no
                ));
            }
            Ok(())
        }
        (operators::LOGICAL_AND | operators::LOGICAL_OR, parts) => {
            for part in parts {
                match kind(part, context)? {
                    None | Some("bool") => {}
                    Some(other) => {
                        return Err(format!("`&&` and `||` join bools, and one side is {other}"));
                    }
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The type of a part; `None` when only the numbers of the trial keep it from having one.
fn kind(one: &IdedExpr, context: &Context<'_, '_>) -> Result<Option<&'static str>, String> {
    match Value::resolve(one, context) {
        Ok(value) => Ok(Some(name(value.type_of()))),
        Err(error)
            if matches!(
                trouble(&error),
                CostFailure::Overflow | CostFailure::DivisionByZero
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(advice(&error)),
    }
}

const fn name(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Float => "double",
        ValueType::Int => "int",
        ValueType::UInt => "uint",
        ValueType::Bool => "bool",
        ValueType::String => "string",
        ValueType::Bytes => "bytes",
        ValueType::List => "list",
        ValueType::Map => "map",
        ValueType::Null => "null",
        _ => "value of another type",
    }
}

fn advice(error: &ExecutionError) -> String {
    match error {
        ExecutionError::UndeclaredReference(name) => format!("there is no function `{name}`"),
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => format!(
            "cannot {operator} {} and {}; counts are uint, so write `4u`, or convert with `int(…)`, `uint(…)` or `double(…)`",
            name(left.type_of()),
            name(right.type_of())
        ),
        _ => match trouble(error) {
            CostFailure::Overflow => "overflows when there are no tokens (a uint is never below 0): guard it, as in \
                 `input_tokens > 100u ? input_tokens - 100u : 0u`"
                .to_owned(),
            CostFailure::DivisionByZero => {
                "divides by zero when there are no tokens: guard it, as in `output_tokens > 0u ? input_tokens / output_tokens : 0u`"
                    .to_owned()
            }
            CostFailure::Type | CostFailure::Failed => {
                let text: String = error.to_string().chars().take(200).collect();
                format!("cannot be evaluated: {text}")
            }
        },
    }
}
