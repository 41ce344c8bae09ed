//! Token counts: the vendor's beside the representation's, which adds cached tokens to the input.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance>

use serde::Deserialize;

use super::read::Members;
use super::write::Object;
use crate::ir::Usage;

/// The counts of `usage`, of an answer or of a stream's event.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<Lifetimes>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

impl Counts {
    /// Takes the counts out of a `usage` object; what is left is what no count stands for.
    pub(super) fn take(usage: &mut Members) -> Self {
        let cache_creation = usage.object("cache_creation").map(|mut lifetimes| {
            let read = Lifetimes {
                ephemeral_5m_input_tokens: lifetimes.count("ephemeral_5m_input_tokens"),
                ephemeral_1h_input_tokens: lifetimes.count("ephemeral_1h_input_tokens"),
            };
            usage.put_back("cache_creation", lifetimes);
            read
        });
        let output_tokens_details = usage.object("output_tokens_details").map(|mut details| {
            let thinking_tokens = details.count("thinking_tokens");
            usage.put_back("output_tokens_details", details);
            OutputDetails { thinking_tokens }
        });
        Self {
            input_tokens: usage.count("input_tokens"),
            output_tokens: usage.count("output_tokens"),
            cache_read_input_tokens: usage.count("cache_read_input_tokens"),
            cache_creation_input_tokens: usage.count("cache_creation_input_tokens"),
            cache_creation,
            output_tokens_details,
        }
    }

    /// Brings `usage` up to these counts; what they do not say stays, which streams rely on.
    pub(super) fn apply(&self, usage: &mut Usage) {
        let uncached = self.input_tokens.or_else(|| usage.input_uncached());
        let lifetimes = self.cache_creation.unwrap_or_default();
        let details = self.output_tokens_details.unwrap_or_default();
        for (slot, count) in [
            (&mut usage.output, self.output_tokens),
            (&mut usage.cache_read, self.cache_read_input_tokens),
            (&mut usage.cache_write, self.cache_creation_input_tokens),
            (&mut usage.cache_write_5m, lifetimes.ephemeral_5m_input_tokens),
            (&mut usage.cache_write_1h, lifetimes.ephemeral_1h_input_tokens),
            (&mut usage.reasoning, details.thinking_tokens),
        ] {
            if count.is_some() {
                *slot = count;
            }
        }
        usage.input = uncached.map(|uncached| {
            uncached
                .saturating_add(usage.cache_read.unwrap_or(0))
                .saturating_add(usage.cache_write.unwrap_or(0))
        });
    }
}

/// Writes the counts into an open `usage` object. The two that the vendor always says are 0 when they are not known.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    object.member("input_tokens", &usage.input_uncached().unwrap_or(0));
    object.optional("cache_creation_input_tokens", usage.cache_write.as_ref());
    object.optional("cache_read_input_tokens", usage.cache_read.as_ref());
    if usage.cache_write_5m.is_some() || usage.cache_write_1h.is_some() {
        let mut inner = Object::open(object.key("cache_creation"));
        inner.member("ephemeral_5m_input_tokens", &usage.cache_write_5m.unwrap_or(0));
        inner.member("ephemeral_1h_input_tokens", &usage.cache_write_1h.unwrap_or(0));
        inner.close();
    }
    object.member("output_tokens", &usage.output.unwrap_or(0));
    if let Some(thinking) = usage.reasoning {
        let mut inner = Object::open(object.key("output_tokens_details"));
        inner.member("thinking_tokens", &thinking);
        inner.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Counts {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn input_includes_what_was_cached() {
        let mut usage = Usage::default();
        counts(
            r#"{"input_tokens":3,"cache_read_input_tokens":20,"cache_creation_input_tokens":100,
                "cache_creation":{"ephemeral_5m_input_tokens":90,"ephemeral_1h_input_tokens":10},"output_tokens":1}"#,
        )
        .apply(&mut usage);
        assert_eq!(usage.input, Some(123));
        assert_eq!(usage.input_uncached(), Some(3));
        assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (Some(90), Some(10)));

        // A later event repeats part of it.
        counts(r#"{"input_tokens":4,"output_tokens":50,"output_tokens_details":{"thinking_tokens":7}}"#)
            .apply(&mut usage);
        assert_eq!(
            (usage.input, usage.output, usage.reasoning),
            (Some(124), Some(50), Some(7))
        );
        counts(r#"{"output_tokens":60}"#).apply(&mut usage);
        assert_eq!((usage.input, usage.output), (Some(124), Some(60)));
    }
}
