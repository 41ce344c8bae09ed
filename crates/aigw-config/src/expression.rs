//! CEL expressions over what one request used: checked when they are compiled, so that little is left to fail when they are
//! asked.
//!
//! Language: <https://github.com/google/cel-spec/blob/master/doc/langdef.md>. The interpreter has types at run time only and
//! no limit of its own, so both are added here: every branch is tried once, and depth and steps are bounded beforehand.

mod survey;
mod trial;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::thread;

use cel::common::types::{CelString, CelUInt};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Program, Value};

use crate::cost::CostInputs;

/// Longest expression, in bytes.
const MAX_LENGTH: usize = 4_096;

/// Enough for the parser, whose recursion is bounded by the length alone.
const PARSER_STACK: usize = 128 << 20;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A compiled expression that gives a whole number.
pub(crate) struct Expression {
    program: Program,
    text: String,
}

/// Why an expression gave nothing for a request, in one word that is no secret and that no client can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CostFailure {
    /// A number became larger than its type holds, or negative where it cannot be.
    Overflow,
    /// Division or remainder by zero.
    DivisionByZero,
    /// Operators or functions met types that they do not take, or the result is no whole number.
    Type,
    /// Anything else.
    Failed,
}

impl CostFailure {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overflow => "overflow",
            Self::DivisionByZero => "division_by_zero",
            Self::Type => "wrong_type",
            Self::Failed => "failed",
        }
    }
}

impl Expression {
    /// Parses `text` and tries it. `Err` says what to change.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("the expression is longer than {MAX_LENGTH} bytes"));
        }
        let program = on_large_stack(|| {
            let program = ENV.compile(text).map_err(|errors| unreadable(&errors))?;
            survey::survey(program.expression())?;
            Ok(program)
        })?;
        let expression = Self {
            program,
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        guarded(|| trial::run(&expression.program))
            .unwrap_or_else(|| Err("cannot be evaluated".to_owned()))?;
        Ok(expression)
    }

    /// The result for one request; a negative one is 0.
    pub(crate) fn evaluate(&self, inputs: &CostInputs<'_>) -> Result<u64, CostFailure> {
        let inputs = Inputs(inputs);
        // A request must not be lost over a defect in the interpreter.
        match guarded(|| self.program.execute(&context(&inputs))) {
            Some(Ok(Value::UInt(amount))) => Ok(amount),
            Some(Ok(Value::Int(amount))) => Ok(u64::try_from(amount).unwrap_or(0)),
            Some(Ok(_)) => Err(CostFailure::Type),
            Some(Err(error)) => Err(trouble(&error)),
            None => Err(CostFailure::Failed),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The variables of one request, handed to the interpreter as it asks for them.
struct Inputs<'a>(&'a CostInputs<'a>);

/// All variables there are.
const VARIABLES: [&str; 9] = [
    "model",
    "backend",
    "route_name",
    "input_tokens",
    "cached_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
    "total_tokens",
    "reasoning_tokens",
];

impl VariableResolver for Inputs<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let inputs = self.0;
        let count = |count: u64| Some(CowVal::owned(CelUInt::from(count)));
        let text = |text: &'b str| Some(CowVal::owned(CelString::from(text)));
        match variable {
            "model" => text(inputs.model),
            "backend" => text(inputs.backend),
            "route_name" => text(inputs.route_name),
            "input_tokens" => count(inputs.input_tokens),
            "cached_input_tokens" => count(inputs.cached_input_tokens),
            "cache_creation_input_tokens" => count(inputs.cache_creation_input_tokens),
            "output_tokens" => count(inputs.output_tokens),
            "total_tokens" => count(inputs.total_tokens),
            "reasoning_tokens" => count(inputs.reasoning_tokens),
            _ => None,
        }
    }
}

fn context<'v>(inputs: &'v Inputs<'v>) -> Context<'v, 'v> {
    let mut context = Context::with_env(Arc::clone(&ENV));
    context.set_variable_resolver(inputs);
    context
}

/// The result, or `None` when the interpreter panicked.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

fn on_large_stack<T: Send>(call: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let spawned = thread::Builder::new()
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, call);
        let thread = spawned.map_err(|error| format!("cannot be parsed: {error}"))?;
        thread
            .join()
            .unwrap_or_else(|_| Err("cannot be parsed; write it in a simpler way".to_owned()))
    })
}

fn unreadable(errors: &cel::ParseErrors) -> String {
    let Some(first) = errors.errors.first() else {
        return "is not CEL".to_owned();
    };
    let message = first.msg.split(" expecting ").next().unwrap_or_default();
    let message: String = message
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(160)
        .collect();
    let (line, column) = first.pos;
    let place = match line {
        ..=1 => format!("column {}", column.max(1)),
        line => format!("line {line} of it, column {}", column.max(1)),
    };
    format!("is not CEL: {place}: {message}")
}

fn trouble(error: &ExecutionError) -> CostFailure {
    match error {
        ExecutionError::Overflow(..) => CostFailure::Overflow,
        ExecutionError::FunctionError { message, .. } if message.contains("overflow") => {
            CostFailure::Overflow
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => CostFailure::DivisionByZero,
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedTargetType { .. }
        | ExecutionError::NotSupportedAsMethod { .. }
        | ExecutionError::InvalidArgumentCount { .. }
        | ExecutionError::MissingArgumentOrTarget
        | ExecutionError::UndeclaredReference(_)
        | ExecutionError::UnsupportedIndex(..)
        | ExecutionError::UnsupportedKeyType(_) => CostFailure::Type,
        _ => CostFailure::Failed,
    }
}
