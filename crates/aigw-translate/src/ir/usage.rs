//! Token counts in one normal form.

/// Token counts. `None` means that the upstream did not say.
///
/// Normal form: `input` includes tokens read from and written to a cache; the sub-counts are parts of it. `output` includes
/// reasoning. Dialects that report cache tokens beside the input (Anthropic, Bedrock) add them when decoding and take them
/// out again when encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens of the prompt, cached ones included.
    pub input: Option<u64>,
    /// All generated tokens, reasoning included.
    pub output: Option<u64>,
    /// `input + output` as the upstream says it.
    pub total: Option<u64>,
    /// Input tokens read from a cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to a cache, of every lifetime.
    pub cache_write: Option<u64>,
    /// Those written for five minutes.
    pub cache_write_5m: Option<u64>,
    /// Those written for an hour.
    pub cache_write_1h: Option<u64>,
    /// Output tokens spent on reasoning.
    pub reasoning: Option<u64>,
    /// Input tokens of audio.
    pub audio_input: Option<u64>,
    /// Output tokens of audio.
    pub audio_output: Option<u64>,
    /// Predicted tokens that appeared in the output.
    pub accepted_prediction: Option<u64>,
    /// Predicted tokens that did not.
    pub rejected_prediction: Option<u64>,
}

impl Usage {
    /// Takes every count that `later` says; what it does not say stays. Streams repeat cumulative counts.
    pub fn merge(&mut self, later: &Usage) {
        let fields = [
            (&mut self.input, later.input),
            (&mut self.output, later.output),
            (&mut self.total, later.total),
            (&mut self.cache_read, later.cache_read),
            (&mut self.cache_write, later.cache_write),
            (&mut self.cache_write_5m, later.cache_write_5m),
            (&mut self.cache_write_1h, later.cache_write_1h),
            (&mut self.reasoning, later.reasoning),
            (&mut self.audio_input, later.audio_input),
            (&mut self.audio_output, later.audio_output),
            (&mut self.accepted_prediction, later.accepted_prediction),
            (&mut self.rejected_prediction, later.rejected_prediction),
        ];
        for (slot, value) in fields {
            if value.is_some() {
                *slot = value;
            }
        }
    }

    /// The total: as said, else `input + output` when both are known.
    pub fn total(&self) -> Option<u64> {
        self.total
            .or_else(|| Some(self.input?.saturating_add(self.output?)))
    }

    /// Input tokens neither read from nor written to a cache.
    pub fn input_uncached(&self) -> Option<u64> {
        let cached = self
            .cache_read
            .unwrap_or(0)
            .saturating_add(self.cache_write.unwrap_or(0));
        self.input.map(|input| input.saturating_sub(cached))
    }

    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
