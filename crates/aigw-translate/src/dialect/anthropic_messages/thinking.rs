//! Decides how an upstream is asked to think, within what its model takes.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/effort>

use std::borrow::Cow;

use serde_json::Number;

use super::models::{Model, ThinkingForm};
use super::write::{Object, WriteExtra};
use crate::ir::{DialectId, Losses, Reasoning, ReasoningEffort, Request, ToolChoice};

/// The vendor's smallest budget.
const MIN_BUDGET: u64 = 1_024;

/// The budget that stands for an effort where the model knows budgets only; doubling from the vendor's smallest to the 32,000
/// from which its documentation sees little gain.
fn budget_of(effort: Option<&ReasoningEffort>) -> u64 {
    match effort {
        Some(ReasoningEffort::Minimal) => MIN_BUDGET,
        Some(ReasoningEffort::Low) => 4_096,
        Some(ReasoningEffort::High) => 16_384,
        Some(ReasoningEffort::XHigh | ReasoningEffort::Max) => 32_000,
        _ => 8_192,
    }
}

/// What `thinking` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Nothing: the model's default.
    Absent,
    /// A type that turns thinking off, or one that is not known here (which stands in the source's other members).
    Other(Option<&'static str>),
    /// `enabled` with a budget.
    Budget(u64),
    /// `adaptive`.
    Adaptive,
}

/// What is asked.
#[derive(Debug, PartialEq)]
pub(super) struct Plan<'a> {
    form: Form,
    /// `output_config.effort`.
    pub effort: Option<Cow<'a, str>>,
    /// `max_tokens`, which the vendor requires.
    pub max_tokens: u64,
}

impl<'a> Plan<'a> {
    /// Decides. `broken_loop`: the last assistant turn calls tools without having shown its thinking, which the vendor refuses
    /// while a budget is set.
    pub(super) fn new(request: &'a Request, model: &Model, broken_loop: bool, losses: &mut Losses) -> Self {
        let none = Reasoning::default();
        let reasoning = request.reasoning.as_ref().unwrap_or(&none);
        let mut form = form(request, reasoning, model, losses);
        let forced = matches!(
            request.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Tool(_))
        );
        let refused = match form {
            Form::Budget(_) => forced || broken_loop,
            Form::Adaptive => forced,
            Form::Absent | Form::Other(_) => false,
        };
        if refused {
            losses.report_named(request.names.reasoning);
            form = Form::Absent;
        }
        let (form, max_tokens) = limits(form, request, reasoning, model, losses);
        Self {
            effort: request
                .reasoning
                .as_ref()
                .and_then(|reasoning| effort(request, reasoning, form, model, losses)),
            form,
            max_tokens,
        }
    }

    /// Thinking is on.
    pub(super) fn on(&self) -> bool {
        matches!(self.form, Form::Budget(_) | Form::Adaptive)
    }

    /// While thinking is on, temperature is 1, `top_k` is not taken and `top_p` is at least 0.95.
    pub(super) fn takes(&self, member: &str, number: &Number) -> bool {
        let number = number.as_f64().unwrap_or_default();
        match member {
            _ if !self.on() => true,
            "temperature" => number == 1.0,
            "top_p" => number >= 0.95,
            _ => false,
        }
    }

    /// Writes `thinking`.
    pub(super) fn write(&self, object: &mut Object<'_>, reasoning: Option<&Reasoning>) {
        if self.form == Form::Absent {
            return;
        }
        let mut inner = Object::open(object.key("thinking"));
        match self.form {
            Form::Absent | Form::Other(None) => {}
            Form::Other(Some(kind)) => inner.member("type", kind),
            Form::Adaptive => inner.member("type", "adaptive"),
            Form::Budget(budget) => {
                inner.member("type", "enabled");
                inner.member("budget_tokens", &budget);
            }
        }
        if let Some(reasoning) = reasoning {
            let display = reasoning.display.as_deref().filter(|_| self.on());
            inner.optional("display", display.and_then(display_word).as_ref());
            inner.extra(&reasoning.extra, &[]);
        }
        inner.close();
    }
}

/// The vendor shows a summary or nothing; other vendors have several lengths of summary.
fn display_word(word: &str) -> Option<&str> {
    match word {
        "summarized" | "omitted" => Some(word),
        "auto" | "concise" | "detailed" => Some("summarized"),
        _ => None,
    }
}

fn ours(request: &Request) -> bool {
    request.names.dialect == DialectId::AnthropicMessages
}

