//! The parameters of a message beside its messages and tools, with the rules of thinking
//! (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>) and of model generations
//! (<https://docs.anthropic.com/en/docs/build-with-claude/adaptive-thinking>).

use serde_json::Value;

use super::check::{self, bad};
use super::schema;
use crate::call::Call;
use crate::content::Choice;
use crate::error::{Checked, Refusal};

const KNOWN: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user_profile_id",
];

/// Members of other dialects: here they can only be a wrong translation.
const FOREIGN: &[&str] = &[
    "anthropic_version",
    "anthropic_beta",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
    "stop",
    "max_completion_tokens",
    "response_format",
    "seed",
    "stream_options",
    "parallel_tool_calls",
    "reasoning_effort",
    "reasoning",
    "user",
    "functions",
    "function_call",
    "modalities",
    "store",
    "prompt_cache_key",
    "verbosity",
    "contents",
    "generationConfig",
    "inferenceConfig",
];

/// What the parameters say.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub max_tokens: u64,
    pub stop: Vec<String>,
    pub thinking: Option<Thinking>,
    pub schema: Option<Value>,
    pub stream: bool,
}

/// How the model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thinking {
    /// With a budget, not adaptively.
    pub manual: bool,
    /// The text is left out, the signature is not.
    pub omitted: bool,
}

/// The rules that came with generations of models, by the numbers in the name, and with versions of the API
/// (<https://platform.claude.com/docs/en/api/versioning>). Names without numbers have the rules of 4.5, the last
/// generation that takes every older parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    model: (u32, u32),
    opus: bool,
    named: bool,
    /// API version 2026-10-21: no sampling parameters, no documents of the assistant, no citations of the user.
    pub api_2026: bool,
}

impl Rules {
    pub(crate) fn of(model: &str, api_version: Option<&str>) -> Self {
        // Dates have more digits than versions.
        let parts = model.split(['-', '@', '.']).filter(|part| part.len() <= 2);
        let numbers: Vec<u32> = parts.filter_map(|part| part.parse().ok()).collect();
        let named = model.contains("claude") && !numbers.is_empty();
        let number = match numbers.as_slice() {
            [] => (4, 5),
            [major] => (*major, 0),
            [major, minor, ..] => (*major, *minor),
        };
        Self {
            model: number,
            opus: model.contains("opus"),
            named,
            api_2026: api_version == Some("2026-10-21"),
        }
    }

    /// Thinking has no budget any more, and sampling parameters are refused.
    pub(crate) fn is_adaptive_only(self) -> bool {
        self.model >= (5, 0) || (self.opus && self.model >= (4, 7))
    }

    fn takes_adaptive(self) -> bool {
        !self.named || self.model >= (4, 6)
    }

    /// The last message may be the beginning of the answer.
    pub(crate) fn takes_prefill(self) -> bool {
        self.model < (4, 6)
    }

    /// Messages of the system may stand in the conversation.
    pub(crate) fn takes_system_messages(self) -> bool {
        self.model >= (4, 8)
    }

    fn takes_temperature_with_top_p(self) -> bool {
        !self.named || self.model < (4, 1)
    }
}

/// Checks the parameters; `choice` and whether documents are cited are needed by rules that combine.
pub(crate) fn read(call: &Call<'_>, body: &Value, choice: &Choice, cited: bool) -> Checked<Parameters> {
    members(call, body)?;
    let max_tokens = check::required(body, "max_tokens", "max_tokens")
        .and_then(|_| check::integer(body, "max_tokens", "max_tokens", 0))?
        .ok_or_else(|| bad("max_tokens", "Input should be a valid integer"))?;
    let rules = Rules::of(call.model, call.header("anthropic-version"));
    sampling(body, rules)?;
    check::one_of(body, "service_tier", "service_tier", &["auto", "standard_only"])?;
    if let Some(metadata) = check::present(body, "metadata") {
        let user = check::string(metadata, "user_id", "metadata.user_id")?;
        if user.is_some_and(|user| user.chars().count() > 256) {
            return Err(bad(
                "metadata.user_id",
                "String should have at most 256 characters",
            ));
        }
    }
    let thinking = thinking(body, max_tokens, choice, rules)?;
    check::one_of(
        &body["output_config"],
        "effort",
        "output_config.effort",
        &["low", "medium", "high", "xhigh", "max"],
    )?;
    let schema = schema::format(body)?;
    if schema.is_some() && cited {
        return Err(bad(
            "output_config.format",
            "structured outputs cannot be used with citations",
        ));
    }
    let stream = check::boolean(body, "stream", "stream")?;
    Ok(Parameters {
        max_tokens,
        stop: stop(body)?,
        thinking,
        schema,
        stream,
    })
}

/// Refuses members of other dialects; in strict mode, all that the vendor does not document.
pub(crate) fn members(call: &Call<'_>, body: &Value) -> Checked {
    for (name, _) in body.as_object().into_iter().flatten() {
        let name = name.as_str();
        if FOREIGN.contains(&name) || (call.mock.options.strict && !KNOWN.contains(&name)) {
            return Err(bad(name, "Extra inputs are not permitted"));
        }
    }
    Ok(())
}

