//! The sampling and control parameters of chat completions, with the rules of reasoning models
//! (<https://platform.openai.com/docs/guides/reasoning>).

use serde_json::Value;

use super::check;
use crate::error::{Checked, Refusal};

/// The members that the vendor documents.
pub(crate) const KNOWN: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "moderation",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Members of other dialects: here they can only be a wrong translation.
pub(crate) const FOREIGN: &[&str] = &[
    "system",
    "stop_sequences",
    "anthropic_version",
    "anthropic_beta",
    "output_config",
    "contents",
    "generationConfig",
    "systemInstruction",
    "inferenceConfig",
    "toolConfig",
];

/// Whether a model is one of OpenAI's reasoning models, by its name.
pub(crate) fn is_reasoning_model(model: &str) -> bool {
    let number = |prefix: &str| {
        let rest = model.strip_prefix(prefix)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse::<u32>().ok()
    };
    number("o").is_some() || number("gpt-").is_some_and(|series| series >= 5)
}

/// Checks the parameters of a chat completion.
pub(crate) fn check(body: &Value, model: &str) -> Checked {
    check::number(body, "temperature", 0.0, 2.0)?;
    check::number(body, "top_p", 0.0, 1.0)?;
    check::number(body, "presence_penalty", -2.0, 2.0)?;
    check::number(body, "frequency_penalty", -2.0, 2.0)?;
    check::integer(body, "n", 1, 128)?;
    check::integer(body, "max_tokens", 1, u64::MAX)?;
    check::integer(body, "max_completion_tokens", 1, u64::MAX)?;
    check::integer(body, "top_logprobs", 0, 20)?;
    check::one_of(
        body,
        "reasoning_effort",
        &["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    )?;
    check::one_of(body, "verbosity", &["low", "medium", "high"])?;
    check::one_of(
        body,
        "service_tier",
        &["auto", "default", "flex", "scale", "priority", "fast"],
    )?;
    check::string(body, "user")?;
    if body.get("max_tokens").is_some() && body.get("max_completion_tokens").is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Refusal::bad(message).code("invalid_parameter_combination"));
    }
    if !body["top_logprobs"].is_null() && !check::boolean(body, "logprobs")? {
        let message = "'top_logprobs' is only allowed when 'logprobs' is true.";
        return Err(Refusal::bad(message).param("top_logprobs"));
    }
    if !body["stream_options"].is_null() && !check::boolean(body, "stream")? {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::bad(message).param("stream_options"));
    }
    if is_reasoning_model(model) {
        reasoning(body, model)
    } else {
        Ok(())
    }
}

fn reasoning(body: &Value, model: &str) -> Checked {
    if !body["max_tokens"].is_null() {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return Err(Refusal::bad(message)
            .param("max_tokens")
            .code("unsupported_parameter"));
    }
    // Without reasoning they sample like the others.
    if body["reasoning_effort"] == "none" {
        return Ok(());
    }
    for name in [
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "logit_bias",
    ] {
        if !body[name].is_null() {
            return Err(unsupported(name));
        }
    }
    if (model.starts_with("o3") || model.starts_with("o4-mini")) && !body["stop"].is_null() {
        return Err(unsupported("stop"));
    }
    match check::number(body, "temperature", 0.0, 2.0)? {
        Some(temperature) if (temperature - 1.0).abs() > f64::EPSILON => {
            let message = format!(
                "Unsupported value: 'temperature' does not support {temperature} with this model. Only the default (1) value is supported."
            );
            Err(Refusal::bad(message)
                .param("temperature")
                .code("unsupported_value"))
        }
        _ => Ok(()),
    }
}

fn unsupported(name: &str) -> Refusal {
    let message = format!("Unsupported parameter: '{name}' is not supported with this model.");
    Refusal::bad(message).param(name).code("unsupported_parameter")
}

/// Reasoning tokens of an effort; reasoning models without one use `medium`.
pub(crate) fn reasoning_tokens(effort: Option<&str>, model: &str) -> u64 {
    match effort {
        Some("none") => 0,
        Some("minimal") => 8,
        Some("low") => 16,
        Some("medium") => 32,
        Some("high") => 64,
        Some(_) => 128,
        None if is_reasoning_model(model) => 32,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasoning_models_are_known_by_name() {
        for (model, expected) in [
            ("o3", true),
            ("o4-mini", true),
            ("gpt-5.1", true),
            ("gpt-6", true),
            ("gpt-4.1", false),
            ("gpt-4o", false),
            ("olmo", false),
        ] {
            assert_eq!(is_reasoning_model(model), expected, "{model}");
        }
    }

    #[test]
    fn refusals_name_the_parameter() {
        for (body, model, param) in [
            (json!({"temperature": 3}), "gpt-4o", Some("temperature")),
            (json!({"temperature": "1"}), "gpt-4o", Some("temperature")),
            (json!({"temperature": 0.5}), "o3", Some("temperature")),
            (json!({"max_tokens": 5}), "gpt-5", Some("max_tokens")),
            (json!({"max_tokens": 0}), "gpt-4o", Some("max_tokens")),
            (
                json!({"max_tokens": 5, "max_completion_tokens": 5}),
                "gpt-4o",
                None,
            ),
            (json!({"top_logprobs": 5}), "gpt-4o", Some("top_logprobs")),
            (json!({"stream_options": {}}), "gpt-4o", Some("stream_options")),
            (json!({"stop": ["a"]}), "o3-mini", Some("stop")),
        ] {
            let refusal = check(&body, model).expect_err(&body.to_string());
            assert_eq!(refusal.param.as_deref(), param, "{body}");
        }
        check(
            &json!({"temperature": 0.5, "reasoning_effort": "none"}),
            "gpt-5.2",
        )
        .unwrap();
        check(&json!({"temperature": 1, "max_completion_tokens": 5}), "gpt-5").unwrap();
    }
}
