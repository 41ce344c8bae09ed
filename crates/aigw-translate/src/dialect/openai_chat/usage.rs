//! Token counts: `usage` of an answer or of a stream's last chunk.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>; the cache-write counts are those of compatible gateways, and
//! `prompt_cache_hit_tokens` is DeepSeek's (<https://api-docs.deepseek.com/api/create-chat-completion>).

use serde_json::{Map, Value};

use super::fields::whole;
use super::write::Object;
use crate::ir::Usage;
use crate::json::members;

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

/// Where a count stands.
#[derive(Clone, Copy)]
enum Group {
    Top,
    Input,
    Output,
    Writes,
}

/// Reads the counts.
pub(super) fn read(usage: &Value) -> Usage {
    let input = usage.get(INPUT_DETAILS);
    let output = usage.get(OUTPUT_DETAILS);
    let writes = input.and_then(|input| input.get(WRITE_DETAILS));
    counts(|group, name| {
        let object = match group {
            Group::Top => Some(usage),
            Group::Input => input,
            Group::Output => output,
            Group::Writes => writes,
        };
        match object?.get(name)? {
            Value::Number(number) => whole(number),
            _ => None,
        }
    })
}

/// Reads the counts from text, of which nothing else is wanted.
pub(super) fn read_text(usage: &str) -> Usage {
    // What `members` cannot read is read as a whole.
    let read_whole = || serde_json::from_str(usage).map_or_else(|_| Usage::default(), |usage| read(&usage));
    walk_counts(usage).unwrap_or_else(read_whole)
}

/// All counts in one walk. As in a value, the last of those with one name counts.
fn walk_counts(usage: &str) -> Option<Usage> {
    let mut found = Usage::default();
    let (mut hits, mut input, mut output) = (None, "", "");
    members(usage, |name, value| match name {
        "prompt_tokens" => found.input = count(value),
        "completion_tokens" => found.output = count(value),
        "total_tokens" => found.total = count(value),
        "prompt_cache_hit_tokens" => hits = count(value),
        INPUT_DETAILS => input = value,
        OUTPUT_DETAILS => output = value,
        _ => {}
    })?;
    let (mut written, mut writes) = (None, "");
    inner(input, |name, value| match name {
        "cached_tokens" => found.cache_read = count(value),
        "audio_tokens" => found.audio_input = count(value),
        "cache_creation_input_tokens" => found.cache_write = count(value),
        "cache_write_tokens" => written = count(value),
        WRITE_DETAILS => writes = value,
        _ => {}
    })?;
    inner(writes, |name, value| match name {
        "ephemeral_5m_input_tokens" => found.cache_write_5m = count(value),
        "ephemeral_1h_input_tokens" => found.cache_write_1h = count(value),
        _ => {}
    })?;
    inner(output, |name, value| match name {
        "reasoning_tokens" => found.reasoning = count(value),
        "audio_tokens" => found.audio_output = count(value),
        "accepted_prediction_tokens" => found.accepted_prediction = count(value),
        "rejected_prediction_tokens" => found.rejected_prediction = count(value),
        _ => {}
    })?;
    found.cache_read = found.cache_read.or(hits);
    found.cache_write = found.cache_write.or(written);
    Some(found)
}

/// `None` when `text` cannot be read; what is no object has no members.
fn inner<'a>(text: &'a str, see: impl FnMut(&'a str, &'a str)) -> Option<()> {
    match text.starts_with('{') {
        true => members(text, see),
        false => Some(()),
    }
}

fn count(raw: &str) -> Option<u64> {
    // Nearly all are plain digits; a leading zero is no JSON and was refused before.
    if raw.len() < 20 && raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return raw.parse().ok();
    }
    whole(&serde_json::from_str(raw).ok()?)
}

fn counts(count: impl Fn(Group, &str) -> Option<u64>) -> Usage {
    use Group::{Input, Output, Top, Writes};
    Usage {
        input: count(Top, "prompt_tokens"),
        output: count(Top, "completion_tokens"),
        total: count(Top, "total_tokens"),
        cache_read: count(Input, "cached_tokens").or_else(|| count(Top, "prompt_cache_hit_tokens")),
        cache_write: count(Input, "cache_creation_input_tokens")
            .or_else(|| count(Input, "cache_write_tokens")),
        cache_write_5m: count(Writes, "ephemeral_5m_input_tokens"),
        cache_write_1h: count(Writes, "ephemeral_1h_input_tokens"),
        reasoning: count(Output, "reasoning_tokens"),
        audio_input: count(Input, "audio_tokens"),
        audio_output: count(Output, "audio_tokens"),
        accepted_prediction: count(Output, "accepted_prediction_tokens"),
        rejected_prediction: count(Output, "rejected_prediction_tokens"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_tell_the_same() {
        let all = r#"{"prompt_tokens":1,"completion_tokens":2.0,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":4,
            "audio_tokens":5,"cache_write_tokens":6,"cache_creation_token_details":{"ephemeral_5m_input_tokens":7,
            "ephemeral_1h_input_tokens":8}},"completion_tokens_details":{"reasoning_tokens":9,"audio_tokens":10,
            "accepted_prediction_tokens":11,"rejected_prediction_tokens":12},"cost":{"x":[1]}}"#;
        let full = read_text(all);
        assert_eq!(
            (full.input, full.output, full.cache_write_1h),
            (Some(1), Some(2), Some(8))
        );
        assert_eq!(
            (full.audio_output, full.rejected_prediction),
            (Some(10), Some(12))
        );
        let odd = [
            r#"{"prompt_tokens":1,"prompt_tokens":2,"prompt_tokens_details":null}"#,
            r#"{"prompt_tokens":"1","completion_tokens":-1,"total_tokens":1.5,"prompt_cache_hit_tokens":3}"#,
            r#"{"prompt_tokens_details":{"cached_tokens":1,"cached_tokens":2}}"#,
            r#"{"prompt_tokens_details":[{"cached_tokens":1}],"completion_tokens_details":{}}"#,
            "null",
            "7",
            "{}",
        ];
        for text in odd.into_iter().chain([all]) {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read_text(text), read(&value), "{text}");
        }
        assert_eq!(read_text(""), Usage::default());
    }
}
