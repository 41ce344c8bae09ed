//! Token counts: `usage` of an answer or of a stream's last chunk.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>; the cache-write counts are those of compatible gateways, and
//! `prompt_cache_hit_tokens` is DeepSeek's (<https://api-docs.deepseek.com/api/create-chat-completion>).

use serde_json::{Map, Value};

use super::fields::whole;
use super::write::Object;
use crate::ir::Usage;

const INPUT_DETAILS: &str = "prompt_tokens_details";
const OUTPUT_DETAILS: &str = "completion_tokens_details";
const WRITE_DETAILS: &str = "cache_creation_token_details";

const TOP: &[&str] = &["prompt_tokens", "completion_tokens", "total_tokens"];
const INPUT: &[&str] = &["cached_tokens", "audio_tokens", "cache_creation_input_tokens"];
const OUTPUT: &[&str] = &[
    "reasoning_tokens",
    "audio_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
];

/// Reads the counts.
pub(super) fn read(usage: &Value) -> Usage {
    let count = |object: Option<&Value>, name: &str| match object?.get(name)? {
        Value::Number(number) => whole(number),
        _ => None,
    };
    let top = Some(usage);
    let input = usage.get(INPUT_DETAILS);
    let output = usage.get(OUTPUT_DETAILS);
    let writes = input.and_then(|input| input.get(WRITE_DETAILS));
    Usage {
        input: count(top, "prompt_tokens"),
        output: count(top, "completion_tokens"),
        total: count(top, "total_tokens"),
        cache_read: count(input, "cached_tokens").or_else(|| count(top, "prompt_cache_hit_tokens")),
        cache_write: count(input, "cache_creation_input_tokens")
            .or_else(|| count(input, "cache_write_tokens")),
        cache_write_5m: count(writes, "ephemeral_5m_input_tokens"),
        cache_write_1h: count(writes, "ephemeral_1h_input_tokens"),
        reasoning: count(output, "reasoning_tokens"),
        audio_input: count(input, "audio_tokens"),
        audio_output: count(output, "audio_tokens"),
        accepted_prediction: count(output, "accepted_prediction_tokens"),
        rejected_prediction: count(output, "rejected_prediction_tokens"),
    }
}

/// What stands in `usage` besides the counts that are read.
pub(super) fn rest(usage: Value) -> Map<String, Value> {
    let Value::Object(mut usage) = usage else {
        return Map::new();
    };
    usage.retain(|name, value| !value.is_null() && !TOP.contains(&name.as_str()));
    strip(&mut usage, INPUT_DETAILS, INPUT);
    strip(&mut usage, OUTPUT_DETAILS, OUTPUT);
    usage
}

fn strip(usage: &mut Map<String, Value>, name: &str, known: &[&str]) {
    let Some(Value::Object(details)) = usage.get_mut(name) else {
        return;
    };
    details
        .retain(|name, value| !value.is_null() && name != WRITE_DETAILS && !known.contains(&name.as_str()));
    if details.is_empty() {
        usage.shift_remove(name);
    }
}

/// Writes the counts; `rest` is what the source said besides.
pub(super) fn write(out: &mut Vec<u8>, usage: &Usage, rest: Option<&Map<String, Value>>) {
    let mut object = Object::open(out);
    object.member("prompt_tokens", &usage.input.unwrap_or(0));
    object.member("completion_tokens", &usage.output.unwrap_or(0));
    let sum = usage.input.unwrap_or(0).saturating_add(usage.output.unwrap_or(0));
    object.member("total_tokens", &usage.total.unwrap_or(sum));
    let nested = |name: &str| rest.and_then(|rest| rest.get(name)).and_then(Value::as_object);
    let input = [
        ("cached_tokens", usage.cache_read),
        ("audio_tokens", usage.audio_input),
        ("cache_creation_input_tokens", usage.cache_write),
    ];
    let writes = [
        ("ephemeral_5m_input_tokens", usage.cache_write_5m),
        ("ephemeral_1h_input_tokens", usage.cache_write_1h),
    ];
    details(&mut object, INPUT_DETAILS, &input, &writes, nested(INPUT_DETAILS));
    let output = [
        ("reasoning_tokens", usage.reasoning),
        ("audio_tokens", usage.audio_output),
        ("accepted_prediction_tokens", usage.accepted_prediction),
        ("rejected_prediction_tokens", usage.rejected_prediction),
    ];
    details(&mut object, OUTPUT_DETAILS, &output, &[], nested(OUTPUT_DETAILS));
    for (name, value) in rest.into_iter().flatten() {
        if name != INPUT_DETAILS && name != OUTPUT_DETAILS {
            object.member(name, value);
        }
    }
    object.close();
}

fn details(
    object: &mut Object<'_>,
    name: &str,
    counts: &[(&str, Option<u64>)],
    writes: &[(&str, Option<u64>)],
    rest: Option<&Map<String, Value>>,
) {
    let known = |counts: &[(&str, Option<u64>)]| counts.iter().any(|(_, count)| count.is_some());
    if !known(counts) && !known(writes) && rest.is_none() {
        return;
    }
    object.object(name, |object| {
        for (name, count) in counts {
            object.optional(name, count.as_ref());
        }
        if known(writes) {
            object.object(WRITE_DETAILS, |object| {
                for (name, count) in writes {
                    object.optional(name, count.as_ref());
                }
            });
        }
        if let Some(rest) = rest {
            object.members(rest);
        }
    });
}