fn sampling(body: &Value, rules: Rules) -> Checked {
    if rules.api_2026
        && let Some(name) = ["temperature", "top_p", "top_k"]
            .into_iter()
            .find(|name| body.get(name).is_some())
    {
        return Err(bad(name, "Extra inputs are not permitted"));
    }
    let temperature = check::number(body, "temperature", 0.0, 1.0)?;
    let top_p = check::number(body, "top_p", 0.0, 1.0)?;
    let top_k = check::integer(body, "top_k", "top_k", 0)?;
    if rules.is_adaptive_only() {
        let changed = |value: Option<f64>| value.is_some_and(|value| (value - 1.0).abs() > f64::EPSILON);
        for (name, given) in [
            ("temperature", changed(temperature)),
            ("top_p", changed(top_p)),
            ("top_k", top_k.is_some()),
        ] {
            if given {
                return Err(Refusal::bad(format!("`{name}` is deprecated for this model.")));
            }
        }
    }
    if temperature.is_some() && top_p.is_some() && !rules.takes_temperature_with_top_p() {
        let message =
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.";
        return Err(Refusal::bad(message));
    }
    Ok(())
}

fn stop(body: &Value) -> Checked<Vec<String>> {
    let Some(list) = check::present(body, "stop_sequences") else {
        return Ok(Vec::new());
    };
    let list = list
        .as_array()
        .ok_or_else(|| bad("stop_sequences", "Input should be a valid array"))?;
    let mut stop = Vec::new();
    for (at, one) in list.iter().enumerate() {
        match one.as_str() {
            Some(one) if one.trim().is_empty() => {
                return Err(bad(
                    "stop_sequences",
                    "each stop sequence must contain non-whitespace",
                ));
            }
            Some(one) => stop.push(one.to_owned()),
            None => {
                return Err(bad(
                    &format!("stop_sequences.{at}"),
                    "Input should be a valid string",
                ));
            }
        }
    }
    Ok(stop)
}

fn thinking(body: &Value, max_tokens: u64, choice: &Choice, rules: Rules) -> Checked<Option<Thinking>> {
    let Some(thinking) = check::present(body, "thinking") else {
        return Ok(None);
    };
    let kinds = ["adaptive", "between_tools", "disabled", "enabled"];
    let kind = check::required_str(thinking, "type", "thinking.type")?;
    match kind {
        "disabled" | "between_tools" => return Ok(None),
        "enabled" if rules.is_adaptive_only() => {
            let message = "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.";
            return Err(Refusal::bad(message));
        }
        "enabled" => budget(thinking, max_tokens)?,
        "adaptive" if !rules.takes_adaptive() => {
            return Err(Refusal::bad("adaptive thinking is not supported on this model"));
        }
        "adaptive" => {}
        other => return Err(check::wrong_tag("thinking", other, &kinds)),
    }
    let omitted = check::one_of(
        thinking,
        "display",
        &format!("thinking.{kind}.display"),
        &["summarized", "omitted"],
    )?;
    combines(body, choice)?;
    Ok(Some(Thinking {
        manual: kind == "enabled",
        omitted: omitted == Some("omitted"),
    }))
}

fn budget(thinking: &Value, max_tokens: u64) -> Checked {
    let path = "thinking.enabled.budget_tokens";
    check::required(thinking, "budget_tokens", path)?;
    let budget = check::integer(thinking, "budget_tokens", path, 1024)?;
    if budget.is_none_or(|budget| budget >= max_tokens) {
        let message = "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking";
        return Err(Refusal::bad(message));
    }
    Ok(())
}

/// What thinking cannot be combined with.
fn combines(body: &Value, choice: &Choice) -> Checked {
    if matches!(choice, Choice::Any | Choice::Named(_)) {
        return Err(Refusal::bad(
            "Thinking may not be enabled when tool_choice forces tool use.",
        ));
    }
    if check::number(body, "temperature", 0.0, 1.0)?.is_some_and(|value| (value - 1.0).abs() > f64::EPSILON) {
        return Err(Refusal::bad(
            "`temperature` may only be set to 1 when thinking is enabled.",
        ));
    }
    if check::number(body, "top_p", 0.0, 1.0)?.is_some_and(|value| value < 0.95) {
        return Err(Refusal::bad(
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
        ));
    }
    if check::present(body, "top_k").is_some() {
        return Err(Refusal::bad("`top_k` must be unset when thinking is enabled."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_follow_the_model() {
        for (model, adaptive_only, prefill, system) in [
            ("claude-sonnet-4-5-20250929", false, true, false),
            ("claude-sonnet-4-20250514", false, true, false),
            ("claude-3-7-sonnet-latest", false, true, false),
            ("claude-sonnet-4-6", false, false, false),
            ("claude-opus-4-7", true, false, false),
            ("claude-opus-4-8", true, false, true),
            ("claude-opus-5", true, false, true),
            ("mock", false, true, false),
        ] {
            let rules = Rules::of(model, None);
            assert_eq!(rules.is_adaptive_only(), adaptive_only, "{model}");
            assert_eq!(rules.takes_prefill(), prefill, "{model}");
            assert_eq!(rules.takes_system_messages(), system, "{model}");
        }
    }
}