fn form(request: &Request, reasoning: &Reasoning, model: &Model, losses: &mut Losses) -> Form {
    if reasoning
        .display
        .as_deref()
        .is_some_and(|word| display_word(word).is_none())
    {
        losses.report_named(request.names.reasoning);
    }
    let effort_asks = match reasoning.effort {
        None => None,
        Some(ReasoningEffort::None) => Some(false),
        // This vendor's own effort asks for care in all that is written, not for thinking.
        Some(_) => (!ours(request)).then_some(true),
    };
    match reasoning.enabled.or(effort_asks) {
        None if reasoning.adaptive || reasoning.budget.is_some() => on(request, reasoning, model, losses),
        None if reasoning
            .extra
            .find(DialectId::AnthropicMessages, "type")
            .is_some() =>
        {
            Form::Other(None)
        }
        None => Form::Absent,
        Some(true) => on(request, reasoning, model, losses),
        Some(false) => match model.thinking_off {
            _ if model.thinking == ThinkingForm::Unsupported => Form::Absent,
            Some(kind) => Form::Other(Some(kind)),
            None => {
                losses.report_named(request.names.reasoning);
                Form::Absent
            }
        },
    }
}

fn on(request: &Request, reasoning: &Reasoning, model: &Model, losses: &mut Losses) -> Form {
    let budget = Form::Budget(
        reasoning
            .budget
            .unwrap_or_else(|| budget_of(reasoning.effort.as_ref())),
    );
    let (form, lost) = match model.thinking {
        ThinkingForm::Unsupported => (Form::Absent, true),
        ThinkingForm::Budget => (budget, reasoning.adaptive && model.mid_system.is_some()),
        ThinkingForm::Either if reasoning.budget.is_some() => (budget, false),
        ThinkingForm::Either => (Form::Adaptive, false),
        ThinkingForm::Adaptive => (Form::Adaptive, reasoning.budget.is_some()),
    };
    if lost {
        losses.report_named(request.names.reasoning);
    }
    // A model that is not known may be one that knows `adaptive`, when the client asks for it in this dialect's word.
    if reasoning.adaptive && model.mid_system.is_none() {
        return Form::Adaptive;
    }
    form
}

/// Makes budget and `max_tokens` fit: the budget is at least 1,024 and less than `max_tokens`. A budget that only stands for an
/// effort gives way first; what remains too small is raised.
fn limits(
    form: Form,
    request: &Request,
    reasoning: &Reasoning,
    model: &Model,
    losses: &mut Losses,
) -> (Form, u64) {
    let asked = request.max_output_tokens;
    let Form::Budget(budget) = form else {
        return (form, asked.unwrap_or(model.default_max_tokens));
    };
    let raised = budget.max(MIN_BUDGET);
    if raised != budget {
        losses.report_named(request.names.reasoning);
    }
    let Some(limit) = asked else {
        // The room for the answer itself is what it is without thinking, where the model's own limit is not in the way.
        let room = model.default_max_tokens.max(raised.saturating_add(MIN_BUDGET));
        return (Form::Budget(raised), room);
    };
    if raised < limit {
        return (Form::Budget(raised), limit);
    }
    if reasoning.budget.is_none() && limit >= 2 * MIN_BUDGET {
        return (Form::Budget(limit - MIN_BUDGET), limit);
    }
    losses.report_named(request.names.max_output_tokens);
    let budget = if reasoning.budget.is_none() {
        MIN_BUDGET
    } else {
        raised
    };
    (Form::Budget(budget), budget.saturating_add(limit))
}

fn effort<'a>(
    request: &Request,
    reasoning: &'a Reasoning,
    form: Form,
    model: &Model,
    losses: &mut Losses,
) -> Option<Cow<'a, str>> {
    let effort = reasoning.effort.as_ref()?;
    if !ours(request) && form != Form::Adaptive {
        return None;
    }
    if let ReasoningEffort::Other(word) = effort
        && ours(request)
    {
        return Some(Cow::Borrowed(word));
    }
    let unknown = model.mid_system.is_none() && ours(request);
    let (word, exact) = match model.effort(effort) {
        Some(said) => said,
        None if unknown => (own_word(effort)?, true),
        None => {
            losses.report_named(request.names.effort);
            return None;
        }
    };
    // The highest efforts are refused where thinking is off.
    let off = matches!(form, Form::Other(Some(_)));
    let word = if off && matches!(word, "xhigh" | "max") {
        "high"
    } else {
        word
    };
    if !exact || own_word(effort) != Some(word) {
        losses.report_named(request.names.effort);
    }
    Some(Cow::Borrowed(word))
}

fn own_word(effort: &ReasoningEffort) -> Option<&'static str> {
    match effort {
        ReasoningEffort::Low => Some("low"),
        ReasoningEffort::Medium => Some("medium"),
        ReasoningEffort::High => Some("high"),
        ReasoningEffort::XHigh => Some("xhigh"),
        ReasoningEffort::Max => Some("max"),
        ReasoningEffort::None | ReasoningEffort::Minimal | ReasoningEffort::Other(_) => None,
    }
}
