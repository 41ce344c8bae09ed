//! Token counts: `usage` of an answer or of a stream's last chunk.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>; the cache-write counts are those of compatible gateways, and
//! `prompt_cache_hit_tokens` is DeepSeek's (<https://api-docs.deepseek.com/api/create-chat-completion>).

use serde_json::{Map, Value};

use super::fields::whole;
use super::write::Object;
use crate::ir::Usage;
use crate::json::Reader;

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

/// The counts as they are found. Two stand under a second name too, which counts where the first is absent.
#[derive(Default)]
struct Found {
    usage: Usage,
    hits: Option<u64>,
    written: Option<u64>,
}

impl Found {
    /// Takes the count where its name has a meaning; of those with one name the last.
    fn note(&mut self, group: Group, name: &str, count: impl FnOnce() -> Option<u64>) {
        let usage = &mut self.usage;
        let place = match group {
            Group::Top => match name {
                "prompt_tokens" => &mut usage.input,
                "completion_tokens" => &mut usage.output,
                "total_tokens" => &mut usage.total,
                "prompt_cache_hit_tokens" => &mut self.hits,
                _ => return,
            },
            Group::Input => match name {
                "cached_tokens" => &mut usage.cache_read,
                "audio_tokens" => &mut usage.audio_input,
                "cache_creation_input_tokens" => &mut usage.cache_write,
                "cache_write_tokens" => &mut self.written,
                _ => return,
            },
            Group::Output => match name {
                "reasoning_tokens" => &mut usage.reasoning,
                "audio_tokens" => &mut usage.audio_output,
                "accepted_prediction_tokens" => &mut usage.accepted_prediction,
                "rejected_prediction_tokens" => &mut usage.rejected_prediction,
                _ => return,
            },
            Group::Writes => match name {
                "ephemeral_5m_input_tokens" => &mut usage.cache_write_5m,
                "ephemeral_1h_input_tokens" => &mut usage.cache_write_1h,
                _ => return,
            },
        };
        *place = count();
    }

    fn usage(self) -> Usage {
        Usage {
            cache_read: self.usage.cache_read.or(self.hits),
            cache_write: self.usage.cache_write.or(self.written),
            ..self.usage
        }
    }
}

/// Reads the counts.
pub(super) fn read(usage: &Value) -> Usage {
    let input = usage.get(INPUT_DETAILS);
    let writes = input.and_then(|input| input.get(WRITE_DETAILS));
    let mut found = Found::default();
    for (group, object) in [
        (Group::Top, Some(usage)),
        (Group::Input, input),
        (Group::Output, usage.get(OUTPUT_DETAILS)),
        (Group::Writes, writes),
    ] {
        for (name, value) in object.and_then(Value::as_object).into_iter().flatten() {
            found.note(group, name, || match value {
                Value::Number(number) => whole(number),
                _ => None,
            });
        }
    }
    found.usage()
}

/// Reads the counts where the reader stands, and past them; of the text nothing else is wanted. `None` when it is no JSON.
pub(super) fn read_at(reader: &mut Reader<'_>) -> Option<Usage> {
    let start = reader.clone();
    if let Some(usage) = walk_counts(reader) {
        return Some(usage);
    }
    // What the walk does not understand is read as a whole.
    *reader = start;
    let whole = reader.value()?;
    Some(serde_json::from_str(whole).map_or_else(|_| Usage::default(), |usage| read(&usage)))
}

/// All counts in one walk; `None` for what stands in no such place.
fn walk_counts(reader: &mut Reader<'_>) -> Option<Usage> {
    let mut found = Found::default();
    let (mut input, mut output) = (false, false);
    reader.object(|name, reader| match name {
        // The last of a name counts, and none before it.
        INPUT_DETAILS => match std::mem::replace(&mut input, true) {
            true => None,
            false => walk_input(&mut found, reader),
        },
        OUTPUT_DETAILS => match std::mem::replace(&mut output, true) {
            true => None,
            false => walk_group(&mut found, Group::Output, reader),
        },
        _ => walk_count(&mut found, Group::Top, name, reader),
    })?;
    Some(found.usage())
}

fn walk_input(found: &mut Found, reader: &mut Reader<'_>) -> Option<()> {
    let mut writes = false;
    details_of(reader, |name, reader| match name {
        WRITE_DETAILS => match std::mem::replace(&mut writes, true) {
            true => None,
            false => walk_group(found, Group::Writes, reader),
        },
        _ => walk_count(found, Group::Input, name, reader),
    })
}

fn walk_group(found: &mut Found, group: Group, reader: &mut Reader<'_>) -> Option<()> {
    details_of(reader, |name, reader| walk_count(found, group, name, reader))
}

/// What is no object has no members.
fn details_of<'a>(
    reader: &mut Reader<'a>,
    see: impl FnMut(&'a str, &mut Reader<'a>) -> Option<()>,
) -> Option<()> {
    match reader.next_byte() {
        b'{' => reader.object(see),
        _ => reader.value().map(|_| ()),
    }
}

fn walk_count(found: &mut Found, group: Group, name: &str, reader: &mut Reader<'_>) -> Option<()> {
    let value = reader.value()?;
    found.note(group, name, || count(value));
    Some(())
}

fn count(raw: &str) -> Option<u64> {
    // Nearly all are plain digits; a leading zero is no JSON and was refused before.
    if raw.len() < 20 {
        let add = |sum: u64, byte: u8| match byte {
            b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        };
        if let Some(sum) = raw.bytes().try_fold(0, add) {
            return Some(sum);
        }
    }
    whole(&serde_json::from_str(raw).ok()?)
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

    fn read_text(text: &str) -> Usage {
        read_at(&mut Reader::new(text)).unwrap_or_default()
    }

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
            r#"{"prompt_tokens_details":{"cached_tokens":1},"prompt_tokens_details":{"audio_tokens":2}}"#,
            r#"{"completion_tokens_details":{"reasoning_tokens":1},"completion_tokens_details":7}"#,
            r#"{"prompt_tokens_details":{"cache_creation_token_details":{"ephemeral_5m_input_tokens":1},
                "cache_creation_token_details":{}},"\u0070rompt_tokens":4}"#,
            r#"{"prompt_tokens":18446744073709551615,"completion_tokens":99999999999999999999,"total_tokens":-0}"#,
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
